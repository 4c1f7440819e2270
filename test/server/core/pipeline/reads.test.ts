import t from 'tap'
import type { MultiReadOp, Op, ServerFrame } from '@conclave/protocol'
import { bytesOf, create, getChildren, getData, ReplicaKit } from '../../../support/replica-kit.js'
import { setData } from '../../../support/replica-kit.js'
import { requestOf, together, told } from '../../../support/session-kit.js'
import { auth, exists, statOf, whoAmI, world } from '../../../support/tree-kit.js'

const multiRead = (...reads: MultiReadOp[]): Op<'multiRead'> => ({
  op: 'multiRead',
  reads,
  linearizable: false,
})

const zxidsOf = (frames: readonly ServerFrame[]): number[] =>
  frames.flatMap((frame) => ('zxid' in frame ? [frame.zxid] : []))

t.test('READ-1 every reply has the zxid of its answer, and it never falls', async (t) => {
  const kit = new ReplicaKit()
  const [client, other] = [kit.client(), kit.client()]
  const { zxid } = kit.replica.status
  t.equal(client.reply(exists('/')).zxid, zxid)
  t.equal(client.reply(create('/a')).zxid, zxid + 1)
  t.equal(client.reply(create('/a')).zxid, zxid + 2, 'a refusal by the state has its own')
  t.equal(client.reply(create('bad')).zxid, zxid + 2, 'one by the request alone has none')
  other.create('/b')
  t.equal(client.reply(whoAmI).zxid, zxid + 3)
  kit.isDiskHeld = true
  client.send(setData('/a', null))
  client.send(setData('bad', null))
  client.send({ op: 'removeWatches', path: '/a', kind: 'any' })
  client.send(auth('ann', 'secret'))
  client.send(create('/c'))
  t.same(client.take(), [], 'nothing is answered before the first write is')
  kit.releaseDisk()
  const zxids = zxidsOf(client.take())
  t.equal(zxids.length, 5)
  t.same(
    zxids,
    [4, 4, 4, 4, 5].map((more) => zxid + more),
  )
})

t.test(
  'READ-2 replies leave in the order of the requests, and reads see what is before',
  async (t) => {
    const kit = new ReplicaKit()
    const client = kit.client()
    kit.isDiskHeld = true
    const value = (text: string): Op => setData('/a', bytesOf(text))
    const ops = [create('/a', { data: bytesOf('0') }), getData('/a'), value('1'), getData('/a')]
    const sent = [...ops, getData('bad'), value('2'), getData('/a')].map((op) => client.send(op))
    t.same(client.take(), [])
    kit.releaseDisk()
    const replies = client.take().filter((frame) => frame.frame === 'reply')
    t.same(
      replies.map(({ xid }) => xid),
      sent,
    )
    const seen = [1, 3, 6].map((at) => (replies[at]?.result as [Uint8Array] | undefined)?.[0])
    t.same(seen, ['0', '1', '2'].map(bytesOf), 'all before, and none after')
  },
)

t.test(
  'READ-5 getChildren gives names, the stat of the parent, and stats on request',
  async (t) => {
    const client = new ReplicaKit().client()
    client.create('/p', { data: bytesOf('xy') })
    const made = ['z', 'a', 'm'].map((name) => client.create(`/p/${name}`).stat)
    client.create('/p/z/below')
    const stat = statOf(client, '/p')
    t.strictSame(client.ok(getChildren('/p')), {
      children: ['z', 'a', 'm'].map((name) => ({ name, stat: null })),
      cursor: null,
      stat,
    })
    t.strictSame(client.ok(getChildren('/p', { withStat: true })), {
      children: [
        { name: 'z', stat: statOf(client, '/p/z') },
        { name: 'a', stat: made[1] },
        { name: 'm', stat: made[2] },
      ],
      cursor: null,
      stat,
    })
    t.strictSame(client.ok(getChildren('/p/a')).children, [])
  },
)

