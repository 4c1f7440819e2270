import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
/** What a page's Content Security Policy does to a browser, V8 does for this. */
const flag = '--disallow-code-generation-from-strings'

t.test('WIRE-20 where no code may be made, every frame is treated alike', async (t) => {
  await t.rejects(run(process.execPath, [flag, '-e', 'new Function("")']), 'the flag works')
  const frames = fileURLToPath(new URL('frames.test.js', import.meta.url))
  const { stdout } = await run(process.execPath, [flag, frames])
  t.match(stdout, /WIRE-2 every frame/)
  t.notMatch(stdout, /not ok/)
})
