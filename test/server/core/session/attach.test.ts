import { limits, type SessionId, type Zxid } from '@conclave/protocol'
import t from 'tap'
import { create, ReplicaKit } from '../../../support/replica-kit.js'
import {
  ack,
  connectOf,
  ping,
  reattach,
  reconnect,
  requestOf,
  told,
  together,
} from '../../../support/session-kit.js'
import { closeSession, exists } from '../../../support/tree-kit.js'

t.test('SESSION-1 SESSION-21 a new session is named by the txn that created it', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.open()
  const { zxid } = kit.replica.status
  client.frame(connectOf(client, { sessionId: 0 as SessionId, attach: 1 }))
  t.same(client.take(), [
    {
      frame: 'connected',
      sessionId: zxid + 1,
      sessionTimeoutMs: 10_000,
      ensembleId: 'ensemble-of-the-tests',
      zxid: zxid + 1,
      serverId: 1,
      resumed: false,
      role: 'leading',
      epoch: 1,
    },
  ])
  t.equal(kit.log.at(-1)?.body.body, 'createSession')
  t.equal(kit.log.at(-1)?.zxid, zxid + 1)
})

t.test('SESSION-1 a session is there only once its txn is durable', async (t) => {
  const kit = new ReplicaKit()
  kit.isDiskHeld = true
  const client = kit.open()
  client.frame(connectOf(client, { sessionId: 0 as SessionId }))
  t.same(told(client), [])
  kit.releaseDisk()
  t.same(told(client), ['connected 2'])
})

t.test('SESSION-2 the timeout is what was asked for within the bounds', async (t) => {
  const kit = new ReplicaKit()
  for (const [asked, granted] of [
    [0, 1_000],
    [999, 1_000],
    [1_000, 1_000],
    [7_777, 7_777],
    [60_000, 60_000],
    [60_001, 60_000],
    [Number.MAX_SAFE_INTEGER, 60_000],
  ] as const) {
    const answer = kit.open().connect({ sessionTimeoutMs: asked })
    t.match(answer, { frame: 'connected', sessionTimeoutMs: granted }, `${asked}`)
  }
  const other = new ReplicaKit()
  const short = other.client({ sessionTimeoutMs: 2_000 })
  other.tick(40)
  t.equal(short.closed, undefined)
  other.tick()
  t.equal(short.closed, 'sessionEnded', 'and the granted one counts')
})

t.test('SESSION-3 a repeated connect finds the session already made', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { zxid } = kit.replica.status
  const again = reconnect(client, { sessionId: 0 as SessionId })
  t.same(told(again), [`connected ${client.sessionId} resumed`])
  t.equal(kit.replica.status.zxid, zxid)
  const stranger = kit.client()
  t.not(stranger.sessionId, client.sessionId)
})

t.test('SESSION-3 a repeated connect waits for the session that is being made', async (t) => {
  const kit = new ReplicaKit()
  const { zxid } = kit.replica.status
  kit.isDiskHeld = true
  const first = kit.open()
  first.frame(connectOf(first, { sessionId: 0 as SessionId, attach: 1 }))
  const second = reconnect(first, { sessionId: 0 as SessionId, attach: 2 })
  kit.releaseDisk()
  t.same(told(second), [`connected ${zxid + 1}`])
  t.equal(first.closed, 'sessionMoved')
  t.equal(kit.replica.status.zxid, zxid + 1)
  t.equal(kit.replica.status.sessions, 1)
})

t.test('SESSION-4 an attach resumes the session with its ephemerals', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/e', { kind: 'ephemeral' })
  kit.step({ input: 'clientLost', connection: client.connection })
  const again = reconnect(client)
  const { zxid } = kit.replica.status
  t.match(again.take(), [{ frame: 'connected', sessionId: client.sessionId, zxid, resumed: true }])
  t.equal(again.stat('/e')?.ephemeralOwner, client.sessionId)
  kit.tick(150)
  again.frame(ping(1))
  kit.tick(150)
  t.not(again.stat('/e'), null, 'the new connection keeps it alive')
})

t.test('SESSION-5 another nonce attaches to nothing and harms nothing', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const thief = reconnect(client, { nonce: new Uint8Array(32).fill(9) })
  t.same(told(thief), ['sessionExpired wrongNonce incomplete []', 'closing sessionEnded'])
  t.equal(thief.closed, 'sessionEnded')
  t.equal(client.closed, undefined)
  t.equal(client.code(create('/a')), null)
})