t.test('READ-14 multiRead answers each read for itself', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/p', { data: bytesOf('xy') })
  client.create('/p/a')
  client.create('/closed', { acl: world(16) })
  const { results } = client.ok(
    multiRead(
      ...(['/p', '/absent', '/closed'].flatMap((path) => [
        { op: 'exists', path },
        { op: 'getData', path },
        { op: 'getChildren', path },
        { op: 'getAcl', path },
      ]) as MultiReadOp[]),
    ),
  )
  const stat = statOf(client, '/p')
  const only = (field: object): object => ({
    failure: null,
    exists: null,
    getData: null,
    getChildren: null,
    getAcl: null,
    ...field,
  })
  t.strictSame(results.slice(0, 5), [
    only({ exists: { stat } }),
    only({ getData: { data: bytesOf('xy'), stat } }),
    only({ getChildren: { children: [{ name: 'a', stat: null }], cursor: null, stat } }),
    only({ getAcl: { acl: world(31), stat } }),
    only({ exists: { stat: null } }),
  ])
  const codes = results.map((result) => result.failure?.code ?? null)
  const absent = [null, 'noNode', 'noNode', 'noNode']
  t.same(codes, [null, null, null, null, ...absent, 'noAuth', 'noAuth', 'noAuth', null])
  t.ok(results.every((result) => Object.values(result).filter((f) => f !== null).length === 1))
})

t.test('READ-15 whoAmI tells session and identities', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.open('192.0.2.7')
  client.connect()
  const { identity } = client.ok(auth('ann', 'secret'))
  t.strictSame(client.ok(whoAmI), {
    sessionId: client.sessionId,
    identities: [{ scheme: 'ip', id: '192.0.2.7' }, identity],
  })
})

t.test('READ-17 a bad path fails its own read, more than 128 reads all', async (t) => {
  const client = new ReplicaKit().client()
  const bad = ['', 'a', '/a/', '/a//b'].flatMap((path): MultiReadOp[] => [
    { op: 'exists', path },
    { op: 'getData', path },
    { op: 'getChildren', path },
    { op: 'getAcl', path },
  ])
  const { results } = client.ok(multiRead({ op: 'exists', path: '/' }, ...bad))
  t.equal(results[0]?.failure, null)
  for (const { failure } of results.slice(1))
    t.match(failure, { code: 'badArguments', index: null })
  const reads = (count: number): MultiReadOp[] =>
    Array.from({ length: count }, () => ({ op: 'exists', path: '/' }))
  t.equal(client.ok(multiRead(...reads(128))).results.length, 128)
  t.equal(client.code(multiRead(...reads(129))), 'tooLarge')
})

t.test('ERROR-1 a failed reply is a failure and a nil result', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const ops: [Op, string][] = [
    [create('/absent/a'), 'noNode'],
    [create('bad'), 'badArguments'],
    [getData('/absent'), 'noNode'],
    [{ op: 'removeWatches', path: '/', kind: 'any' }, 'noWatcher'],
    [{ op: 'auth', scheme: 'x', user: 'u', password: 'p' }, 'authFailed'],
  ]
  for (const [op, code] of ops) {
    const { frame, xid, failure, result } = client.reply(op)
    t.same([frame, xid, result], ['reply', client.xid, null])
    t.same(Object.keys(failure ?? {}), ['code', 'message', 'index'])
    t.match(failure, { code, message: /^.{10,}$/, index: null }, op.op)
  }
  const { failure, result } = client.reply(create('/a'))
  t.same([failure, Array.isArray(result)], [null, true])
})

t.test('ERROR-4 a refusal leaves the connection open', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const refused = [
    create('bad'),
    create('/absent/a'),
    getData('/absent'),
    create('/x', { acl: [] }),
  ]
  kit.isDiskHeld = true
  for (const op of refused) {
    client.send(op)
    client.send(exists('/'))
  }
  kit.releaseDisk()
  const failed = client.take().map((frame) => frame.frame === 'reply' && frame.failure !== null)
  t.same(failed, [true, false, true, false, true, false, true, false])
  t.equal(client.closed, undefined)
  t.equal(client.create('/later').path, '/later')
})

t.test('READ-18 linearizable reads sent together are answered without a tick', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  together([
    [client, requestOf(exists('/', true), 1)],
    [client, requestOf(exists('/a', true), 2)],
    [client, requestOf(create('/a'), 3)],
    [client, requestOf(exists('/a', true), 4)],
  ])
  t.same(told(client), ['reply 1', 'reply 2', 'reply 3', 'reply 4'])
})
