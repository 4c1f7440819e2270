import { limits, type MultiOp, type Op, type Xid, type Zxid } from '@conclave/protocol'
import t from 'tap'
import {
  type ClientKit,
  create,
  getData,
  remove,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'
import { rearm, reattach, told, unwatch, watch } from '../../../support/session-kit.js'
import { exists, multi, rewriteSnapshot } from '../../../support/tree-kit.js'

t.test('LIMIT-1 a session has at most 10,000 ephemerals', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const make = (from: number, count: number): Op =>
    multi(
      Array.from({ length: count }, (_, i): MultiOp => {
        return create(`/e${from + i}`, { kind: 'ephemeral' })
      }),
    )
  const full = limits.ephemeralsPerSessionMax
  for (let made = 0; made < full - 100; made += 100) {
    client.ok(make(made, 100))
    client.ackedXid = client.xid as Xid
  }
  client.take()
  kit.isDiskHeld = true
  client.send(make(full - 100, 100))
  client.send(create('/one-more', { kind: 'ephemeral' }))
  kit.releaseDisk()
  t.same(told(client), [`reply ${client.xid - 1}`, `reply ${client.xid} tooLarge`])
  t.equal(client.code(create('/lasting')), null, 'other kinds are not counted')
  t.equal(kit.client().code(create('/other', { kind: 'ephemeral' })), null, 'nor other sessions')
  client.ok({ op: 'delete', path: '/e0', version: -1 })
  t.equal(client.code(create('/one-more', { kind: 'ephemeral' })), null, 'one less, one more')
})

t.test('LIMIT-2 a multiRead that answers more than a reply holds is refused', async (t) => {
  const client = new ReplicaKit().client()
  client.create('/a', { data: new Uint8Array(limits.dataBytesMax / 2) })
  const multiRead = (count: number): Op => ({
    op: 'multiRead',
    reads: Array.from({ length: count }, () => ({ op: 'getData' as const, path: '/a' })),
    linearizable: false,
  })
  t.equal(client.code(multiRead(1)), null)
  t.equal(client.code(multiRead(2)), 'tooLarge')
  client.ok(setData('/a', new Uint8Array(1_000)))
  t.equal(client.code(multiRead(128)), null)
})

t.test('LIMIT-6 a connection that says nothing for 5 seconds is closed', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.open()
  const other = kit.client()
  kit.tick(limits.firstFrameMs / limits.tickMs - 1)
  t.equal(client.closed, undefined)
  kit.tick()
  t.equal(client.closed, 'timeout')
  t.same(told(client), ['closing timeout'])
  t.equal(other.closed, undefined, 'who has connected stays')
})

t.test('LIMIT-7 past 1,000 requests in flight nothing more is read from a client', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const other = kit.client()
  const of = (effect: string): readonly unknown[] =>
    kit.effects.filter((each) => each.effect === effect)
  kit.isDiskHeld = true
  const max = limits.requestsPerSessionMax
  client.send(create('/a'))
  for (let i = 1; i < max; i++) client.send(exists('/a'))
  t.same(of('pauseClient'), [])
  client.send(exists('/a'))
  const { connection } = client
  t.same(of('pauseClient'), [{ effect: 'pauseClient', connection }], 'once, and only this client')
  t.equal(other.stat('/a'), null, 'others are served')
  t.same(of('resumeClient'), [])
  kit.releaseDisk()
  t.same(of('resumeClient'), [{ effect: 'resumeClient', connection }])
  t.equal(told(client).length, max + 1, 'what was read is answered')
})

t.test('LIMIT-7 who has too much in flight is not kept alive by not being read', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  kit.isDiskHeld = true
  client.send(create('/a'))
  for (let i = 0; i < limits.requestsPerSessionMax; i++) client.send(exists('/a'))
  kit.tick(100)
  kit.releaseDisk()
  t.equal(client.closed, 'sessionEnded')
})

t.test('LIMIT-10 over the bound of the server only who has much queued is not read', async (t) => {
  const kit = new ReplicaKit()
  const [greedy, modest] = [kit.client({ sessionTimeoutMs: 1_000 }), kit.client()]
  kit.isDiskHeld = true
  const pauses = (): unknown[] => kit.effects.filter(({ effect }) => effect === 'pauseClient')
  const send = (client: ClientKit, xid: number, bytes: number): void => {
    const op = create(`/n${client.connection}-${xid}`)
    const xids = { xid: xid as Xid, ackedXid: 0 as Xid, refusedSeen: 0 as Xid }
    client.frame({ frame: 'request', ...xids, op }, bytes)
  }
  for (let i = 1; i <= 65; i++) send(greedy, i, 1_048_576)
  send(modest, 1, 100)
  t.match(pauses(), [{ connection: greedy.connection }])
  t.equal(pauses().length, 1)
  kit.tick(30)
  kit.releaseDisk()
  t.equal(greedy.closed, undefined, 'it cannot be heard for a reason that is not its own')
  t.ok(kit.effects.some(({ effect }) => effect === 'resumeClient'))
})

