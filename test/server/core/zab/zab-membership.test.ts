import t from 'tap'
import * as kit from './zab-kit.js'
import * as b from './zab-bench.js'

const history = kit.logOf(1, 1, 3)

/** Leads epoch 4 of servers 1, 2 and 3 with server 2. */
const leading = (): b.Bench => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, lastApplied: 3 })
  const has = { currentEpoch: 3, lastZxid: 0 }
  bench.from(2, b.notification(1, has))
  bench.from(3, b.notification(1, has))
  bench.from(2, b.followerInfo(3))
  bench.persist()
  bench.from(2, b.ackEpoch(4, { currentEpoch: 3, last: [3, 3] }))
  bench.persist()
  bench.from(2, b.zxidFrame('ackNewLeader', 4, 3))
  bench.said()
  bench.sent(2)
  return bench
}

/** Joins the leadership of {@link leading} and acknowledges all. */
const join = (bench: b.Bench, peer: number): void => {
  bench.from(peer, b.followerInfo(3))
  bench.from(peer, b.ackEpoch(4, { currentEpoch: 3, last: [3, 3] }))
  bench.from(peer, b.zxidFrame('ackNewLeader', 4, 3))
}

const beat = (bench: b.Bench, peers: readonly number[], times = 1): void => {
  for (let i = 0; i < times; i++) {
    bench.pass(100)
    for (const peer of peers) {
      const round = bench.lastRound(peer)
      bench.from(peer, b.heartbeatAck(4, round))
    }
  }
}

t.test(
  'ZAB-35 a leader leaves when its disk stalls, if the others can do without it',
  async (t) => {
    const bench = leading()
    join(bench, 3)
    bench.zab.propose(kit.proposal(1))
    bench.drain()
    beat(bench, [2, 3], 10)
    t.equal(bench.zab.role, 'leading')
    beat(bench, [2, 3])
    t.strictSame(bench.said().at(-1), 'looking 4 null')
    t.match(bench.lastNotification(2), { state: 'looking', vote: 0 }, 'it does not vote')
    bench.persist()
    t.match(bench.lastNotification(2), { vote: 1, lastZxid: 4 }, 'until the disk has answered')
    const needed = leading()
    needed.zab.propose(kit.proposal(1))
    needed.drain()
    beat(needed, [2], 30)
    t.equal(needed.zab.role, 'leading', 'without it there would be no quorum')
  },
)

t.test('ZAB-35 writes that follow each other are no stall', async (t) => {
  const bench = leading()
  join(bench, 3)
  for (let i = 0; i < 15; i++) {
    bench.zab.propose(kit.proposal(i))
    beat(bench, [2, 3])
    bench.persist(i === 0 ? 0 : 1)
  }
  t.equal(bench.zab.role, 'leading')
})

t.test('ZAB-36 a leader that stood still leaves, if the others can do without it', async (t) => {
  for (const [stalledMs, role] of [
    [900, 'leading'],
    [1_500, 'looking'],
  ] as const) {
    const bench = leading()
    join(bench, 3)
    beat(bench, [2, 3])
    bench.stall(stalledMs)
    t.equal(bench.zab.role, role, `${stalledMs} ms`)
  }
  const needed = leading()
  beat(needed, [2])
  needed.stall(1_500)
  t.equal(needed.zab.role, 'leading')
})

t.test('ZAB-37 an observer is no part of any quorum', async (t) => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, voters: [1, 2, 5], observers: [3] })
  bench.from(2, b.notification(1, { currentEpoch: 3, lastZxid: 0 }))
  bench.pass(100)
  bench.from(3, b.followerInfo(3))
  t.strictSame(bench.persists, [], 'its epoch is not one of a quorum')
  bench.from(2, b.followerInfo(3))
  bench.persist()
  bench.from(3, b.ackEpoch(4, { currentEpoch: 3, last: [3, 9] }))
  t.strictSame(bench.persists, [], 'nor is its promise, nor its longer history a better claim')
  bench.from(2, b.ackEpoch(4, { currentEpoch: 3, last: [3, 3] }))
  bench.persist()
  bench.from(3, b.zxidFrame('ackNewLeader', 4, 3))
  t.equal(bench.zab.role, 'looking', 'nor its acknowledgement')
  bench.from(2, b.zxidFrame('ackNewLeader', 4, 3))
  t.equal(bench.zab.role, 'leading')
  t.match(bench.sent(3).at(-1), { frame: 'upToDate', zxid: 3 }, 'it is taught like any bench')
})

