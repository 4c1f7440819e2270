import {
  limits,
  type MultiOp,
  type Op,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import t from 'tap'
import { Digest } from '#server/core/fingerprint.js'
import { SessionTable } from '#server/core/session/session-table.js'
import {
  bytesOf,
  type ClientKit,
  create,
  remove,
  ReplicaKit,
} from '../../../support/replica-kit.js'
import { ack, ping, probe, reattach, reconnect, told } from '../../../support/session-kit.js'
import { closeSession, exists, multi, rewriteSnapshot } from '../../../support/tree-kit.js'

const hour = limits.tombstoneAgeMsMax

/** Writes until the session holds as many results as it may. */
const fill = (client: ClientKit): void => {
  client.create('/full')
  for (let i = 1; i < limits.resultsPerSessionMax; i++) client.send(create('/full'))
  client.take()
}

/** The client is gone for good: no connection, no ping. */
const leave = (client: ClientKit): void => {
  const { kit, connection } = client
  kit.step({ input: 'clientLost', connection })
  kit.tick(limits.sessionTimeoutMsDefault / limits.tickMs + 2)
}

t.test('ONCE-10 who comes back to an ended session learns what became of each write', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  client.create('/acked')
  client.create('/done', { data: bytesOf('x') })
  client.send(remove('/none'), 3)
  client.take()
  kit.isDiskHeld = true
  client.send(create('/under-way'), 4)
  kit.step({ input: 'clientLost', connection: client.connection })
  kit.releaseDisk()
  leave(client)
  const late = reconnect(client, { ackedXid: 1 as Xid })
  t.same(late.closed, 'sessionEnded')
  const [frame] = late.take()
  t.match(frame, {
    frame: 'sessionExpired',
    reason: 'expired',
    complete: true,
    outcomes: [
      { xid: 2, failure: null, result: ['/done', Array] },
      { xid: 3, failure: { code: 'noNode' }, result: null },
      { xid: 4, failure: null, result: ['/under-way', Array] },
    ],
  })
  t.equal(frame?.frame === 'sessionExpired' && frame.outcomes.length, 3)
})

t.test('ONCE-10 a write that came after the end was never executed', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  kit.isDiskHeld = true
  client.send(create('/a'), 1)
  client.send(closeSession, 2)
  client.send(create('/late'), 3)
  const again = reconnect(client)
  kit.releaseDisk()
  t.same(told(client), ['reply 1', 'reply 2', 'closing sessionEnded'])
  t.same(told(again), ['sessionExpired closed complete [1:ok 2:ok]', 'closing sessionEnded'])
  t.equal(kit.client().stat('/late'), null)
})

t.test('ONCE-11 past the tombstone nothing is known', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const nobody = kit.open()
  nobody.sessionId = 77 as SessionId
  client.create('/a')
  leave(client)
  kit.tick(1, hour + 1)
  kit.client().create('/b')
  const unknown = ['sessionExpired unknown incomplete []', 'closing sessionEnded']
  t.same(told(reconnect(client)), unknown)
  t.same(told(reconnect(nobody)), unknown, 'never known')
})

t.test('ONCE-12 acked results do not count any more', async (t) => {
  const acknowledge: readonly ((client: ClientKit) => void)[] = [
    (client) => client.frame(ack(2)),
    (client) => client.frame(ping(1, 2)),
    (client) => {
      client.ackedXid = 2 as Xid
      client.send(exists('/none'))
    },
  ]
  for (const tell of acknowledge) {
    const client = new ReplicaKit().client()
    fill(client)
    client.send(create('/held-1'))
    client.send(create('/held-2'))
    client.send(create('/held-3'))
    t.same(told(client), [])
    tell(client)
    const replies = told(client).filter((line) => line.startsWith('reply'))
    t.same(replies, ['reply 1001', 'reply 1002'], 'two are acked, two run')
  }
})

t.test('ONCE-12 the next write removes acked results', async (t) => {
  const outcomes = (after: (client: ClientKit) => void): string | undefined => {
    const client = new ReplicaKit().client()
    for (const path of ['/a', '/b', '/c']) client.create(path)
    after(client)
    leave(client)
    return told(reconnect(client)).at(0)
  }
  t.equal(
    outcomes((client) => client.frame(ack(2))),
    'sessionExpired expired complete [1:ok 2:ok 3:ok]',
    'an ack alone changes no table',
  )
  t.equal(
    outcomes((client) => {
      client.frame(ack(2))
      client.create('/d')
    }),
    'sessionExpired expired complete [3:ok 4:ok]',
  )
})