t.test('LIMIT-11 who is held for missing acknowledgements is read on, up to a bound', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const max = limits.resultsPerSessionMax
  for (let i = 0; i < max; i++) client.send(create(`/n${i}`))
  client.take()
  for (let i = 0; i < max + 10; i++) client.send(create(`/held${i}`))
  t.same(client.take(), [])
  const paused = (): unknown[] => kit.effects.filter(({ effect }) => effect === 'pauseClient')
  for (let i = 0; i < limits.requestsPerSessionMax; i++) client.send(create(`/more${i}`))
  t.same(paused(), [], 'or its acknowledgement would never be read')
  client.frame({ frame: 'ack', ackedXid: max as Xid })
  t.equal(client.take().length, max, 'the acknowledgement was read')
  const op = setData('/n0', null)
  for (let i = 0; i < 40 && client.closed === undefined; i++) {
    const xid = (max * 3 + limits.requestsPerSessionMax + i) as Xid
    const xids = { xid, ackedXid: 0 as Xid, refusedSeen: 0 as Xid }
    client.frame({ frame: 'request', ...xids, op }, 1_048_576)
  }
  t.equal(client.closed, 'slowConsumer')
})

t.test('LIMIT-8 a connection has at most 100,000 one-shot watches', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/a')
  const max = limits.watchesPerConnectionMax
  const paths = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `/w${from + i}`)
  for (let at = 0; at < max - 1; at += 3_333) {
    client.ok(rearm(1, { exists: paths(at, Math.min(3_333, max - 1 - at)) }))
  }
  t.equal(kit.replica.status.watches, max - 1)
  t.equal(client.code(rearm(1, { data: ['/a'], exists: ['/b'] })), 'tooLarge')
  t.equal(kit.replica.status.watches, max - 1, 'it set none of its own')
  t.equal(client.code(getData('/a', true)), null)
  t.equal(client.code(getData('/a', true)), null, 'the same watch again is no further one')
  t.equal(client.code({ ...exists('/b'), watch: true }), 'tooLarge')
  t.equal(kit.replica.status.watches, max)
  t.equal(client.code(exists('/b')), null)
  t.equal(kit.client().code(getData('/a', true)), null, 'each connection is counted by itself')
})

t.test('LIMIT-9 a connection has at most 1,000 streams', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const max = limits.streamsPerConnectionMax
  for (let streamId = 0; streamId < max; streamId++) client.ok(watch('/a', { streamId }))
  t.equal(client.code(watch('/a', { streamId: max })), 'tooLarge')
  t.equal(kit.replica.status.streams, max)
  client.ok(unwatch(5))
  t.equal(client.code(watch('/a', { streamId: max })), null)
})

/** A server whose last txn has this zxid. */
const serverAt = (zxid: number): { kit: ReplicaKit; client: ClientKit } => {
  const kit = new ReplicaKit({ snapshotTxns: 1 })
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  client.create('/e', { kind: 'ephemeral' })
  client.create('/container', { kind: 'container' })
  client.create('/container/x')
  client.ok(remove('/container/x'))
  rewriteSnapshot(kit, (entry) => entry, { zxid: zxid as Zxid })
  return { kit, client: reattach(client) }
}

const lastForWrites = limits.zxidMax - limits.zxidsForSessions

t.test('LIMIT-17 the last zxids are kept for sessions, and writes are refused', async (t) => {
  const { kit, client } = serverAt(lastForWrites - 2)
  t.equal(client.reply(create('/a')).zxid, lastForWrites - 1)
  t.equal(client.code(create('/a')), 'nodeExists')
  t.equal(kit.replica.status.zxid, lastForWrites)
  const advice = /numbers .* used up.*only be read: copy .* to a new one/
  t.match(client.refused(create('/b')), { code: 'tooLarge', message: advice })
  t.match(client.refused(create('/a')), { code: 'tooLarge' }, 'no refusal is logged either')
  const spent = kit.effects.flatMap((each) =>
    each.effect === 'trace' && each.trace.trace === 'zxidsSpent' ? [each.trace] : [],
  )
  t.match(spent, [{ zxid: lastForWrites, advice }], 'and the server says so once')
  kit.tick(2)
  t.not(client.stat('/container'), null, 'nor is anything reaped')
  const late = kit.client()
  t.equal(late.sessionId, lastForWrites + 1)
  t.not(late.stat('/a'), null)
  t.equal(late.code({ op: 'closeSession' }), null)
  kit.restart()
  t.match(kit.effects.at(-1), { trace: { trace: 'zxidsSpent' } }, 'again when it starts')
})

t.test('LIMIT-17 a zxid never wraps', async (t) => {
  const { kit, client } = serverAt(limits.zxidMax - 2)
  kit.tick(18)
  t.equal(kit.client().sessionId, limits.zxidMax - 1)
  t.equal(kit.client().sessionId, limits.zxidMax)
  const late = kit.open()
  late.connect()
  t.equal(late.closed, 'noQuorum', 'there is no number for a session')
  t.match(client.refused({ op: 'closeSession' }), { code: 'tooLarge' })
  kit.tick(100)
  const { zxid, sessions } = kit.replica.status
  t.same([zxid, sessions], [limits.zxidMax, 3], 'no session ends either')
  t.not(client.stat('/e'), null)
  kit.restart()
  t.equal(kit.replica.status.zxid, limits.zxidMax)
  t.not(reattach(client, { attach: 3 }).stat('/e'), null, 'and all is there')
})
