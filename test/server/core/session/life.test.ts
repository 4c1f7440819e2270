import { type SessionId, type Xid } from '@conclave/protocol'
import t from 'tap'
import { type ClientKit, create, getData, ReplicaKit } from '../../../support/replica-kit.js'
import {
  connectOf,
  ping,
  probe,
  reconnect,
  requestOf,
  told,
  together,
} from '../../../support/session-kit.js'
import { closeSession, fill, numbered } from '../../../support/tree-kit.js'

/** With a timeout of 1,000 ms. */
const ticksToExpire = 21

t.test('SESSION-10 a session without a connection expires after its timeout', async (t) => {
  const kit = new ReplicaKit()
  const other = kit.client()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  client.create('/e', { kind: 'ephemeral' })
  kit.step({ input: 'clientLost', connection: client.connection })
  kit.tick(ticksToExpire - 1)
  t.not(other.stat('/e'), null)
  kit.tick()
  t.equal(other.stat('/e'), null)
  t.equal(kit.replica.status.sessions, 1)
})

t.test('SESSION-10 a session that pings does not expire', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  for (let id = 0; id < 20; id++) {
    kit.tick(ticksToExpire - 2)
    client.frame(ping(id))
  }
  t.equal(client.closed, undefined)
  t.equal(told(client).length, 20)
})

t.test('SESSION-11 a connected client is told of the end', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  client.create('/a')
  kit.tick(ticksToExpire)
  t.same(told(client), ['sessionExpired expired complete [1:ok]', 'closing sessionEnded'])
  t.equal(client.closed, 'sessionEnded')
  t.same(told(reconnect(client)).at(0), 'sessionExpired expired complete [1:ok]')
})

t.test('SESSION-11 a write that comes while its session expires is refused', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  kit.isDiskHeld = true
  kit.tick(ticksToExpire)
  client.send(create('/late'))
  t.same(told(client), ['reply 1 sessionExpired'])
  kit.releaseDisk()
  t.same(told(client), ['sessionExpired expired complete []', 'closing sessionEnded'])
})

t.test('SESSION-12 closeSession ends the session and its ephemerals', async (t) => {
  const kit = new ReplicaKit()
  const other = kit.client()
  const client = kit.client()
  client.create('/e', { kind: 'ephemeral' })
  client.create('/p')
  client.send(closeSession)
  t.same(told(client), ['reply 3', 'closing sessionEnded'])
  t.equal(client.closed, 'sessionEnded')
  t.equal(other.stat('/e'), null)
  t.not(other.stat('/p'), null)
  t.same(told(reconnect(client)), [
    'sessionExpired closed complete [1:ok 2:ok 3:ok]',
    'closing sessionEnded',
  ])
})

t.test('SESSION-12 an ephemeral on its way ends with the session, too', async (t) => {
  const kit = new ReplicaKit()
  const [client, other] = [kit.client(), kit.client()]
  kit.isDiskHeld = true
  client.send(create('/e', { kind: 'ephemeral' }))
  client.send(closeSession)
  kit.releaseDisk()
  t.same(told(client), ['reply 1', 'reply 2', 'closing sessionEnded'])
  t.equal(other.stat('/e'), null)
})

t.test('SESSION-12 nothing behind a closeSession is answered', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  together([
    [client, requestOf(create('/a'), 1)],
    [client, requestOf(closeSession, 2)],
    [client, requestOf(getData('/a'), 3)],
    [client, requestOf(create('/b'), 4)],
    [client, requestOf(create('/a'), 1)],
  ])
  t.same(told(client), ['reply 1', 'reply 2', 'closing sessionEnded'])
  t.same(told(reconnect(client)), [
    'sessionExpired closed complete [1:ok 2:ok]',
    'closing sessionEnded',
  ])
})

t.test('SESSION-13 a ping is answered with its id and the zxid', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.client().create('/a')
  client.frame(ping(42))
  const { zxid } = kit.replica.status
  t.same(client.take(), [{ frame: 'pong', id: 42, zxid }])
  together([
    [client, ping(43)],
    [client, ping(44)],
  ])
  t.same(told(client), ['pong 43', 'pong 44'], 'each of them, in order')
})

