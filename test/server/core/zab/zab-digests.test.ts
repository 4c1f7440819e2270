import { digestAlgorithm } from '@conclave/protocol'
import type { PeerFrameOf } from '@conclave/protocol/peer'
import t from 'tap'
import { judgeDigests } from '#server/core/zab/digests.js'
import * as kit from './zab-kit.js'
import * as b from './zab-bench.js'

const history = kit.logOf(...Array.from({ length: 128 }, () => 3))

/** Leads epoch 4 with servers 2 and 3; all have 128 txns, and its own digest there is 'x'. */
const leading = (): b.Bench => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, lastApplied: 128 })
  for (const peer of [2, 3]) bench.from(peer, b.notification(1, { currentEpoch: 3 }))
  for (const peer of [2, 3]) bench.from(peer, b.followerInfo(3))
  bench.persist()
  for (const peer of [2, 3]) bench.from(peer, b.ackEpoch(4, { currentEpoch: 3, last: [3, 128] }))
  bench.persist()
  for (const peer of [2, 3]) bench.from(peer, b.zxidFrame('ackNewLeader', 4, 128))
  bench.zab.stateAt(kit.zxid(128), 'x')
  bench.pass(100)
  bench.said()
  for (const peer of [2, 3]) bench.sent(peer)
  return bench
}

/** A follower tells its digest at zxid 128. */
const tell = (bench: b.Bench, peer: number, digest: string | null): void => {
  const told = digest === null ? null : ([128, digest] as const)
  bench.from(peer, b.heartbeatAck(4, bench.lastRound(peer), true, told))
}

t.test('ZAB-41 ZAB-42 what digests say, as a table', async (t) => {
  const known = { verdict: 'known', right: 'a' }
  const [alike, divided] = [{ verdict: 'alike' }, { verdict: 'divided' }]
  for (const [digests, verdict] of [
    [['a', 'a', 'a'], known],
    [['a', 'a', 'b'], known],
    [['b', 'a', 'a'], known],
    [['a', 'a', undefined], known],
    [['a', undefined, undefined], alike],
    [['a', 'b', undefined], divided],
    [['a', 'b', 'c'], divided],
    [['a', 'a', 'b', undefined, undefined], divided],
    [['a', 'a', 'b', 'b', 'a'], known],
    [['a'], known],
  ] as const) {
    t.strictSame(judgeDigests(digests), verdict, digests.join())
  }
})

t.test('ZAB-41 a follower with another state than a majority is told, and is out', async (t) => {
  const bench = leading()
  tell(bench, 3, 'x')
  t.strictSame([bench.said(), bench.sentNames(3)], [[], []])
  tell(bench, 2, 'y')
  t.match(bench.sent(2), [{ frame: 'diverged', zxid: 128 }])
  t.strictSame([bench.sentNames(3), bench.zab.role], [[], 'leading'])
  bench.lose(3)
  t.equal(bench.zab.role, 'looking', 'it is in no quorum any more')
})

t.test('ZAB-41 a leader leaves when without the wrong ones too few count', async (t) => {
  const bench = leading()
  // It is being taught anew: its state is right, and it does not count yet.
  bench.from(3, b.followerInfo(0, 0, 2))
  bench.from(3, b.ackEpoch(4, { currentEpoch: 0, last: [0, 0] }, 2))
  const round = bench.lastRound(3)
  const told = b.heartbeatAck(4, round, true, [128, 'x']) as PeerFrameOf<'heartbeatAck'>
  bench.from(3, { ...told, join: 2 })
  t.equal(bench.zab.role, 'leading')
  tell(bench, 2, 'y')
  t.match(bench.said(), [/refused 2: its state at zxid 128 is wrong/, 'looking 4 null'])
})

t.test('ZAB-41 a leader with another state than a majority gives up all it has', async (t) => {
  const bench = leading()
  tell(bench, 3, 'y')
  t.equal(bench.zab.role, 'leading')
  tell(bench, 2, 'y')
  t.equal(bench.zab.role, 'looking')
  const hardState = { currentEpoch: 0, acceptedEpoch: 4, rejoining: true, generation: 1 }
  t.match(bench.persists.at(-1), { hardState })
  t.strictSame(bench.snapshots(), [], 'not before that is durable')
  bench.persist()
  t.match(bench.snapshots(), [{ effect: 'restart', why: /zxid 128/ }])
  bench.pass(2_000)
  t.match(bench.lastNotification(2), { vote: 0 }, 'and does nothing else')
})

t.test('ZAB-41 a follower that is told gives up all it has', async (t) => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, lastApplied: 128 })
  const has = { currentEpoch: 3, lastZxid: 999 }
  for (const peer of [3, 2]) bench.from(peer, b.notification(3, has))
  bench.from(3, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 })
  bench.persist()
  bench.from(3, b.zxidFrame('diff', 4, 128))
  bench.sent(3)
  bench.from(3, b.heartbeat(4, 200))
  t.match(bench.sent(3), [{ frame: 'heartbeatAck', digest: null }], 'it does not know')
  bench.zab.stateAt(kit.zxid(128), 'y')
  bench.from(3, b.heartbeat(4, 255))
  t.match(bench.sent(3), [{ digest: { zxid: 128, digest: 'y' } }])
  bench.from(3, { frame: 'diverged', epoch: kit.epoch(4), join: 1, zxid: kit.zxid(128) })
  t.match(bench.persists.at(-1), { hardState: { currentEpoch: 0, rejoining: true } })
  bench.persist()
  t.match(bench.snapshots(), [{ effect: 'restart' }])
})

t.test('ZAB-42 while nobody can tell who is wrong nothing may be written', async (t) => {
  const bench = leading()
  tell(bench, 2, null)
  t.equal(bench.zab.isDivided, false, 'unknown is no difference')
  const other = b.heartbeatAck(4, 0, true, [128, 'y']) as PeerFrameOf<'heartbeatAck'>
  const digest = { zxid: kit.zxid(128), algorithm: digestAlgorithm + 1, digest: 'y' }
  bench.from(2, { ...other, digest })
  t.equal(bench.zab.isDivided, false, 'nor is the digest of another algorithm')
  tell(bench, 2, 'y')
  t.equal(bench.zab.isDivided, true)
  t.equal(bench.zab.role, 'leading')
  tell(bench, 3, 'x')
  t.equal(bench.zab.isDivided, false, 'now a majority is known')
  t.match(bench.sentNames(2), ['diverged'])
})
