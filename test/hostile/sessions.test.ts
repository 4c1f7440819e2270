import { limits, type SessionId } from '@conclave/protocol'
import t from 'tap'
import {
  attachRaw,
  connectFrame,
  createOp,
  existsOp,
  openRaw,
  requestFrame,
} from '../support/raw-client.js'
import { goneWith, startTarget } from './hostile-kit.js'

const target = await startTarget(t)
const nonce = new Uint8Array(16).fill(1)
const owner = await attachRaw(t, target.port, { nonce })
const { sessionId, ensembleId } = owner.connected
await owner.result({ ...createOp('/owned'), kind: 'ephemeral' })
const attack = { nonce, sessionId, ensembleId, attach: 2 }
const next = (change: number): SessionId => (sessionId + change) as SessionId

/** What a stranger may try, and what it is told. */
const thefts = [
  { name: 'the id and a nonce of zeros', with: { nonce: new Uint8Array(16) }, why: 'wrongNonce' },
  { name: 'a nonce off by one bit', with: { nonce: nonce.with(15, 0) }, why: 'wrongNonce' },
  { name: 'the next id with this nonce', with: { sessionId: next(10_000) }, why: 'unknown' },
  { name: 'the highest id', with: { sessionId: next(2 ** 53 - 1 - sessionId) }, why: 'unknown' },
  { name: 'the id of a txn that is no session', with: { sessionId: 1 }, why: 'unknown' },
  { name: 'another ensemble', with: { ensembleId: 'x' }, why: 'otherEnsemble' },
  {
    name: 'an ensemble named like the prototype',
    with: { ensembleId: '__proto__' },
    why: 'otherEnsemble',
  },
  { name: 'a history from the future', with: { lastZxidSeen: 2 ** 53 - 1 }, why: 'historyLost' },
  {
    name: 'the highest attach and a wrong nonce',
    with: { attach: 2 ** 53 - 1, nonce: nonce.with(0, 9) },
    why: 'wrongNonce',
  },
] as const

for (const theft of thefts) {
  t.test(`SESSION-5 SESSION-6 SESSION-7 ONCE-11 ${theft.name}`, async (t) => {
    const thief = await openRaw(t, target.port)
    thief.send(connectFrame({ ...attack, ...(theft.with as object) }))
    const expired = await thief.next('sessionExpired')
    t.strictSame([expired.reason, expired.complete, expired.outcomes], [theft.why, false, []])
    await goneWith(t, thief, 'sessionEnded')
    const { stat } = await owner.result<'exists'>(existsOp('/owned'))
    t.equal(stat?.ephemeralOwner, sessionId, 'its session lives on, on its connection')
    await target.progress()
  })
}

t.test('SESSION-9 a connection older than the newest gets nothing', async (t) => {
  const late = await openRaw(t, target.port)
  late.send(connectFrame({ ...attack, attach: 0 }))
  await goneWith(t, late, 'sessionMoved')
  t.equal((await owner.ask(existsOp('/owned'))).failure, null)
})

t.test('SESSION-2 timeouts of nothing and of 2^53 - 1 are drawn into the bounds', async (t) => {
  const bounds = [
    [0, limits.sessionTimeoutMsMin],
    [2 ** 32, limits.sessionTimeoutMsMax],
    [2 ** 53 - 1, limits.sessionTimeoutMsMax],
  ] as const
  for (const [sessionTimeoutMs, granted] of bounds) {
    const client = await attachRaw(t, target.port, { sessionTimeoutMs })
    t.equal(client.connected.sessionTimeoutMs, granted)
    client.send(requestFrame(1, { op: 'closeSession' }))
    await client.closed
  }
  await target.progress()
})

t.test('WIRE-9 what comes before a session, or for a second one, is a fault', async (t) => {
  const early = [requestFrame(1, existsOp('/')), { frame: 'ack', ackedXid: 1 } as never]
  for (const frame of early) {
    const client = await openRaw(t, target.port)
    client.send(frame)
    await goneWith(t, client, 'badFrame')
  }
  const twice = await attachRaw(t, target.port)
  twice.send(connectFrame())
  await goneWith(t, twice, 'badFrame')
  const both = await openRaw(t, target.port)
  both.send(connectFrame(), connectFrame())
  await goneWith(t, both, 'badFrame')
  const impatient = await openRaw(t, target.port)
  impatient.send(connectFrame(), requestFrame(1, createOp('/early')))
  await goneWith(t, impatient, 'badFrame')
  const { stat } = await owner.result<'exists'>(existsOp('/early'))
  t.equal(stat, null)
  await target.progress()
})

t.test('SESSION-3 one nonce on a hundred connections is one session', async (t) => {
  const shared = new Uint8Array(16).fill(2)
  const before = target.status().sessions
  const all = await Promise.all(Array.from({ length: 100 }, () => openRaw(t, target.port)))
  for (const [i, client] of all.entries()) client.send(connectFrame({ nonce: shared, attach: i }))
  await Promise.race(
    all.map((client) => client.next('connected').catch(() => new Promise(() => {}))),
  )
  t.equal(target.status().sessions, before + 1)
  for (const client of all) client.socket.terminate()
  await target.progress()
})

t.test('ONCE-1 ONCE-5 acknowledgements and numbers that nobody can have', async (t) => {
  const highest = 2 ** 53 - 1
  const client = await attachRaw(t, target.port)
  client.send({ frame: 'ack', ackedXid: highest as never })
  client.send(requestFrame(highest, createOp('/never')))
  client.send(requestFrame(highest, existsOp('/')))
  const reply = await client.next('reply')
  t.notOk(reply.failure, 'the write is dropped, the read is answered')
  const { stat } = await owner.result<'exists'>(existsOp('/never'))
  t.equal(stat, null)
  client.socket.terminate()
  const last = await attachRaw(t, target.port)
  last.send(requestFrame(highest, createOp('/highest')))
  t.equal((await last.next('reply')).failure, null)
  last.send(requestFrame(5, createOp('/below')))
  const refused = await last.next('reply', ({ xid }) => xid === 5)
  t.equal(refused.failure?.code, 'notExecuted')
  last.socket.terminate()
  await target.progress()
})

t.test(
  'LIMIT-8 LIMIT-9 watches and streams have a bound and end with their connection',
  async (t) => {
    const client = await attachRaw(t, target.port)
    let made = 0
    const fresh = (): readonly string[] =>
      Array.from({ length: limits.rearmPathsMax }, () => `/w${(made += 1)}`)
    const rearm = async (): Promise<unknown> => {
      const { failure } = await client.ask({
        op: 'rearmWatches',
        fromZxid: target.status().zxid,
        data: [],
        exists: fresh(),
        child: [],
      })
      return failure?.code
    }
    let refusal: unknown
    while (refusal === undefined) refusal = await rearm()
    t.equal(refusal, 'tooLarge')
    t.equal(target.status().watches, made - limits.rearmPathsMax)
    t.ok(target.status().watches <= limits.watchesPerConnectionMax)
    const watch = {
      op: 'watch',
      path: '/s',
      recursive: true,
      withDetail: true,
      from: null,
    } as const
    for (let streamId = 0; streamId < limits.streamsPerConnectionMax; streamId++) {
      client.send(requestFrame(1_000_000 + streamId, { ...watch, streamId }))
    }
    const over = await client.ask({ ...watch, streamId: limits.streamsPerConnectionMax })
    t.equal(over.failure?.code, 'tooLarge')
    t.equal(target.status().streams, limits.streamsPerConnectionMax)
    client.socket.terminate()
    while (target.status().watches > 0 || target.status().streams > 0) await target.progress()
  },
)