t.test('ONCE-13 with 1,000 results the next write waits for an ack', async (t) => {
  const client = new ReplicaKit().client()
  fill(client)
  client.send(create('/held'))
  client.send(exists('/full'))
  client.frame(ping(7))
  client.frame(probe(8))
  t.same(told(client), ['pong 7', 'probed 8'], 'what comes behind a held write waits too')
  client.frame(ack(1))
  t.same(told(client), ['reply 1001', 'reply 1002'])
})

t.test('ONCE-13 with 256 KiB of results the next write waits for an ack', async (t) => {
  const part: MultiOp = { op: 'setData', path: '/a', data: null, version: -1 }
  const large: Op = multi(Array.from({ length: limits.multiOpsMax }, () => part))
  const ran = (client: ClientKit, isHeld: boolean): number => {
    client.create('/a')
    client.kit.isDiskHeld = isHeld
    for (let i = 0; i < 40; i++) client.send(large)
    client.kit.releaseDisk()
    return told(client).length
  }
  const oneByOne = new ReplicaKit().client()
  const count = ran(oneByOne, false)
  t.ok(count > 10 && count < 30, `${count} answers of about 16 KiB each`)
  oneByOne.frame(ack(3))
  t.same(told(oneByOne), [`reply ${count + 2}`, `reply ${count + 3}`], 'as many as were acked')
  t.equal(ran(new ReplicaKit().client(), true), count, 'those under way count as well')
})

t.test('ONCE-14 a tombstone goes after an hour', async (t) => {
  const kit = new ReplicaKit()
  const client = kit.client()
  const other = kit.client()
  client.ok(closeSession)
  kit.tick(1, hour)
  other.create('/at-the-hour')
  t.same(told(reconnect(client)).at(0), 'sessionExpired closed complete [1:ok]')
  kit.tick(1, 1)
  other.create('/after-it')
  t.same(told(reconnect(client)).at(0), 'sessionExpired unknown incomplete []')
})

t.test('ONCE-14 of more than 10,000 tombstones the oldest goes', async (t) => {
  const kit = new ReplicaKit()
  const ended: ClientKit[] = []
  while (ended.length < limits.tombstonesMax) {
    const client = kit.client()
    client.ok(closeSession)
    kit.step({ input: 'clientLost', connection: client.connection })
    ended.push(client)
  }
  const [first, second] = ended as [ClientKit, ClientKit]
  t.same(told(reconnect(first)).at(0), 'sessionExpired closed complete [1:ok]')
  kit.client().ok(closeSession)
  t.same(told(reconnect(first)).at(0), 'sessionExpired unknown incomplete []')
  t.same(told(reconnect(second)).at(0), 'sessionExpired closed complete [1:ok]')
})

t.test('ONCE-15 when tombstones have too many bytes of results the oldest goes', async (t) => {
  const sessions = new SessionTable(new Digest())
  const third = Math.floor(limits.tombstoneResultBytesMax / 3)
  const open = (id: number, bytes: number): void => {
    const sessionId = id as SessionId
    sessions.open(sessionId, 10_000, new Uint8Array(32).fill(id))
    const [xid, zxid] = [1 as Xid, id as Zxid]
    sessions.record(sessionId, 0 as Xid, { xid, zxid, failure: null, result: [], bytes })
  }
  const end = (id: number): void => {
    const closing = { expired: true, zxid: (100 + id) as Zxid, timeMs: 0 }
    sessions.close(id as SessionId, closing)
    sessions.prune(0)
  }
  const known = (): number[] =>
    [1, 2, 3, 4, 5].filter((id) => sessions.tombstone(id as SessionId) !== undefined)
  for (const id of [1, 2, 3]) open(id, third)
  open(4, 3)
  open(5, limits.tombstoneResultBytesMax)
  for (const id of [2, 1, 3]) end(id)
  t.same(known(), [1, 2, 3], 'just what they may have, whatever the open sessions hold')
  end(4)
  t.same(known(), [1, 3, 4], 'the oldest end goes first')
  end(5)
  t.same(known(), [5], 'a last one has room whole')
})

/**
 * A server on which sessions that are long silent hold answers of `bytes` in all, beside a client
 * and another one.
 */
const crowded = (bytes: number): { kit: ReplicaKit; clients: [ClientKit, ClientKit] } => {
  const kit = new ReplicaKit({ snapshotTxns: 1 })
  const before = [kit.client(), kit.client()]
  const silent = kit.client()
  silent.create('/silent')
  rewriteSnapshot(kit, (entry) => {
    if (entry.entry !== 'session' || entry.sessionId !== silent.sessionId) return entry
    return { ...entry, results: entry.results.map((result) => ({ ...result, bytes })) }
  })
  const [one, other] = before.map((client) => reattach(client)) as [ClientKit, ClientKit]
  return { kit, clients: [one, other] }
}

