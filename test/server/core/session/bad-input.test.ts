import { closeCodes, closeReasons, limits, type SessionId, type Xid } from '@conclave/protocol'
import t from 'tap'
import {
  bytesOf,
  type ClientKit,
  create,
  getData,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'
import {
  ack,
  connectOf,
  ping,
  probe,
  reattach,
  reconnect,
  requestOf,
  told,
  watch,
} from '../../../support/session-kit.js'
import { closeSession, exists, multi } from '../../../support/tree-kit.js'

t.test('WIRE-8 a bad value of a good type is answered', async (t) => {
  const client = new ReplicaKit().client()
  for (const op of [
    create('no-slash'),
    getData('/a/'),
    exists('/a//b'),
    setData('/a', null, -2),
    create('/a', { ttlMs: 5 }),
    watch(''),
  ]) {
    t.equal(client.code(op), 'badArguments')
  }
  t.equal(client.closed, undefined)
  t.equal(client.code(create('/a')), null)
})

t.test('ACL-11 an auth with an unknown scheme is refused', async (t) => {
  const client = new ReplicaKit().client()
  const op = { op: 'auth', scheme: 'kerberos', user: 'u', password: 'p' } as const
  t.equal(client.code(op), 'authFailed')
  const { identities } = client.ok({ op: 'whoAmI' })
  t.same(identities, [{ scheme: 'ip', id: '127.0.0.1' }], 'it is nobody new')
})

t.test('WIRE-9 the first frame is connect', async (t) => {
  const kit = new ReplicaKit()
  for (const frame of [requestOf(exists('/a'), 1), ack(0), ping(1), probe(1)]) {
    const client = kit.open()
    client.frame(frame)
    t.same(told(client), ['closing badFrame'], frame.frame)
    t.equal(client.closed, 'badFrame')
  }
})

t.test('WIRE-9 nothing but a probe comes before the answer to the connect', async (t) => {
  const kit = new ReplicaKit()
  kit.isDiskHeld = true
  for (const frame of [requestOf(exists('/a'), 1), ack(0), ping(1), 'connect'] as const) {
    const client = kit.open()
    const connect = connectOf(client, { sessionId: 0 as SessionId })
    client.frame(connect)
    client.frame(frame === 'connect' ? connect : frame)
    t.same(told(client), ['closing badFrame'])
  }
})

t.test('WIRE-9 there is one connect', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.frame(connectOf(client))
  t.same(told(client), ['closing badFrame'])
  t.equal(client.closed, 'badFrame')
  t.same(told(reconnect(client)), ['connected 2 resumed'], 'the session lives on')
})

t.test('WIRE-10 another version of the protocol is refused', async (t) => {
  const kit = new ReplicaKit()
  for (const version of [0, 2]) {
    const client = kit.open()
    client.frame(connectOf(client, { version, sessionId: 0 as SessionId }))
    t.same(told(client), ['closing badVersion'])
    t.equal(client.closed, 'badVersion')
  }
  t.equal(closeCodes.badVersion, 4426)
  t.equal(kit.replica.status.sessions, 0)
})

t.test('WIRE-11 closing with the reason is the last word of every connection', async (t) => {
  t.same(closeCodes, {
    badFrame: 4400,
    timeout: 4407,
    slowConsumer: 4408,
    sessionMoved: 4409,
    sessionEnded: 4410,
    badVersion: 4426,
    tooManyConnections: 4429,
    shutdown: 4501,
    noQuorum: 4503,
    resync: 4504,
    noSpace: 4507,
    divided: 4508,
  })
  t.same([...closeReasons].sort(), Object.keys(closeCodes).sort())
  const ends: Readonly<Record<string, (kit: ReplicaKit, client: ClientKit) => void>> = {
    badFrame: (_, client) => client.frame(connectOf(client)),
    sessionMoved: (_, client) => void reconnect(client),
    sessionEnded: (_, client) => void client.send(closeSession),
    shutdown: (kit) => kit.step({ input: 'shutdown' }),
  }
  for (const [reason, end] of Object.entries(ends)) {
    const kit = new ReplicaKit()
    const client = kit.client()
    end(kit, client)
    client.send(exists('/a'))
    t.equal(told(client).at(-1), `closing ${reason}`)
    t.equal(client.closed, reason)
  }
})