t.test('ZAB-37 an observer follows an established leader and does nothing else', async (t) => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, voters: [2, 3], observers: [1] })
  for (const peer of [2, 3]) bench.from(peer, b.notification(peer, { currentEpoch: 1 }))
  bench.pass(500)
  t.match(bench.lastNotification(2), { vote: 0, state: 'looking' })
  t.strictSame([bench.persists, bench.sentNames(2), bench.sentNames(3)], [[], [], []])
  bench.from(3, b.notification(3, { epoch: 4 }, 'leading'))
  bench.pass(100)
  t.match(bench.sent(3), [{ frame: 'followerInfo', epoch: 3 }])
  bench.from(3, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 })
  bench.persist()
  bench.from(3, b.zxidFrame('diff', 4, 3))
  bench.from(3, b.zxidFrame('newLeader', 4, 3))
  bench.persist()
  bench.from(3, b.zxidFrame('upToDate', 4, 3))
  t.strictSame(bench.said().at(-1), 'observing 4 3')
  t.match(bench.lastNotification(2), { state: 'observing', vote: 3 })
})

t.test('ZAB-34 a founding by a part is off when one is heard that is not fresh', async (t) => {
  const told = (vote: number, has = {}) => ({ ...b.notification(vote, has), bootstrap: true })
  const bench = new b.Bench({ bootstrap: true })
  bench.from(2, told(2))
  bench.pass(200)
  t.strictSame(bench.sentNames(2), ['followerInfo'], 'two of three')
  const other = new b.Bench({ bootstrap: true })
  // It waits for its disk, and has not voted yet.
  other.from(3, b.notification(0, { currentEpoch: 1, lastZxid: 4 }))
  other.from(2, told(2))
  other.pass(200)
  t.strictSame(other.sentNames(2), [])
  const untold = new b.Bench()
  untold.from(2, told(2))
  untold.pass(200)
  t.strictSame(untold.sentNames(2), [])
})

t.test('ZAB-40 a leader with a full disk leaves, if a quorum without it has space', async (t) => {
  const bench = leading()
  join(bench, 3)
  beat(bench, [2, 3])
  bench.zab.diskSpace(false)
  t.equal(bench.zab.hasSpace, true, 'a quorum has')
  beat(bench, [])
  t.equal(bench.zab.role, 'looking')
  bench.from(2, b.notification(1, { currentEpoch: 4, lastZxid: 2 }))
  bench.from(3, b.notification(1, { currentEpoch: 4, lastZxid: 2 }))
  bench.pass(200)
  t.match(bench.lastNotification(2), { vote: 0, hasSpace: false }, 'it does not stand')
  bench.zab.diskSpace(true)
  bench.pass(100)
  t.match(bench.lastNotification(2), { vote: 1, hasSpace: true })
})

t.test('ZAB-40 a leader without a quorum that has space stays, and says so', async (t) => {
  const bench = leading()
  join(bench, 3)
  bench.pass(100)
  bench.from(2, b.heartbeatAck(4, bench.lastRound(2), false))
  t.equal(bench.zab.hasSpace, true, 'two of three')
  bench.zab.diskSpace(false)
  t.equal(bench.zab.hasSpace, false, 'one of three')
  for (let i = 0; i < 30; i++) {
    bench.pass(100)
    bench.from(2, b.heartbeatAck(4, bench.lastRound(2), false))
    bench.from(3, b.heartbeatAck(4, bench.lastRound(3)))
  }
  t.equal(bench.zab.role, 'leading')
  bench.zab.diskSpace(true)
  t.equal(bench.zab.hasSpace, true, 'it heals by itself')
  bench.pass(100)
  t.equal(bench.zab.role, 'leading')
})

t.test('ZAB-40 a server with a full disk does not vote while others can do without', async (t) => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3 })
  bench.zab.diskSpace(false)
  bench.drain()
  t.match(bench.lastNotification(2), { vote: 1, hasSpace: false }, 'nobody is known to have any')
  bench.from(3, b.notification(3))
  bench.from(2, b.notification(3))
  t.match(bench.lastNotification(2), { vote: 0 }, 'both of the others have')
  bench.from(3, b.notification(3, { epoch: 4 }, 'leading'))
  bench.pass(100)
  t.match(bench.sent(3), [{ frame: 'followerInfo' }], 'it follows whom they elect')
})
