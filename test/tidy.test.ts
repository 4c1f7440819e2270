import t from 'tap'
import { recordedMutations } from './mutations/recorded.js'
import { listFiles, readSources, readText } from './support/repository.js'
import type { SourceFile } from './support/source-text.js'
import { importsOf, maskText } from './support/source-text.js'
import * as tidy from './support/tidy.js'
import { bugs } from './zoo/bugs.js'
import { checkMutations, checkRuleTests } from './support/tidy-rules.js'

const sources = readSources(['protocol/src', 'client-sdk/src', 'server/src'])
const file = (path: string, text: string): SourceFile => ({ path, text })

t.test('HOUSE-1 the imports follow the arrows of the plan', async (t) => {
  t.strictSame(tidy.checkArrows(sources), [])
})

t.test('HOUSE-1 an import against an arrow is seen', async (t) => {
  const refused: readonly (readonly [string, string])[] = [
    ['protocol/src/op.ts', './codec/index.js'],
    ['protocol/src/op.ts', '@conclave/client'],
    ['protocol/src/op.ts', 'node:fs'],
    ['protocol/src/op.ts', 'msgpackr'],
    ['server/src/core/tree/data-tree.ts', '../session/expiry.js'],
    ['server/src/core/tree/data-tree.ts', '@conclave/protocol/codec'],
    ['server/src/core/zab/leader.ts', '../tree/data-tree.js'],
    ['server/src/core/zab/leader.ts', '../pipeline/apply.js'],
    ['server/src/core/zab/leader.ts', 'pino'],
    ['server/src/core/pipeline/apply.ts', '../zab/leader.js'],
    ['server/src/core/attic/old.ts', '@conclave/protocol'],
    ['server/src/core/replica.ts', '../runtime/node.js'],
    ['server/src/runtime/node.ts', '../main.js'],
    ['server/src/runtime/node.ts', '../cli/main.js'],
    ['server/src/runtime/node.ts', '@conclave/client'],
    ['server/src/runtime/node.ts', 'msgpackr'],
    ['server/src/runtime/node.ts', '#server/main.js'],
    ['server/src/runtime/node.ts', '../../../protocol/src/op.js'],
    ['server/src/main.ts', './cli/main.js'],
    ['client-sdk/src/client.ts', '@conclave/server'],
    ['client-sdk/src/client.ts', '@conclave/protocol/peer'],
    ['client-sdk/src/session/machine.ts', '@conclave/protocol/codec'],
    ['client-sdk/src/session/machine.ts', '../client.js'],
    ['client-sdk/src/recipes/lock.ts', '../session/machine.js'],
    ['client-sdk/src/recipes/lock.ts', '../transport/ws.js'],
  ]
  for (const [path, specifier] of refused) {
    const found = tidy.checkArrows([file(path, `import { x } from '${specifier}'\n`)])
    t.ok(found.length > 0, `${path} must not import ${specifier}`)
  }
  const viaRoot = tidy.checkArrows([
    file('server/src/core/zab/leader.ts', "import type { Effect } from '../effect.js'\n"),
    file('server/src/core/effect.ts', "import type { Stat } from './tree/data-tree.js'\n"),
  ])
  t.match(viaRoot, [/leads core\/zab to core\/tree/], 'not by way of a file under core either')
  const dynamic = file('protocol/src/op.ts', "const x = import('node:fs')\nexport * from 'ws'\n")
  t.equal(tidy.checkArrows([dynamic]).length, 2, 'dynamic imports and re-exports count')
})

t.test('HOUSE-1 an import along an arrow is let through', async (t) => {
  const allowed: readonly (readonly [string, string])[] = [
    ['protocol/src/codec/index.ts', 'msgpackr'],
    ['protocol/src/codec/index.ts', '../frames.js'],
    ['server/src/core/tree/data-tree.ts', '../assert.js'],
    ['server/src/core/tree/data-tree.ts', '@conclave/protocol/peer'],
    ['server/src/core/pipeline/apply.ts', '../tree/data-tree.js'],
    ['server/src/core/replica.ts', './zab/leader.js'],
    ['server/src/runtime/node.ts', '@conclave/protocol/codec'],
    ['server/src/runtime/node.ts', '../core/replica.js'],
    ['server/src/main.ts', './runtime/node.js'],
    ['server/src/cli/serve.ts', '../main.js'],
    ['server/src/cli/shell.ts', '@conclave/client'],
    ['client-sdk/src/session/machine.ts', './pending.js'],
    ['client-sdk/src/recipes/lock.ts', '../client.js'],
  ]
  for (const [path, specifier] of allowed) {
    const text = `import { x } from '${specifier}'\n`
    t.strictSame(tidy.checkArrows([file(path, text)]), [], `${path} may import ${specifier}`)
  }
})

