import { limits } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import t from 'tap'
import { txnBytes } from '#server/core/txn-bytes.js'
import * as kit from './zab-kit.js'
import * as b from './zab-bench.js'

/** Established in epoch 4 by server 2, which has all that the leader has. */
const leading = (txns: readonly Txn[], options: b.BenchOptions = {}): b.Bench => {
  const lastApplied = txns.length
  const bench = new b.Bench({ txns, currentEpoch: 3, lastApplied, ...options })
  const has = { currentEpoch: 3, lastZxid: 0 }
  bench.from(2, b.notification(1, has))
  bench.from(3, b.notification(1, has))
  bench.from(2, b.followerInfo(3))
  bench.persist()
  bench.from(2, b.ackEpoch(4, { currentEpoch: 3, last: [3, txns.length] }))
  bench.persist()
  bench.from(2, b.zxidFrame('ackNewLeader', 4, txns.length))
  bench.said()
  bench.sent(2)
  return bench
}

const join = (bench: b.Bench, last: readonly [number, number]): void => {
  bench.from(3, b.followerInfo(3))
  bench.from(3, b.ackEpoch(4, { currentEpoch: 3, last }))
}

/** Zxids of proposals, and the names of other frames with theirs. */
const taught = (bench: b.Bench): readonly (number | string)[] =>
  bench
    .sent(3)
    .map((frame) =>
      frame.frame === 'proposal'
        ? frame.txn.zxid
        : `${frame.frame} ${'zxid' in frame ? frame.zxid : ''}`.trim(),
    )

const followed = (txns = kit.logOf(3, 3, 3)): b.Bench => {
  const bench = new b.Bench({ txns, currentEpoch: 3 })
  const has = { currentEpoch: 3, lastZxid: 99 }
  bench.from(3, b.notification(3, has))
  bench.from(2, b.notification(3, has))
  bench.from(3, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 })
  bench.persist()
  bench.sent(3)
  return bench
}

t.test('ZAB-10 what memory has forgotten comes from the disk, then from memory', async (t) => {
  const txns = kit.logOf(3, 3, 3, 3, 3, 3)
  const bench = leading(txns, { firstHeld: 5 })
  join(bench, [3, 1])
  t.strictSame(taught(bench), ['leaderInfo', 'diff 1'])
  t.strictSame(
    bench.reader.wanted.map(({ after }) => after),
    [1],
    'one piece at a time',
  )
  bench.reader.give(txns.slice(1, 3))
  bench.drain()
  t.strictSame(taught(bench), [2, 3], 'the rest is not yet read')
  const live = bench.zab.propose(kit.proposal(1))
  bench.drain()
  t.strictSame(taught(bench), [], 'it waits its turn')
  bench.reader.give(txns.slice(3, 4))
  bench.drain()
  t.strictSame(taught(bench), [4, 5, 6, live.zxid, `newLeader ${live.zxid}`])
})

t.test('ZAB-30 a learner is sent a bounded part ahead of what it has durable', async (t) => {
  const count = 3 * Math.ceil(limits.learnerBytesAheadMax / txnBytes(kit.txnOf(1, 3)))
  const bench = leading(kit.logOf(...Array.from({ length: count }, () => 3)))
  join(bench, [0, 0])
  const sent = taught(bench).slice(2) as readonly number[]
  const most = Math.ceil(limits.learnerBytesAheadMax / txnBytes(kit.txnOf(1, 3)))
  t.strictSame([sent.length, sent[0], sent.at(-1)], [most, 1, most])
  bench.zab.propose(kit.proposal(1))
  bench.pass(300)
  t.strictSame(taught(bench), [], 'nothing more before it says so')
  bench.from(3, b.zxidFrame('synced', 4, 10))
  t.strictSame(
    taught(bench),
    Array.from({ length: 10 }, (_, i) => most + 1 + i),
  )
  for (let known = most; known <= count; known += most) {
    bench.from(3, b.zxidFrame('synced', 4, known))
  }
  t.equal(taught(bench).at(-1), `newLeader ${count + 1}`)
})

