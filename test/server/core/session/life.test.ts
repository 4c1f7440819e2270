import t from 'tap'
import { create, ReplicaKit } from '../../../support/replica-kit.js'
import {
  ack,
  ping,
  probe,
  reattach,
  reconnect,
  requestOf,
  told,
  together,
} from '../../../support/session-kit.js'
import { closeSession } from '../../../support/tree-kit.js'

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

t.test('SESSION-14 nor one that came on another connection of the session', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.isDiskHeld = true
  client.send(closeSession)
  const again = reattach(client)
  again.frame(ping(1))
  again.frame(probe(2))
  t.same(told(again), ['probed 2'])
  kit.releaseDisk()
  t.same(told(again), ['sessionExpired closed complete [1:ok]', 'closing sessionEnded'])
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

t.test('SESSION-20 who did not send the closeSession learns of the end', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/a')
  kit.isDiskHeld = true
  client.send(closeSession)
  const again = reattach(client)
  again.frame(ack(1))
  kit.releaseDisk()
  t.same(told(again), ['sessionExpired closed complete [2:ok]', 'closing sessionEnded'])
  t.equal(again.closed, 'sessionEnded')
})

t.test('SESSION-20 who has sent it again gets its reply', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.isDiskHeld = true
  client.send(closeSession)
  const again = reattach(client)
  again.send(closeSession, 1)
  kit.releaseDisk()
  t.same(told(again), ['reply 1', 'closing sessionEnded'])
})

t.test('SESSION-20 a congested connection gets its reply too', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.step({ input: 'clientCongested', connection: client.connection, congested: true })
  client.send(closeSession)
  t.same(told(client), ['reply 1', 'closing sessionEnded'])
})
