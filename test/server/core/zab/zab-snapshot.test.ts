import { limits } from '@conclave/protocol'
import type { PeerFrame } from '@conclave/protocol/peer'
import t from 'tap'
import * as kit from './zab-kit.js'
import * as b from './zab-bench.js'

/** Leads epoch 4 over zxids 1 to 6, of which memory holds the last; server 3 has come with 1. */
const asked = (): b.Bench => {
  const txns = kit.logOf(3, 3, 3, 3, 3, 3)
  const bench = new b.Bench({ txns, currentEpoch: 3, lastApplied: 6, firstHeld: 6 })
  const has = { currentEpoch: 3, lastZxid: 0 }
  bench.from(2, b.notification(1, has))
  bench.from(3, b.notification(1, has))
  bench.from(2, b.followerInfo(3))
  bench.persist()
  bench.from(2, b.ackEpoch(4, { currentEpoch: 3, last: [3, 6] }))
  bench.persist()
  bench.from(2, b.zxidFrame('ackNewLeader', 4, 6))
  bench.said()
  bench.from(3, b.followerInfo(3))
  bench.from(3, b.ackEpoch(4, { currentEpoch: 3, last: [3, 1] }))
  bench.sent(3)
  return bench
}

/** The log does not reach back to zxid 2; the newest snapshot has been looked for. */
const offering = (): b.Bench => {
  const bench = asked()
  bench.reader.give(null)
  bench.drain()
  return bench
}

const tag = { epoch: kit.epoch(4), join: 1 } as const

const pull = (zxid: number, offset: number): PeerFrame => ({
  frame: 'snapPull',
  ...tag,
  zxid: kit.zxid(zxid),
  offset,
})

const snap = (zxid: number, size = 30): PeerFrame => ({
  frame: 'snap',
  ...tag,
  zxid: kit.zxid(zxid),
  size,
})

const piece = (zxid: number, offset: number, bytes: number, isLast: boolean): PeerFrame => ({
  frame: 'snapPiece',
  ...tag,
  zxid: kit.zxid(zxid),
  offset,
  bytes: new Uint8Array(bytes),
  isLast,
})

/** Server 1 is taught by server 3; its own history, zxids 1 to 3, is a prefix of the leader's. */
const learning = (): b.Bench => {
  const bench = new b.Bench({ txns: kit.logOf(3, 3, 3), currentEpoch: 3, lastApplied: 1 })
  const has = { currentEpoch: 3, lastZxid: 99 }
  bench.from(3, b.notification(3, has))
  bench.from(2, b.notification(3, has))
  bench.from(3, { frame: 'leaderInfo', ...tag })
  bench.persist()
  bench.from(3, b.zxidFrame('diff', 4, 3))
  bench.sent(3)
  bench.said()
  return bench
}

t.test('ZAB-32 whom the log does not reach is given the newest snapshot', async (t) => {
  const bench = offering()
  t.match(bench.snapshots(), [{ effect: 'readSnapshot', ticket: 1, zxid: null, bytesMax: 0 }])
  bench.givePiece(1, { zxid: 5, size: 2 * limits.snapshotPieceBytes + 7 })
  t.match(bench.sent(3), [{ frame: 'snap', zxid: 5, size: 2 * limits.snapshotPieceBytes + 7 }])
  bench.zab.snapshotEnded(true)
  bench.drain()
  t.strictSame(bench.snapshots(), [], 'the learner sets the pace, whatever newer one there is')
  for (const [index, isLast] of [false, false, true].entries()) {
    const offset = index * limits.snapshotPieceBytes
    bench.from(3, pull(5, offset))
    bench.from(3, pull(5, offset))
    const bytesMax = limits.snapshotPieceBytes
    t.match(bench.snapshots(), [{ zxid: 5, offset, bytesMax }], 'once, however often it asks')
    bench.givePiece(2 + index, { zxid: 5, offset, size: 2 * limits.snapshotPieceBytes + 7 })
    const length = isLast ? 7 : limits.snapshotPieceBytes
    const [sent] = bench.sent(3)
    t.match(sent, { frame: 'snapPiece', zxid: 5, offset, isLast })
    t.equal(sent?.frame === 'snapPiece' && sent.bytes.length, length)
  }
})

t.test(
  'ZAB-32 a snapshot below what the learner has is not given: a new one is made',
  async (t) => {
    const bench = asked()
    bench.reader.give(kit.logOf(3, 3, 3).slice(1))
    bench.drain()
    t.match(bench.sent(3), [{ txn: { zxid: 2 } }, { txn: { zxid: 3 } }])
    bench.reader.give(null)
    bench.drain()
    bench.from(3, b.zxidFrame('synced', 4, 3))
    for (const [ticket, newest] of [null, { zxid: 2, size: 9 }].entries()) {
      bench.givePiece(1 + ticket, newest)
      t.strictSame([bench.sentNames(3), bench.said()], [[], ['snapshot wanted']])
      bench.zab.snapshotEnded(true)
      bench.drain()
    }
    bench.givePiece(3, { zxid: 3, size: 9 })
    t.match(bench.sent(3), [{ frame: 'snap', zxid: 3 }])
  },
)

