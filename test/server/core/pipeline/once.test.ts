import { limits, type Xid } from '@conclave/protocol'
import t from 'tap'
import { bytesOf, create, remove, ReplicaKit, setData } from '../../../support/replica-kit.js'
import { ack, reattach, requestOf, told, together } from '../../../support/session-kit.js'
import { exists } from '../../../support/tree-kit.js'

t.test('ONCE-1 a write up to the acked xid is dropped', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/a')
  client.ackedXid = 1 as Xid
  client.create('/b')
  const before = kit.replica.status.zxid
  client.send(create('/again'), 1)
  t.same(told(client), [], 'no reply')
  client.frame(ack(9))
  client.send(create('/later'), 9)
  t.same(told(client), [], 'also when only an ack frame has said so')
  t.equal(kit.replica.status.zxid, before)
  t.equal(client.code(create('/c')), null, 'later ones run')
})

t.test('ONCE-2 a write that was answered gets the same answer again', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const made = client.reply(create('/a-', { kind: 'persistentSequential' }))
  const refused = client.reply(create('/a-0000000000'))
  t.equal(refused.failure?.code, 'nodeExists')
  const before = kit.replica.status.zxid
  const again = reattach(client)
  for (const connection of [again, client, reattach(client, { attach: 3 })]) {
    if (connection.closed !== undefined) continue
    const repeated = create('/a-', { kind: 'persistentSequential' })
    t.same(connection.reply(repeated, 1).result, made.result)
    t.same(connection.reply(create('/a-0000000000'), 2).failure, refused.failure)
  }
  t.equal(kit.replica.status.zxid, before, 'nothing ran')
})

t.test('ONCE-3 a write under way does not run again and is answered once', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { zxid } = kit.replica.status
  kit.isDiskHeld = true
  client.send(create('/a'), 1)
  const again = reattach(client)
  again.send(create('/a'), 1)
  again.send(exists('/a'), 2)
  t.same(told(again), [], 'nothing is committed yet')
  kit.releaseDisk()
  t.same(told(again), ['reply 1', 'reply 2'])
  t.equal(kit.replica.status.zxid, zxid + 1)
  t.not(again.stat('/a'), null)
})

t.test('ONCE-3 the same write twice on one connection runs once', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { zxid } = kit.replica.status
  together([
    [client, requestOf(create('/a-', { kind: 'persistentSequential' }), 1)],
    [client, requestOf(create('/a-', { kind: 'persistentSequential' }), 1)],
  ])
  const paths = client.take().map((frame) => frame.frame === 'reply' && frame.result)
  t.equal(paths.length, 2)
  t.same(paths[0], paths[1])
  t.equal(kit.replica.status.zxid, zxid + 1)
})

t.test('ONCE-4 a write below the last one that left no trace never runs', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.send(create('/five'), 5)
  client.send(create('/four'), 4)
  t.same(told(client), ['reply 5', 'reply 4 notExecuted'])
  kit.isDiskHeld = true
  client.send(create('/nine'), 9)
  client.send(create('/eight'), 8)
  kit.releaseDisk()
  t.same(told(client), ['reply 9', 'reply 8 notExecuted'], 'also below one that is under way')
  const again = reattach(client)
  again.send(create('/four'), 4)
  t.same(told(again), ['reply 4 notExecuted'])
  t.same([again.stat('/four'), again.stat('/eight')], [null, null])
})

t.test('ONCE-5 a write above the last one runs, whatever numbers are left out', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  for (const xid of [1, 7, 1_000_000]) client.send(create(`/${xid}`), xid)
  t.same(told(client), ['reply 1', 'reply 7', 'reply 1000000'])
  kit.isDiskHeld = true
  for (const xid of [1_000_001, 1_000_005]) client.send(create(`/${xid}`), xid)
  kit.releaseDisk()
  t.same(told(client), ['reply 1000001', 'reply 1000005'])
  t.not(client.stat('/1000005'), null)
})

t.test('ONCE-6 a refusal by the state is logged and stays the answer', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const other = kit.client()
  const { zxid } = kit.replica.status
  client.send(remove('/a'), 1)
  t.same(told(client), ['reply 1 noNode'])
  t.equal(kit.replica.status.zxid, zxid + 1, 'it took a zxid')
  other.create('/a')
  const again = reattach(client)
  again.send(remove('/a'), 1)
  t.same(told(again), ['reply 1 noNode'], 'though it would succeed now')
  t.not(again.stat('/a'), null)
})

