import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repositoryRoot } from '../../support/repository.js'
import { maskText } from '../../support/source-text.js'

t.test('RECIPE-65 no recipe has a clock of its own', async (t) => {
  const directory = join(repositoryRoot, 'client-sdk', 'src', 'recipes')
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  const names = files.filter((name) => name.endsWith('.ts'))
  t.ok(names.length > 10)
  for (const name of names) {
    const { code } = maskText(readFileSync(join(directory, name), 'utf8'))
    const own = /\b(?:performance|Date|setTimeout|setInterval|AbortSignal\.timeout)\b/.exec(code)
    t.equal(own?.[0], undefined, name)
  }
})