/** Its answer takes 32 + 128 bytes for each of them. */
const writes = (count: number): Op =>
  multi(
    Array.from({ length: count }, (): MultiOp => {
      return { op: 'setData', path: '/silent', data: null, version: -1 }
    }),
  )
const answerOf = (count: number): number => 32 + 128 * count
const { liveResultBytesMax, resultSharesOfFree, resultBytesGuaranteed } = limits
/** With so much in use each session may have `share`. */
const usedFor = (share: number): number => liveResultBytesMax - share * resultSharesOfFree

t.test('ONCE-17 a session has no more than its part of what is free for answers', async (t) => {
  const share = 2 * answerOf(100) + 500
  const { clients } = crowded(usedFor(share))
  const [client, other] = clients
  client.send(writes(100))
  client.send(writes(100))
  t.same(told(client), ['reply 1', 'reply 2'])
  client.send(writes(1))
  client.send(exists('/silent'))
  t.same(told(client), [], 'its next write is held, and what comes behind it')
  t.equal(other.code(writes(128)), null, 'nobody else is')
  client.frame(ack(1))
  t.same(told(client), ['reply 3', 'reply 4'], 'an acknowledgement makes room')
})

t.test('ONCE-17 answers under way take room from all', async (t) => {
  const share = answerOf(128) + 16
  const { kit, clients } = crowded(usedFor(share))
  const [client, other] = clients
  kit.isDiskHeld = true
  client.send(writes(128))
  other.send(writes(128))
  t.same(told(other), ['reply 1 throttled'], 'it has nothing to acknowledge, so it does not wait')
  kit.releaseDisk()
  t.same(told(client), ['reply 1'])
  client.ackedXid = 1 as Xid
  client.refusedSeen = 1 as Xid
  t.equal(client.code(writes(1)), null)
  other.refusedSeen = 1 as Xid
  t.equal(other.code(writes(128)), null, 'room again, and it was not executed before')
})

t.test('ONCE-17 a session has its guaranteed bytes though nothing is free', async (t) => {
  const { clients } = crowded(liveResultBytesMax + 1)
  const [client, other] = clients
  const count = Math.floor((resultBytesGuaranteed - 32) / 128)
  t.match(client.refused(writes(count + 1)), { code: 'throttled', message: /write less at once/ })
  client.refusedSeen = 1 as Xid
  t.equal(client.code(writes(count)), null)
  client.send(writes(1))
  t.same(told(client), [])
  client.frame(ack(2))
  t.same(told(client), ['reply 3'])
  t.equal(other.code(create('/other')), null)
})

t.test('ONCE-18 what clients have acknowledged is forgotten when answers are many', async (t) => {
  const outcomes = (bytes: number): readonly string[] => {
    const { kit, clients } = crowded(bytes)
    const [client] = clients
    for (const path of ['/a', '/b', '/c']) client.create(path)
    client.frame(ack(2))
    kit.tick(2)
    kit.restart()
    kit.tick(limits.sessionTimeoutMsDefault / limits.tickMs + 2)
    return told(reconnect(client))
  }
  const half = liveResultBytesMax / 2
  t.equal(outcomes(half + 1).at(0), 'sessionExpired expired complete [3:ok]')
  t.equal(outcomes(half - 1_000).at(0), 'sessionExpired expired complete [1:ok 2:ok 3:ok]')
})

t.test('ONCE-18 an acknowledgement by connect counts too, and makes room', async (t) => {
  const { kit, clients } = crowded(usedFor(answerOf(128)))
  const [, other] = clients
  const silent = new Map(kit.log.map((txn) => [txn.body.body, txn])).get('acknowledge')
  t.equal(silent, undefined)
  const [entry] = kit.snapshot?.entries.filter((each) => each.entry === 'session').slice(-1) ?? []
  if (entry?.entry !== 'session') throw new Error('there is no session')
  const back = kit.open()
  back.connect({
    sessionId: entry.sessionId,
    nonce: entry.nonceHash,
    attach: 2,
    ackedXid: 1 as Xid,
  })
  kit.tick()
  const acked = kit.log.flatMap(({ body }) => (body.body === 'acknowledge' ? body.acked : []))
  t.same(acked, [{ sessionId: entry.sessionId, ackedXid: 1 }])
  for (let i = 0; i < 10; i++) other.send(writes(128))
  t.equal(told(other).length, 10, 'as many as ever')
  kit.tick(20)
  const again = kit.log.filter(({ body }) => body.body === 'acknowledge')
  t.equal(again.length, 1, 'once')
})
