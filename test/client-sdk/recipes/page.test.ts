import { execFileSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Client } from '#client/index.js'
import * as recipes from '#client/recipes/index.js'
import t from 'tap'
import { readText, repositoryRoot } from '../../support/repository.js'
import { tempDirectory } from '../../support/server-kit.js'
import { startReal } from '../real-kit.js'

interface Example {
  readonly run: (client: Client, url: string, print: (value: unknown) => void) => Promise<void>
}

const blocks = [...readText('docs/RECIPES.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(
  ([, block = '']) => block,
)

const prelude = `import { type Client, connect, json } from '@conclave/client'
import { ${Object.keys(recipes).join(', ')} } from '@conclave/client/recipes'
export const run = async (client: Client, url: string, print: (value: unknown) => void) => {
`

t.test('RECIPE-27 every example type-checks and prints what it says', async (t) => {
  const folder = tempDirectory(t)
  symlinkSync(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const names = blocks.map((_, i) => `example-${i}`)
  for (const [i, name] of names.entries()) {
    writeFileSync(join(folder, `${name}.ts`), `${prelude}${blocks[i]}}\n`)
  }
  const tsc = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  const flags = '--strict --target es2022 --module nodenext --lib es2023,esnext.disposable,dom'
  const files = names.map((name) => `${name}.ts`)
  const words = [tsc, ...flags.split(' '), '--skipLibCheck', '--types', '', ...files]
  // The test runner's own options are not for a compiler.
  execFileSync('env', ['-u', 'NODE_OPTIONS', process.execPath, ...words], {
    cwd: folder,
    stdio: 'pipe',
  })
  t.ok(names.length >= 10)
  for (const [i, name] of names.entries()) {
    const { client, server } = await startReal(t)
    const url = pathToFileURL(join(folder, `${name}.js`)).href
    const { run } = (await import(url)) as Example
    const printed: string[] = []
    await run(client, server.url, (value) => printed.push(String(value)))
    const promised = [...(blocks[i] ?? '').matchAll(/print\(.*\/\/ -> (.*)$/gm)].map(
      ([, said]) => said,
    )
    // One in a loop is printed each time.
    t.strictSame([...new Set(printed)], [...new Set(promised)], name)
    t.ok(printed.length >= promised.length)
  }
})