t.test('HOUSE-1 no imports run in a circle, types included', async (t) => {
  t.strictSame(tidy.checkCircles(sources), [])
  const circle = [
    file('protocol/src/a.ts', `import type { B } from './b.js'\n`),
    file('protocol/src/b.ts', `export { c } from './c.js'\n`),
    file('protocol/src/c.ts', `import { b } from './b.js'\n`),
  ]
  t.strictSame(tidy.checkCircles(circle), [
    'a circle of imports: protocol/src/b.ts -> protocol/src/c.ts -> protocol/src/b.ts',
  ])
})

t.test('HOUSE-2 nothing inside the fence has a clock, dice, a place or a wait', async (t) => {
  t.strictSame(tidy.checkFence(sources), [])
})

t.test('HOUSE-2 a breach of the fence is seen, a comment about one is not', async (t) => {
  const breaches = [
    'const now = Date.now()',
    'const dice = Math.random()',
    'const day = new Date(0)',
    'setTimeout(f, 1)',
    'const f = async () => 1',
    'let p: Promise<void>',
    'const text = `${process.pid}`',
    "console.log('x')",
    'const at = performance.now()',
  ]
  for (const text of breaches) {
    for (const path of ['server/src/core/a.ts', 'protocol/src/a.ts']) {
      t.equal(tidy.checkFence([file(path, text)]).length, 1, `${path}: ${text}`)
    }
    t.equal(tidy.checkFence([file('server/src/runtime/a.ts', text)]).length, 0, 'outside the fence')
  }
  const words = "// Date.now is banned\nconst say = 'await Promise' /* process.exit */\n"
  t.strictSame(tidy.checkFence([file('server/src/core/a.ts', words)]), [])
  const helper = tidy.checkFence([
    file('client-sdk/src/session/machine.ts', "import { a } from './helper.js'\n"),
    file('client-sdk/src/session/helper.ts', 'export const a = Date.now()\n'),
    file('client-sdk/src/session/runner.ts', 'export const b = Date.now()\n'),
  ])
  t.match(helper, [/helper\.ts:1/], 'the fence covers what the machine pulls in, not the runner')
})

t.test('HOUSE-3 the core never asks whether there is only one voter', async (t) => {
  t.strictSame(tidy.checkOneVoter(sources), [])
})

t.test('HOUSE-3 a branch for one voter is seen', async (t) => {
  for (const text of [
    'if (voters.length === 1) become()',
    'if (config.voterIds.size<2) become()',
    'if (1 === voters.length) become()',
    'if (quorumSize === 1) become()',
    'const isStandalone = true',
  ]) {
    t.equal(tidy.checkOneVoter([file('server/src/core/a.ts', text)]).length, 1, text)
  }
  t.strictSame(
    tidy.checkOneVoter([file('server/src/core/a.ts', 'if (voters.length > 0) go()')]),
    [],
  )
})

t.test('HOUSE-4 files, lines and language keep to the limits', async (t) => {
  t.strictSame(tidy.checkShape([...sources, ...readSources(['test', 'bench', 'docs'])]), [])
})

t.test('HOUSE-4 what goes beyond the limits is seen', async (t) => {
  for (const text of [
    'x\n'.repeat(tidy.fileLinesMax + 1),
    'x'.repeat(tidy.lineColumnsMax + 1),
    'export default 1',
    'const enum Role { looking }',
    'declare namespace House { }',
    'let x: any',
    'const x = y as any',
    'let x: Array<any>',
  ]) {
    t.equal(tidy.checkShape([file('server/src/a.ts', text)]).length, 1, text.slice(0, 40))
  }
  const fine = 'x\n'.repeat(tidy.fileLinesMax) + '// any enum will do\n'.repeat(0)
  t.strictSame(tidy.checkShape([file('server/src/a.ts', fine)]), [])
  t.strictSame(tidy.checkShape([file('server/src/a.ts', "await Promise.any([]) // any 'any'")]), [])
})

t.test('HOUSE-5 what a browser loads needs nothing of Node', async (t) => {
  t.strictSame(tidy.checkBrowserGraph(sources), [])
})