t.test('SESSION-14 no ping is answered while a closeSession is outstanding', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.isDiskHeld = true
  client.send(closeSession)
  client.frame(ping(1))
  t.same(told(client), [])
  kit.releaseDisk()
  t.same(told(client), ['reply 1', 'closing sessionEnded'])
})

t.test('SESSION-14 nor is a connect of that session', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const repeated = kit.client()
  kit.isDiskHeld = true
  client.send(closeSession)
  repeated.send(closeSession)
  const again = reconnect(client)
  const created = reconnect(repeated, { sessionId: 0 as SessionId, ackedXid: 1 as Xid })
  again.frame(probe(2))
  t.same(told(again), ['probed 2'])
  t.same(told(created), [], 'nor one that asks for its creation again')
  kit.tick(10)
  t.same(told(again), [])
  kit.releaseDisk()
  t.same(told(again), ['sessionExpired closed complete [1:ok]', 'closing sessionEnded'])
  t.same(told(created), ['sessionExpired closed complete []', 'closing sessionEnded'])
  t.equal(kit.replica.status.sessions, 0)
})

t.test('SESSION-14 nor a connect whose round began before the closeSession', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.isDiskHeld = true
  const waiting = kit.open()
  together([
    [waiting, connectOf(client, { attach: 1 })],
    [client, requestOf(closeSession, 1)],
  ])
  t.same(told(waiting), [])
  kit.releaseDisk()
  t.same(told(client), ['reply 1', 'closing sessionEnded'])
  t.same(told(waiting), ['sessionExpired closed complete [1:ok]', 'closing sessionEnded'])
})

t.test('SESSION-15 a probe is answered at once', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.isDiskHeld = true
  together([
    [client, requestOf(create('/a'), 1)],
    [client, probe(9)],
  ])
  t.same(client.take(), [{ frame: 'probed', id: 9 }])
  const connecting = reconnect(kit.open(), { attach: 1 })
  connecting.frame(probe(10))
  t.same(told(connecting), ['probed 10'], 'also before the session is there')
  kit.releaseDisk()
  t.same(told(connecting), ['connected 4'])
  t.same(told(client), ['reply 1'])
})

t.test('SESSION-15 a probe does not keep a session alive', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  for (let i = 0; i < ticksToExpire; i++) {
    client.frame(probe(i))
    kit.tick()
  }
  t.equal(client.closed, 'sessionEnded')
})

t.test('SESSION-16 a stall of the server expires no session by itself', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  kit.tick(1, 3_600_000)
  t.equal(client.closed, undefined)
  kit.tick(ticksToExpire - 3)
  t.equal(client.closed, undefined, 'an hour counted as two ticks')
  kit.tick()
  t.equal(client.closed, 'sessionEnded')
})

t.test('SESSION-16 what came in during a stall is heard before anything expires', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  kit.tick(ticksToExpire - 1)
  kit.nowMs += 50
  kit.replica.step({ input: 'tick', nowMs: kit.nowMs, wallMs: kit.wallMs })
  client.frame(ping(1))
  t.same(told(client), ['pong 1'])
})

t.test('SESSION-17 after a restart every session has its full timeout again', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  client.create('/e', { kind: 'ephemeral' })
  kit.tick(ticksToExpire - 1)
  kit.restart()
  t.equal(kit.replica.status.sessions, 1)
  kit.tick(ticksToExpire - 1)
  t.equal(kit.replica.status.sessions, 1)
  kit.tick()
  t.equal(kit.replica.status.sessions, 0, 'and no more than that')
})

t.test('SESSION-20 who connects during a closeSession learns of the end', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/a')
  client.create('/b')
  kit.isDiskHeld = true
  client.send(closeSession)
  const [first, second] = [reconnect(client), reconnect(client, { attach: 3, ackedXid: 1 as Xid })]
  t.equal(client.closed, undefined, 'the session has not moved')
  kit.step({ input: 'clientLost', connection: first.connection })
  kit.releaseDisk()
  const end = 'closing sessionEnded'
  t.same(told(client), ['reply 3', end])
  t.same(told(first), [])
  t.same(told(second), ['sessionExpired closed complete [2:ok 3:ok]', end])
})

