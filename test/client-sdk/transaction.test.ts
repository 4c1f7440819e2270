import { BadArgumentsError, FencedError, json, NodeExistsError, ref } from '#client/index.js'
import { failure } from '@conclave/protocol'
import t from 'tap'
import { answer, fakeStat } from '../support/fake-server.js'
import { opsOf, rejection, startPair } from './client-kit.js'

const stat = fakeStat({ version: 3, czxid: 41 })
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value)

t.test(
  'SDK-38 a transaction refers to names it makes, and gives what its writes gave',
  async (t) => {
    const { server, client } = await startPair(t, '/app')
    server.answerWith((op) =>
      op.op === 'multi'
        ? answer('multi', {
            branch: 'then',
            results: op.then.map((each) => ({
              path: each.op === 'create' ? '/app/jobs/j-0000000007' : null,
              stat: each.op === 'check' || each.op === 'delete' ? null : stat,
            })),
          })
        : null,
    )
    const results = await client
      .transaction()
      .check('/config', { version: 3 })
      .create('/jobs/j-', bytesOf('x'), { kind: 'sequential' })
      .set('/jobs/latest', ref(1))
      .create(ref(1, '/state'), { up: true }, { as: json })
      .delete('/old')
      .add({ path: '/leader', czxid: 41 })
      .commit()
    const job: string = results[0]
    t.strictSame([job, results[1], results[3]], ['/jobs/j-0000000007', stat, null])
    t.match(opsOf(server), [
      {
        fences: [{ path: '/app/leader', czxid: 41 }],
        // oxlint-disable-next-line unicorn/no-thenable -- the wire's name; a list, not a function
        then: [
          { op: 'check', path: '/app/config', version: 3 },
          { op: 'create', path: '/app/jobs/j-', kind: 'persistentSequential' },
          { op: 'setData', data: { index: 1, suffix: '' } },
          { op: 'create', path: { index: 1, suffix: '/state' }, data: bytesOf('{"up":true}') },
          { op: 'delete', path: '/app/old', version: -1 },
        ],
      },
    ])
  },
)

t.test('SDK-38 conditions choose the branch, and the result says which', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) =>
    op.op === 'multi'
      ? answer('multi', {
          branch: 'else',
          results: op.else.map(() => ({ path: '/x', stat })),
        })
      : null,
  )
  const outcome = await client
    .transaction()
    .set('/both', null)
    .if(
      [
        { path: '/owner', exists: false, version: 2 },
        { path: '/c', value: null },
      ],
      (branch) => branch.create('/owner'),
      (branch) => branch.check('/owner').setAcl('/owner', []),
    )
    .commit()
  t.strictSame(outcome, { branch: 'else', results: [stat, stat] })
  t.match(opsOf(server), [
    {
      compares: [
        { compare: 'exists', path: '/owner', equals: false },
        { compare: 'version', path: '/owner', equals: 2 },
        { compare: 'value', path: '/c', equals: null },
      ],
      // oxlint-disable-next-line unicorn/no-thenable -- the wire's name; a list, not a function
      then: [{ op: 'setData' }, { op: 'create' }],
      else: [{ op: 'setData' }, { op: 'check' }, { op: 'setAcl' }],
    },
  ])
})

t.test('SDK-38 a failed transaction names the operation and its path', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith(() => ({ failure: failure('nodeExists', undefined, 1) }))
  const failed = client.transaction().check('/a').create('/b').commit()
  const error = await rejection(failed)
  t.ok(error instanceof NodeExistsError)
  t.match(error, { index: 1, path: '/b' })
  server.answerWith(() => ({ failure: failure('fenced') }))
  const fenced = client.transaction().add({ path: '/l', czxid: 1 }).set('/x', null).commit()
  t.ok((await rejection(fenced)) instanceof FencedError)
  t.ok((await rejection(client.transaction().commit())) instanceof BadArgumentsError)
})

t.test('SDK-63 a failed transaction says what became of each operation', async (t) => {
  const { server, client } = await startPair(t, '/app')
  server.answerWith(() => ({ failure: failure('badVersion', undefined, 1) }))
  const start = () => client.transaction().create('/a').set('/b', null, { version: 3 })
  t.match(await rejection(start().delete('/c').commit()), {
    operations: [
      { path: '/a', code: 'rolledBack' },
      { path: '/b', code: 'badVersion' },
      { path: '/c', code: 'notAttempted' },
    ],
  })
  const either = start().if([{ path: '/x', exists: true }], (branch) => branch.delete('/c'))
  t.match(await rejection(either.commit()), { index: 1, path: '/b', operations: null })
  server.answerWith(() => ({ failure: failure('fenced') }))
  t.match(await rejection(start().commit()), { index: null, operations: null })
})

t.test('SDK-68 a conditional transaction and its origin go their own ways', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) =>
    op.op === 'multi'
      ? answer('multi', { branch: 'then', results: op.then.map(() => ({ path: null, stat })) })
      : null,
  )
  const origin = client.transaction().add({ path: '/both', czxid: 1 }).set('/a', null)
  const conditions = [{ path: '/x', exists: true }]
  const first = origin.if(conditions, (branch) => branch.set('/first', null))
  const second = origin.if(conditions, (branch) => branch)
  first.add({ path: '/first', czxid: 2 })
  origin.add({ path: '/origin', czxid: 3 }).set('/origin', null)
  for (const each of [first, second, origin]) await each.commit()
  const sent = opsOf(server).map((op) =>
    op.op === 'multi'
      ? [op.fences, op.then, op.else].map((ops) => ops.map(({ path }) => path))
      : [],
  )
  t.strictSame(sent, [
    [['/both', '/first'], ['/a', '/first'], ['/a']],
    [['/both'], ['/a'], ['/a']],
    [['/both', '/origin'], ['/a', '/origin'], []],
  ])
})

t.test('SDK-39 a multi-read gives each read its own outcome', async (t) => {
  const { server, client } = await startPair(t, '/app')
  const none = { failure: null, exists: null, getData: null, getChildren: null, getAcl: null }
  server.answerWith(() =>
    answer('multiRead', {
      results: [
        { ...none, getData: { data: bytesOf('5'), stat } },
        { ...none, exists: { stat: null } },
        { ...none, failure: failure('noNode', 'no /app/c') },
        { ...none, getChildren: { children: [{ name: 'k', stat: null }], cursor: null, stat } },
      ],
    }),
  )
  const [five, exists, missing, children] = await client.multiRead([
    { get: '/a', as: json<number>() },
    { exists: '/b' },
    { getAcl: '/c' },
    { list: '/d' },
  ])
  const value: number = five.ok ? five.value.data : 0
  t.equal(value, 5)
  t.strictSame(exists, { ok: true, value: null })
  t.strictSame(children, { ok: true, value: { children: ['k'], stat } })
  t.match(missing, { ok: false, error: { code: 'noNode', path: '/c', message: 'no /c' } })
  t.match(opsOf(server), [{ reads: [{ op: 'getData', path: '/app/a' }, {}, {}, {}] }])
})