t.test('HOUSE-5 a Node import deep in the graph is seen', async (t) => {
  const graph = (text: string): readonly string[] =>
    tidy.checkBrowserGraph([
      file('client-sdk/src/browser.ts', "export * from './client.js'\n"),
      file('client-sdk/src/client.ts', "import { x } from '@conclave/protocol'\n"),
      file('protocol/src/index.ts', text),
      file('client-sdk/src/transport/ws.ts', "import { WebSocket } from 'ws'\n"),
    ])
  t.strictSame(graph('export const x = 1\n'), [])
  t.equal(graph("import { x } from 'node:fs'\n").length, 1)
  t.equal(graph("import { x } from 'fs'\n").length, 1)
  t.equal(graph("import { x } from 'ws'\n").length, 1)
  t.equal(graph('export const x = Buffer.alloc(1)\n').length, 1)
  t.equal(graph("export * from './gone.js'\n").length, 1)
  t.equal(tidy.checkBrowserGraph([]).length, 1, 'no browser entry at all')
})

t.test('HOUSE-6 every rule has a test and every test names a rule', async (t) => {
  t.strictSame(checkRuleTests(readText('docs/SPEC.md'), readSources(['test'])), [])
})

t.test('HOUSE-6 a rule without a test and a test without a rule are seen', async (t) => {
  const spec = '- **TREE-1** One.\n- **TREE-2** Two.\n'
  const check = (text: string): readonly string[] => checkRuleTests(spec, [file('test/a.ts', text)])
  t.strictSame(check("t.test('TREE-1 a', f)\nit(`TREE-2 ${b}`, f)\n"), [])
  t.strictSame(check("test('TREE-1 TREE-2 both', f)\n"), [])
  t.match(check("t.test('TREE-1 a', f)\n"), [/^TREE-2: no test/])
  t.match(check("test('TREE-1, TREE-2: a', f)\nit('TREE-3 b', f)\n"), [/no rule TREE-3/])
  t.match(check("test('TREE-1 TREE-2', f)\nt.test('a title', f)\n"), [/:2: "a title" does not/])
  t.match(check("test('TREE-1 TREE-2', f)\nt.test(title, f)\n"), [/:2: a title that is no literal/])
  t.equal(checkRuleTests(spec + spec, []).length, 4, 'a rule that stands there twice')
})

t.test('HOUSE-7 source stands in the folders of the plan', async (t) => {
  t.strictSame(tidy.checkTopLevel(listFiles()), [])
})

t.test('HOUSE-7 source elsewhere and a compiled test without its source are seen', async (t) => {
  t.equal(tidy.checkTopLevel(['a.ts', 'scripts/b.mjs', 'README.md', 'test/c.ts']).length, 2)
  t.match(tidy.checkTopLevel(['test/dist/a.test.js', 'test/b.test.ts']), [/its source is gone/])
  t.strictSame(tidy.checkTopLevel(['test/dist/a.test.js', 'test/a.test.ts']), [])
})

t.test('HOUSE-8 every rule has a mutation that fits the sources', async (t) => {
  const spec = readText('docs/SPEC.md')
  t.strictSame(checkMutations(spec, [...(await recordedMutations()), ...bugs], readText), [])
})

t.test(
  'HOUSE-8 a rule that nothing breaks and a mutation that does not fit are seen',
  async (t) => {
    const spec = '- **TREE-1** One.\n- **TREE-2** Two.\n- **HOUSE-1** Of the house.\n'
    const mutation = { file: 'a.ts', before: 'x', after: 'y', test: 'a.test.js' }
    const check = (rule: string, source: string): readonly string[] =>
      checkMutations(
        spec,
        ['TREE-1', rule].map((id) => ({ ...mutation, rule: id })),
        () => source,
      )
    t.strictSame(check('TREE-2', 'a x b'), [])
    t.match(check('TREE-1', 'a x b'), [/^TREE-2: no mutation/])
    t.match(check('TREE-3', 'a x b'), [/^TREE-2: no mutation/, /^TREE-3: there is no such rule/])
    t.match(check('TREE-2', 'a x x b'), [/^a.ts: not once there, to break TREE-1/, /TREE-2/])
  },
)

t.test('HOUSE-1 HOUSE-2 comments, strings, templates and regexes are told apart', async (t) => {
  const blanks = (text: string): string => maskText(text).code.replace(/\s+/g, ' ').trim()
  t.equal(blanks("a('it // b') // c"), "a(' ')")
  t.equal(blanks('a(`x ${b({ c })} y`) /* d */ + e'), 'a(` ${b({ c })} `) + e')
  t.equal(blanks("a = /'[/]'/g.test(b) / c / d"), 'a = / /g.test(b) / c / d')
  t.equal(blanks("'\\'' + x"), "' ' + x")
  t.strictSame(importsOf("import a from 'x'\nconst b = \"import c from 'y'\"\n// from 'z'\n"), [
    'x',
  ])
})