t.test('SESSION-6 a client of another ensemble is told so', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const lastZxidSeen = 1_000 as Zxid
  const lost = reconnect(client, { ensembleId: 'another', lastZxidSeen })
  t.same(told(lost), ['sessionExpired otherEnsemble incomplete []', 'closing sessionEnded'])
  t.equal(client.closed, undefined)
  t.same(told(reconnect(client, { ensembleId: 'ensemble-of-the-tests' })), ['connected 2 resumed'])
})

t.test('SESSION-7 a client that saw more than there is is told so', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { zxid } = kit.replica.status
  const lost = reconnect(client, { lastZxidSeen: (zxid + 1) as Zxid })
  t.same(told(lost), ['sessionExpired historyLost incomplete []', 'closing sessionEnded'])
  t.equal(client.closed, undefined)
  t.same(told(reconnect(client, { lastZxidSeen: zxid })), ['connected 2 resumed'])
})

t.test('SESSION-7 so is one whose session has ended: more may have been done in it', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.send(closeSession)
  client.take()
  const { zxid } = kit.replica.status
  const lost = reconnect(client, { lastZxidSeen: (zxid + 1) as Zxid })
  t.same(told(lost), ['sessionExpired historyLost incomplete []', 'closing sessionEnded'])
  const known = reconnect(client, { lastZxidSeen: zxid })
  t.match(told(known), [/^sessionExpired closed complete/, 'closing sessionEnded'])
})

t.test('SESSION-8 a newer connection takes the session over', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const again = reconnect(client, { attach: 2 })
  t.same(told(client), ['closing sessionMoved'])
  t.equal(client.closed, 'sessionMoved')
  t.same(told(again), ['connected 2 resumed'])
  t.equal(again.code(create('/a')), null)
  client.send(create('/b'))
  t.same(told(client), [], 'the old one is not heard any more')
  t.equal(again.stat('/b'), null)
})

t.test('SESSION-9 a connect with a lower attach is refused', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const newest = reattach(client, { attach: 5 })
  for (const sessionId of [client.sessionId, 0 as SessionId]) {
    const late = reconnect(client, { attach: 4, sessionId })
    t.same(told(late), ['closing sessionMoved'])
    t.equal(late.closed, 'sessionMoved')
  }
  t.equal(newest.closed, undefined)
  t.equal(newest.code(create('/a')), null)
})

t.test('SESSION-19 a write under an older attach is not proposed', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const { zxid } = kit.replica.status
  const newer = kit.open()
  together([
    [newer, connectOf(client, { attach: 2 })],
    [client, requestOf(create('/a'), 1)],
    [client, requestOf(exists('/a'), 2)],
  ])
  t.same(told(client), ['reply 1 sessionMoved', 'reply 2', 'closing sessionMoved'])
  t.same(told(newer), ['connected 2 resumed'])
  t.equal(kit.replica.status.zxid, zxid)
  newer.send(create('/a'), 1)
  t.same(told(newer), ['reply 1'], 'sent again on the new connection it runs')
})

t.test('SESSION-19 a held write is not proposed either once it may run', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  for (let i = 0; i < limits.resultsPerSessionMax; i++) client.send(create('/a'))
  client.take()
  const { zxid } = kit.replica.status
  client.send(create('/held'))
  const newer = kit.open()
  together([
    [newer, connectOf(client, { attach: 2 })],
    [client, ack(1)],
  ])
  t.same(told(client), ['reply 1001 sessionMoved', 'closing sessionMoved'])
  t.same(told(newer), ['connected 2 resumed'])
  t.equal(kit.replica.status.zxid, zxid)
})

t.test(
  'SESSION-22 while the disk is full no new session is made, and old ones attach',
  async (t) => {
    const kit = new ReplicaKit()
    const old = kit.client()
    kit.step({ input: 'diskSpace', ok: false })
    const fresh = kit.open()
    fresh.frame(connectOf(fresh, { sessionId: 0 as SessionId }))
    t.same(told(fresh), ['closing noSpace'])
    t.equal(fresh.closed, 'noSpace')
    t.match(reconnect(old).take(), [{ frame: 'connected', resumed: true }])
    kit.step({ input: 'diskSpace', ok: true })
    const later = kit.open()
    later.frame(connectOf(later, { sessionId: 0 as SessionId }))
    t.match(later.take(), [{ frame: 'connected', resumed: false }])
  },
)