t.test('ZAB-32 one that is purged meanwhile is replaced by the newest', async (t) => {
  const bench = offering()
  bench.givePiece(1, { zxid: 5, size: 9 })
  bench.from(3, pull(5, 0))
  bench.sent(3)
  bench.givePiece(2, null)
  bench.givePiece(3, { zxid: 6, size: 9 })
  t.match(bench.sent(3), [{ frame: 'snap', zxid: 6 }])
})

t.test('ZAB-32 without space for a snapshot the learner is told, and may come again', async (t) => {
  const bench = offering()
  bench.givePiece(1, null)
  bench.zab.snapshotEnded(false)
  bench.drain()
  t.match(bench.sent(3), [{ frame: 'refused', why: /snapshot/ }])
  t.equal(bench.zab.role, 'leading')
  bench.from(3, b.followerInfo(3, 0, 2))
  bench.from(3, b.ackEpoch(4, { currentEpoch: 3, last: [3, 1] }, 2))
  t.strictSame(bench.sentNames(3), ['leaderInfo', 'diff'])
})

t.test('ZAB-32 a snapshot on its way from the disk goes nowhere when the join ends', async (t) => {
  const bench = offering()
  bench.lose(3)
  bench.open(3)
  bench.givePiece(1, { zxid: 5, size: 9 })
  t.strictSame(bench.sentNames(3), [])
})

t.test('ZAB-33 a learner asks for a piece when the one before is stored', async (t) => {
  const bench = learning()
  bench.from(3, snap(9))
  t.strictSame(bench.said(), ['resync'], 'its clients go elsewhere')
  t.match(bench.sent(3), [{ frame: 'snapPull', zxid: 9, offset: 0 }])
  bench.from(3, piece(9, 0, 20, false))
  t.match(bench.snapshots(), [
    {
      effect: 'storeSnapshot',
      ticket: 1,
      zxid: 9,
      offset: 0,
      bytes: { length: 20 },
      isLast: false,
    },
  ])
  t.strictSame(bench.sentNames(3), [])
  bench.stored(1)
  t.match(bench.sent(3), [{ frame: 'snapPull', zxid: 9, offset: 20 }])
  bench.from(3, piece(9, 20, 10, true))
  t.match(bench.snapshots(), [{ ticket: 2, offset: 20, isLast: true }])
  bench.stored(2)
  t.match(bench.snapshots(), [{ effect: 'restart' }])
  t.strictSame([bench.sentNames(3), bench.persists], [[], []], 'it is in no other epoch for it')
})

t.test('ZAB-33 a leader that is heard goes on being heard while it gives a snapshot', async (t) => {
  const bench = learning()
  bench.from(3, snap(9))
  bench.sent(3)
  bench.from(3, b.heartbeat(4, 2))
  t.match(bench.sent(3), [{ frame: 'heartbeatAck', round: 1 }])
})

t.test('ZAB-33 a server that stores a snapshot does not vote until it knows the end', async (t) => {
  const bench = learning()
  bench.from(3, snap(9))
  bench.from(3, piece(9, 0, 30, true))
  bench.lose(3)
  bench.open(3)
  bench.from(2, b.notification(1, { currentEpoch: 3, lastZxid: 2 }))
  bench.pass(500)
  t.match(bench.lastNotification(2), { vote: 0 })
  const given = learning()
  given.from(3, snap(9))
  given.from(3, piece(9, 0, 30, true))
  given.lose(3)
  given.pass(500)
  given.stored(1, false)
  t.match(given.lastNotification(2), { vote: 2, lastZxid: 3 }, 'nothing has changed')
  bench.stored(1)
  t.match(bench.snapshots().at(-1), { effect: 'restart' }, 'whoever it came from')
  bench.pass(2_000)
  t.match(bench.lastNotification(2), { vote: 0 }, 'what it remembers is not what it has')
})

t.test('ZAB-33 a snapshot that cannot be stored ends the join', async (t) => {
  const bench = learning()
  bench.from(3, snap(9))
  bench.from(3, piece(9, 0, 20, false))
  bench.stored(1, false)
  t.match(bench.said(), ['resync', /refused 3: .*stored/])
})

t.test('ZAB-23 a snapshot below the own log, and a piece out of turn, are refused', async (t) => {
  const low = learning()
  low.from(3, snap(2))
  t.match(low.said(), [/refused 3: unexpected snap/])
  for (const wrong of [
    piece(9, 5, 5, false),
    piece(8, 0, 5, false),
    b.proposalFrame(4, kit.txnOf(4, 3)),
  ]) {
    const bench = learning()
    bench.from(3, snap(9))
    bench.from(3, wrong)
    t.match(bench.said(), ['resync', /refused 3: unexpected/])
    t.strictSame(bench.snapshots(), [])
  }
  const busy = learning()
  busy.from(3, snap(9))
  busy.from(3, piece(9, 0, 5, false))
  busy.from(3, piece(9, 5, 5, false))
  t.match(busy.said(), ['resync', /refused 3: unexpected/], 'it has not asked for it')
  const early = following()
  early.from(3, snap(9))
  t.match(early.said(), [/refused 3: unexpected snap/, /looking/])
})

const following = (): b.Bench => {
  const bench = learning()
  bench.from(3, b.zxidFrame('newLeader', 4, 3))
  bench.persist()
  bench.from(3, b.zxidFrame('upToDate', 4, 3))
  bench.said()
  return bench
}