t.test('ONCE-7 a refusal by the request alone is not logged and stays the same', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { zxid } = kit.replica.status
  const large = new Uint8Array(limits.dataBytesMax + 1)
  const sent = (): string[] => {
    client.send(create('no-slash'), 1)
    client.send(create('/large', { data: large }), 2)
    return told(client)
  }
  t.same(sent(), ['reply 1 badArguments', 'reply 2 tooLarge'])
  t.same(sent(), ['reply 1 badArguments', 'reply 2 tooLarge'])
  client.send(create('/a'), 3)
  t.same(told(client), ['reply 3'], 'later writes need no refusedSeen')
  t.same(sent(), ['reply 1 badArguments', 'reply 2 tooLarge'])
  t.equal(kit.replica.status.zxid, zxid + 1)
})

t.test('ONCE-8 a transient refusal takes no zxid, and the same write may run later', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { zxid } = kit.replica.status
  kit.step({ input: 'diskSpace', ok: false })
  client.send(create('/a'), 1)
  client.send(create('/b'), 2)
  t.same(told(client), ['reply 1 noSpace', 'reply 2 throttled'])
  t.equal(kit.replica.status.zxid, zxid)
  kit.step({ input: 'diskSpace', ok: true })
  client.refusedSeen = 2 as Xid
  client.send(create('/a'), 1)
  client.send(create('/b'), 2)
  t.same(told(client), ['reply 1', 'reply 2'])
  t.equal(kit.replica.status.zxid, zxid + 2)
})

t.test('ONCE-9 after a transient refusal later writes are refused until it is seen', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.step({ input: 'diskSpace', ok: false })
  client.send(create('/a'), 1)
  kit.step({ input: 'diskSpace', ok: true })
  client.send(create('/b'), 2)
  client.send(exists('/a'), 3)
  t.same(told(client), ['reply 1 noSpace', 'reply 2 throttled', 'reply 3'], 'reads are served')
  client.refusedSeen = 1 as Xid
  client.send(create('/a'), 1)
  client.send(create('/d'), 4)
  t.same(told(client), ['reply 1 throttled', 'reply 4 throttled'], 'the second is not seen yet')
  client.refusedSeen = 4 as Xid
  client.send(create('/d'), 4)
  t.same(told(client), ['reply 4'])
  t.same(client.stat('/b'), null)
})

t.test('ONCE-9 a refused write that is sent again lowers nothing', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.step({ input: 'diskSpace', ok: false })
  for (const xid of [1, 2, 3]) client.send(create(`/${xid}`), xid)
  client.refusedSeen = 1 as Xid
  client.send(create('/1'), 1)
  kit.step({ input: 'diskSpace', ok: true })
  client.take()
  client.send(create('/4'), 4)
  t.same(told(client), ['reply 4 throttled'])
})

t.test('ONCE-9 what is in the table is answered, refused or not', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.send(create('/a'), 1)
  kit.step({ input: 'diskSpace', ok: false })
  const again = reattach(client)
  again.send(setData('/a', bytesOf('x')), 2)
  again.send(create('/a'), 1)
  t.same(told(again), ['reply 2 noSpace', 'reply 1'])
})

t.test('ONCE-9 what is under way or acknowledged is no later write', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/old')
  kit.isDiskHeld = true
  client.send(create('/a'), 2)
  kit.step({ input: 'diskSpace', ok: false })
  const again = reattach(client)
  again.send(setData('/a', bytesOf('x')), 3)
  again.send(create('/a'), 2)
  again.ackedXid = 1 as Xid
  again.send(create('/old'), 1)
  kit.releaseDisk()
  t.same(told(again), ['reply 3 noSpace', 'reply 2'])
})

t.test('ONCE-16 sessions, results and tombstones survive a restart', async (t) => {
  for (const snapshotTxns of [1_000_000, 3]) {
    const kit = new ReplicaKit({ snapshotTxns })
    const client = kit.client()
    const ended = kit.client()
    ended.create('/mine', { kind: 'ephemeral' })
    ended.ok({ op: 'closeSession' })
    const made = client.reply(create('/a-', { kind: 'persistentSequential' }))
    client.send(remove('/none'), 2)
    client.take()
    const { zxid, digest } = kit.replica.status
    const saved = kit.snapshot?.header.zxid ?? 0
    t.equal(saved > 0, snapshotTxns === 3, 'once from a snapshot, once from the log alone')
    kit.log = kit.log.filter((txn) => txn.zxid > saved)
    kit.restart()
    t.equal(kit.replica.status.digest, digest)
    const again = reattach(client)
    again.send(remove('/none'), 2)
    t.same(told(again), ['reply 2 noNode'])
    t.same(again.reply(create('/b'), 1).result, made.result)
    t.equal(kit.replica.status.zxid, zxid)
    const late = kit.open()
    late.connect({ sessionId: ended.sessionId, nonce: ended.nonce, attach: 2 })
    t.equal(late.closed, 'sessionEnded')
  }
})
