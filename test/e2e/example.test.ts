import { readdirSync } from 'node:fs'
import { assign } from '#examples/sharded-kv/coordinator.js'
import { shards } from '#examples/sharded-kv/cluster.js'
import t from 'tap'
import { ExampleRun, processes } from '../support/example-run.js'
import { tempDirectory } from '../support/server-kit.js'

t.test('EXAMPLE-2 an interrupted story leaves nothing behind', async (t) => {
  const temporary = tempDirectory(t)
  const run = new ExampleRun(temporary)
  t.teardown(() => run.signal('SIGKILL'))
  await run.until('was elected coordinator')
  const children = run.children()
  t.ok(children.length >= 6, 'three servers, the storage and three nodes, one killed by now or not')
  t.teardown(() => {
    for (const { pid } of running(children)) process.kill(pid, 'SIGKILL')
  })
  for (const pid of children) process.kill(pid, 'SIGSTOP')
  run.signal('SIGINT')
  t.equal(await run.ended(), 130)
  t.match(run.said, /SIGINT: all processes are ended/)
  while (running(children).length > 0) await new Promise(setImmediate)
  t.strictSame(readdirSync(temporary), [])
})

const running = (pids: readonly number[]) => processes().filter(({ pid }) => pids.includes(pid))

t.test('EXAMPLE-3 every node gets its share, and nothing moves that need not', async (t) => {
  const countOf = (assignment: Readonly<Record<number, string>>, id: string): number =>
    Object.values(assignment).filter((one) => one === id).length
  const alone = assign({}, ['a'])
  t.equal(countOf(alone, 'a'), shards.length)
  const two = assign(alone, ['a', 'b'])
  t.strictSame([countOf(two, 'a'), countOf(two, 'b')], [4, 4])
  t.ok(shards.every((shard) => two[shard] === 'b' || two[shard] === alone[shard]))
  const three = assign(two, ['a', 'b', 'c'])
  t.strictSame(
    ['a', 'b', 'c'].map((id) => countOf(three, id)),
    [3, 3, 2],
  )
  t.equal(shards.filter((shard) => three[shard] !== two[shard]).length, 2)
  const left = assign(three, ['a', 'c'])
  t.strictSame([countOf(left, 'a'), countOf(left, 'c')], [4, 4])
  t.ok(shards.every((shard) => three[shard] === 'b' || left[shard] === three[shard]))
  t.strictSame(assign(left, ['a', 'c']), left)
  t.strictSame(assign(left, []), {})
})