t.test('SESSION-20 who connects while the session expires learns of it', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client({ sessionTimeoutMs: 1_000 })
  client.create('/a')
  kit.step({ input: 'clientLost', connection: client.connection })
  kit.isDiskHeld = true
  kit.tick(ticksToExpire)
  const again = reconnect(client)
  t.same(told(again), [])
  kit.releaseDisk()
  t.same(told(again), ['sessionExpired expired complete [1:ok]', 'closing sessionEnded'])
})

t.test('SESSION-20 a congested connection gets its reply too', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.step({ input: 'clientCongested', connection: client.connection, congested: true })
  client.send(closeSession)
  t.same(told(client), ['reply 1', 'closing sessionEnded'])
})

t.test('SESSION-23 many sessions that expire together end over several drains', async (t) => {
  const kit = new ReplicaKit()
  const sessions = 2_500
  const clients = Array.from({ length: sessions }, () => kit.client({ sessionTimeoutMs: 1_000 }))
  const [heard] = clients.slice(-1) as [ClientKit]
  kit.tick(ticksToExpire - 1)
  const drains: number[] = []
  kit.replica.step({ input: 'tick', nowMs: kit.nowMs + 50, wallMs: kit.wallMs + 50 })
  for (let again = true; again;) {
    const effects = kit.replica.drain()
    const persist = effects.flatMap((each) => (each.effect === 'persist' ? [each] : []))
    drains.push(persist.flatMap(({ txns }) => txns).length)
    again = effects.some(({ effect }) => effect === 'again')
    if (drains.length === 1) {
      const { connection } = heard
      kit.replica.step({ input: 'clientFrame', connection, frame: ping(1), bytes: 100 })
    }
  }
  t.same(drains, [1_000, 1_000, 499], 'one that is heard of before its turn lives on')
})

t.test('SESSION-23 what goes with a session counts, and it goes whole', async (t) => {
  const kit = new ReplicaKit()
  const clients = Array.from({ length: 5 }, () => kit.client({ sessionTimeoutMs: 1_000 }))
  for (const [i, client] of clients.entries()) {
    fill(
      client,
      numbered(i === 0 ? 1_500 : 400, (n) => `/e-${i}-${n}`),
      'ephemeral',
    )
  }
  kit.tick(ticksToExpire - 1)
  for (const client of clients) client.frame(ping(1))
  kit.tick(ticksToExpire - 1)
  kit.replica.step({ input: 'tick', nowMs: kit.nowMs + 50, wallMs: kit.wallMs + 50 })
  const drains: number[][] = []
  for (let again = true; again;) {
    const effects = kit.replica.drain()
    again = effects.some(({ effect }) => effect === 'again')
    const txns = effects.flatMap((each) => (each.effect === 'persist' ? each.txns : []))
    drains.push(txns.map(({ body }) => (body.body === 'closeSession' ? body.changes.length : -1)))
  }
  t.same(drains, [[1_500], [400, 400, 400], [400]])
})

t.test('SESSION-23 a full disk ends no session, however many are due', async (t) => {
  const kit = new ReplicaKit()
  for (let i = 0; i < 1_200; i++) kit.client({ sessionTimeoutMs: 1_000 })
  kit.tick(ticksToExpire - 1)
  kit.replica.step({ input: 'tick', nowMs: kit.nowMs + 50, wallMs: kit.wallMs + 50 })
  kit.replica.drain()
  kit.replica.step({ input: 'diskSpace', ok: false })
  const effects = kit.replica.drain()
  t.notOk(effects.some(({ effect }) => effect === 'persist' || effect === 'again'))
  kit.replica.step({ input: 'diskSpace', ok: true })
  t.ok(kit.replica.drain().some(({ effect }) => effect === 'persist'))
})