t.test('ZAB-30 a follower that stalls is sent no more, and all of it afterwards', async (t) => {
  const bench = leading(kit.logOf(3))
  const most = Math.ceil(limits.learnerBytesAheadMax / txnBytes(kit.txnOf(1, 3)))
  for (let i = 0; i < most + 5; i++) bench.zab.propose(kit.proposal(i))
  bench.drain()
  const proposals = (): number => bench.sentNames(2).filter((name) => name === 'proposal').length
  t.equal(proposals(), most)
  bench.from(2, b.zxidFrame('ack', 4, 1 + most))
  t.equal(proposals(), 5)
})

t.test('ZAB-30 a turn sends a bounded part, of what memory and the disk give', async (t) => {
  const most = Math.ceil(limits.learnerBytesPerTurnMax / txnBytes(kit.txnOf(1, 3)))
  const txns = kit.logOf(...Array.from({ length: 4 * most }, () => 3))
  const bench = leading(txns, { firstHeld: 2 * most })
  join(bench, [3, 1])
  bench.sent(3)
  bench.reader.give(txns.slice(1, 2 * most))
  for (const part of ['from the disk', 'and the rest of that', 'from memory']) {
    bench.drainOnce()
    t.equal(taught(bench).length, most, part)
    t.equal(bench.zab.hasOutput, true)
  }
  bench.drain()
  t.equal(taught(bench).at(-1), `newLeader ${4 * most}`)
})

t.test('ZAB-30 what was on its way from the disk goes nowhere when the join ends', async (t) => {
  const bench = leading(kit.logOf(3, 3, 3, 3), { firstHeld: 4 })
  join(bench, [3, 1])
  t.equal(bench.reader.wanted.length, 1)
  bench.lose(3)
  t.equal(bench.reader.wanted.length, 0)
  const other = leading(kit.logOf(3, 3, 3, 3), { firstHeld: 4 })
  join(other, [3, 1])
  other.lose(2)
  other.lose(3)
  t.strictSame([other.zab.role, other.reader.wanted.length], ['looking', 0])
})

t.test('ZAB-15 a learner that has more than it was sent is refused', async (t) => {
  const bench = leading(kit.logOf(3, 3))
  join(bench, [3, 1])
  bench.from(3, b.zxidFrame('synced', 4, 3))
  t.match(bench.said(), [/refused 3: unexpected synced of zxid 3/])
})

t.test('ZAB-31 a learner applies while it is taught, and acknowledges nothing', async (t) => {
  const bench = followed()
  bench.from(3, b.heartbeat(4, 5))
  t.strictSame(bench.said(), [], 'its history is not known to be the same')
  bench.from(3, b.zxidFrame('diff', 4, 3))
  t.strictSame(bench.said(), ['apply 1', 'apply 2', 'apply 3'])
  for (const zxid of [4, 5, 6]) bench.from(3, b.proposalFrame(4, kit.txnOf(zxid, 3)))
  t.strictSame(bench.said(), ['apply 4', 'apply 5'], 'and no further than the leader said')
  bench.sent(3)
  bench.persist(1)
  t.match(bench.sent(3), [{ frame: 'synced', zxid: 4 }])
  bench.persist()
  t.match(bench.sent(3), [{ frame: 'synced', zxid: 6 }])
  bench.from(3, b.zxidFrame('newLeader', 4, 6))
  bench.from(3, b.proposalFrame(4, kit.txnOf(7, 4)))
  bench.persist(2)
  t.match(bench.sent(3), [{ frame: 'ackNewLeader', zxid: 7 }])
})

t.test('ZAB-31 what is committed beyond the own log waits for it', async (t) => {
  const bench = followed()
  bench.from(3, b.zxidFrame('diff', 4, 3))
  bench.from(3, b.zxidFrame('newLeader', 4, 3))
  bench.persist()
  bench.from(3, b.zxidFrame('upToDate', 4, 3))
  bench.said()
  bench.from(3, b.zxidFrame('commit', 4, 5))
  t.strictSame([bench.said(), bench.zab.role], [[], 'following'])
  bench.from(3, b.proposalFrame(4, kit.txnOf(4, 4)))
  t.strictSame(bench.said(), ['apply 4'])
})