t.test('WIRE-11 a server that stops answers what is in flight first', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.isDiskHeld = true
  client.send(create('/a'))
  kit.step({ input: 'shutdown' })
  t.same(told(client), [])
  t.same(told(kit.open()), ['closing shutdown'])
  kit.releaseDisk()
  t.same(told(client), ['reply 1', 'closing shutdown'])
})

t.test('WIRE-19 what was held or comes late at a shutdown is not executed', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/a')
  for (let i = 1; i < limits.resultsPerSessionMax; i++) client.send(create('/a'))
  client.take()
  const held = client.send(create('/held'))
  client.send(exists('/held'))
  kit.step({ input: 'shutdown' })
  t.same(told(client), ['closing shutdown'], 'it does not wait for an acknowledgement')
  kit.restart()
  const again = reattach(client)
  t.equal(again.stat('/held'), null)
  again.ackedXid = (held - 1) as Xid
  t.equal(again.reply(create('/held'), held).failure, null, 'it runs where it is sent again, once')
})

t.test('WIRE-19 a held write behind one in flight does not keep the connection open', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/a')
  for (let i = 2; i < limits.resultsPerSessionMax; i++) client.send(create('/a'))
  client.take()
  kit.isDiskHeld = true
  const last = client.send(create('/last'))
  client.send(create('/held'))
  kit.step({ input: 'shutdown' })
  client.send(create('/late'))
  t.same(told(client), [])
  kit.releaseDisk()
  t.same(told(client), [`reply ${last}`, 'closing shutdown'])
  const paths = kit.log.flatMap(({ body }) => (body.body === 'write' ? body.changes : []))
  t.match(paths.slice(-1), [{ path: '/last' }])
})

t.test('WIRE-19 at a shutdown a client that goes on sending is not waited for', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const connecting = kit.client()
  kit.isDiskHeld = true
  client.send(create('/a'))
  connecting.send(closeSession)
  const waiting = reconnect(connecting)
  kit.step({ input: 'shutdown' })
  t.same(told(waiting), ['closing shutdown'], 'a connect that waits is not answered')
  for (let i = 0; i < 5; i++) client.send(create('/a'))
  client.frame(ping(3))
  kit.releaseDisk()
  t.same(told(client), ['pong 3', 'reply 1', 'closing shutdown'])
  t.same(told(connecting), ['reply 1', 'closing sessionEnded'])
})

t.test('WIRE-12 bad input of one connection costs no other anything', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const bad = kit.client()
  kit.isDiskHeld = true
  client.send(create('/a'))
  bad.send(create('/b'))
  bad.frame(connectOf(bad))
  kit.releaseDisk()
  t.same(told(bad), ['closing badFrame'])
  t.same(told(client), ['reply 1'])
  client.frame(ping(1))
  t.same(told(client), ['pong 1'])
  t.not(client.stat('/b'), null, 'and what it had sent before is done')
})

t.test('WIRE-16 what is stored does not keep its message alive', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const message = new Uint8Array(1_000_000)
  const data = message.subarray(500, 510)
  const nonce = message.subarray(700, 732)
  data.set(bytesOf('0123456789'))
  client.create('/a', { data })
  client.create('/b')
  client.ok(setData('/b', data))
  client.ok(multi([create('/c', { data }), setData('/b', data)]))
  kit.open().connect({ nonce })
  const kept = kit.log.flatMap(({ body }) => {
    if (body.body === 'createSession') return [body.nonceHash]
    if (body.body !== 'write') return []
    return body.changes.flatMap((change) => ('data' in change ? [change.data] : []))
  })
  t.equal(kept.filter((bytes) => bytes !== null).length, 6)
  for (const bytes of kept) t.not(bytes?.buffer, message.buffer, 'not in the log and history')
  data.fill(0)
  for (const path of ['/a', '/b', '/c']) {
    const stored = client.ok(getData(path)).data
    t.same(stored, bytesOf('0123456789'), 'nor in the tree')
  }
})
