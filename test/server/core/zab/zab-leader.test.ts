import { limits } from '@conclave/protocol'
import t from 'tap'
import * as kit from './zab-kit.js'
import * as b from './zab-bench.js'

/** Epoch 4 over a history of zxids 1 to 3: 1 and 2 of epoch 1, 3 of epoch 3. */
const history = kit.logOf(1, 1, 3)

const standing = (options: b.BenchOptions = {}): b.Bench => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, lastApplied: 1, ...options })
  const has = { currentEpoch: 2, lastZxid: 2 }
  bench.from(2, b.notification(1, has))
  bench.from(3, b.notification(1, has))
  return bench
}

/** Leading epoch 4 with server 2, which held the epoch and zxid given. */
const leadingWith = (last: readonly [number, number], currentEpoch = 3): b.Bench => {
  const bench = standing()
  bench.from(2, b.followerInfo(3))
  bench.persist()
  bench.from(2, b.ackEpoch(4, { currentEpoch, last }))
  return bench
}

const established = (): b.Bench => {
  const bench = leadingWith([3, 3])
  bench.persist()
  bench.from(2, b.zxidFrame('ackNewLeader', 4, 3))
  bench.said()
  bench.sent(2)
  return bench
}

t.test('ZAB-7 one voter of three never leads alone', async (t) => {
  for (const currentEpoch of [0, 3]) {
    const bench = new b.Bench({ txns: history, currentEpoch })
    bench.pass(5_000)
    t.strictSame(bench.persists, [])
    bench.from(2, b.notification(2, { currentEpoch }))
    bench.pass(500)
    t.strictSame([bench.persists, bench.zab.role, bench.said()], [[], 'looking', []])
  }
})

t.test('ZAB-8 elected, it goes through discovery and synchronization in order', async (t) => {
  const bench = standing()
  t.strictSame(bench.persists, [], 'the epochs of a quorum come first')
  bench.from(2, b.followerInfo(5))
  t.match(bench.persists, [{ hardState: { acceptedEpoch: 6, acceptedFrom: 1, currentEpoch: 3 } }])
  t.strictSame(bench.sentNames(2), [], 'no leaderInfo before the promise is durable')
  bench.persist()
  t.match(bench.sent(2), [{ frame: 'leaderInfo', epoch: 6, join: 1 }])
  bench.from(2, b.ackEpoch(6, { currentEpoch: 2, last: [1, 2] }))
  t.match(bench.persists, [{ hardState: { acceptedEpoch: 6, currentEpoch: 6 } }])
  t.match(bench.sent(2), [
    { frame: 'diff', zxid: 2 },
    { frame: 'proposal', txn: { zxid: 3, epoch: 3 } },
    { frame: 'newLeader', zxid: 3, epoch: 6, join: 1 },
  ])
  bench.from(2, b.zxidFrame('ackNewLeader', 6, 3))
  t.strictSame([bench.said(), bench.sentNames(2)], [[], []], 'its own epoch is not yet durable')
  bench.persist()
  t.strictSame(bench.said(), ['apply 2', 'apply 3', 'leading 6 1'])
  t.match(bench.sent(2), [{ frame: 'upToDate', zxid: 3 }])
})

t.test('ZAB-8 whatever else becomes durable meanwhile is no step of it', async (t) => {
  const bench = standing()
  bench.zab.ensembleIdLearned('one')
  bench.drain()
  bench.persist()
  t.strictSame(bench.sentNames(2), [])
  bench.from(2, b.followerInfo(3))
  bench.persist()
  t.strictSame(bench.sentNames(2), ['leaderInfo'])
  bench.zab.ensembleIdLearned('other')
  bench.drain()
  bench.persist()
  t.strictSame([bench.sentNames(2), bench.zab.role], [[], 'looking'])
})

t.test('ZAB-81 nobody is told to ask before the leader has begun', async (t) => {
  const length = 2 * limits.changesPerTurnMax
  const bench = standing({ txns: kit.logOf(...Array<number>(length).fill(3)) })
  bench.from(2, b.followerInfo(3))
  bench.persist()
  bench.from(2, b.ackEpoch(4, { currentEpoch: 3, last: [3, length] }))
  bench.persist()
  bench.sent(2)
  bench.hear(2, b.zxidFrame('ackNewLeader', 4, length))
  bench.drainOnce()
  t.strictSame([bench.zab.role, bench.sentNames(2)], ['looking', []], 'much is still to be applied')
  bench.drain()
  t.equal(bench.said().at(-1), 'leading 4 1')
  t.match(bench.sent(2), [{ frame: 'upToDate', zxid: length }])
})

t.test('ZAB-9 a commit needs the second durable acknowledgement, whoever is first', async (t) => {
  for (const isOwnFirst of [true, false]) {
    const bench = established()
    const txn = bench.zab.propose(kit.proposal(1))
    bench.drain()
    t.match(bench.sent(2), [{ frame: 'proposal', txn }])
    if (isOwnFirst) bench.persist()
    else bench.from(2, b.zxidFrame('ack', 4, 4))
    t.strictSame([bench.said(), bench.sentNames(2)], [[], []])
    if (isOwnFirst) bench.from(2, b.zxidFrame('ack', 4, 4))
    else bench.persist()
    t.strictSame(bench.said(), ['apply 4'])
    t.match(bench.sent(2), [{ frame: 'commit', zxid: 4 }])
  }
})

t.test('ZAB-10 a learner gets what it lacks, and is cut where histories part', async (t) => {
  const cases: readonly (readonly [string, readonly [number, number], object])[] = [
    ['an empty one', [0, 0], { frame: 'diff', zxid: 0 }],
    ['a prefix', [1, 1], { frame: 'diff', zxid: 1 }],
    ['the same', [3, 3], { frame: 'diff', zxid: 3 }],
    ['a tail of an old epoch', [1, 3], { frame: 'trunc', zxid: 2, expectedEpoch: 1 }],
    ['a tail of an unknown epoch', [2, 3], { frame: 'trunc', zxid: 2, expectedEpoch: 1 }],
    ['longer, but outranked', [2, 9], { frame: 'trunc', zxid: 2, expectedEpoch: 1 }],
  ]
  for (const [what, last, expected] of cases) {
    const bench = leadingWith(last, 2)
    const frames = bench.sent(2).slice(1)
    t.match(frames[0], expected, what)
    t.match(frames.at(-1), { frame: 'newLeader', zxid: 3 }, what)
  }
})

t.test('ZAB-10 what is proposed while a learner joins follows what it was sent', async (t) => {
  const bench = established()
  bench.from(3, b.followerInfo(3))
  bench.from(3, b.ackEpoch(4, { currentEpoch: 3, last: [3, 3] }))
  t.strictSame(bench.sentNames(3), ['leaderInfo', 'diff', 'newLeader'])
  const txn = bench.zab.propose(kit.proposal(1))
  bench.drain()
  t.match(bench.sent(3), [{ frame: 'proposal', txn }])
})

t.test('ZAB-11 a fresh server counts only after a round confirmed without it', async (t) => {
  const bench = standing()
  bench.from(3, b.followerInfo(0))
  bench.persist()
  bench.from(3, b.ackEpoch(4, { currentEpoch: 0, last: [0, 0] }))
  t.strictSame([bench.persists, bench.sentNames(3)], [[], ['leaderInfo']], 'no quorum with it')
  bench.from(2, b.followerInfo(3))
  bench.from(2, b.ackEpoch(4, { currentEpoch: 3, last: [3, 3] }))
  bench.persist()
  t.strictSame(bench.sentNames(3), ['diff', 'proposal', 'proposal', 'proposal'], 'no newLeader')
  bench.from(2, b.zxidFrame('ackNewLeader', 4, 3))
  t.match(bench.said(), ['apply 2', 'apply 3', 'leading 4 1'])
  bench.pass(100)
  bench.from(3, b.heartbeatAck(4, bench.lastRound(3)))
  t.strictSame([bench.said(), bench.sentNames(3)], [[], []], 'its own acknowledgement is none')
  bench.from(2, b.heartbeatAck(4, bench.lastRound(2)))
  t.match(bench.sent(3), [{ frame: 'newLeader', zxid: 3 }])
  bench.from(3, b.zxidFrame('ackNewLeader', 4, 3))
  t.match(bench.sent(3), [{ frame: 'upToDate', zxid: 3 }])
})

t.test('ZAB-11 a server that came before the round began proves nothing by it', async (t) => {
  const bench = established()
  bench.pass(100)
  const round = bench.lastRound(2)
  bench.from(3, b.followerInfo(0))
  bench.from(3, b.ackEpoch(4, { currentEpoch: 0, last: [0, 0] }))
  bench.from(2, b.heartbeatAck(4, round))
  t.notOk(bench.sentNames(3).includes('newLeader'), 'the round began before it came')
  bench.pass(100)
  bench.from(2, b.heartbeatAck(4, round + 1))
  t.ok(bench.sentNames(3).includes('newLeader'))
})

t.test('ZAB-12 the first election needs every voter, each with nothing to lose', async (t) => {
  const bench = new b.Bench()
  bench.from(2, b.notification(1))
  bench.pass(500)
  bench.from(2, b.followerInfo(0))
  t.strictSame(bench.persists, [], 'the third has not voted')
  bench.from(2, b.notification(1))
  bench.from(3, b.notification(1))
  t.strictSame(bench.persists, [], 'they vote for 1, but 3 has the better claim')
  const other = new b.Bench()
  other.from(2, b.notification(3))
  other.from(3, b.notification(3))
  t.match(other.sent(3), [{ frame: 'followerInfo', epoch: 0, join: 1 }], 'all agree: at once')
})

t.test('ZAB-12 in the first election discovery ends with the last ackEpoch', async (t) => {
  const bench = new b.Bench({ currentEpoch: 1 })
  bench.from(2, b.notification(1))
  bench.from(3, b.notification(1))
  bench.from(2, b.followerInfo(0))
  bench.persist()
  bench.from(2, b.ackEpoch(2, { currentEpoch: 0, last: [0, 0] }))
  t.strictSame(bench.persists, [])
  bench.from(3, b.followerInfo(0))
  bench.from(3, b.ackEpoch(2, { currentEpoch: 0, last: [0, 0] }))
  t.match(bench.persists, [{ hardState: { currentEpoch: 2 } }])
  bench.persist()
  bench.from(3, b.zxidFrame('ackNewLeader', 2, 0))
  t.strictSame(bench.said(), ['leading 2 1'])
})

t.test('ZAB-13 a better ackEpoch before establishment ends the leadership', async (t) => {
  for (const [currentEpoch, last] of [
    [3, [3, 4]],
    [4, [3, 2]],
  ] as const) {
    const bench = standing({ acceptedEpoch: 8 })
    bench.from(2, b.followerInfo(3))
    bench.persist()
    bench.from(2, b.ackEpoch(9, { currentEpoch, last }))
    t.match(bench.said(), [/refused 2: it has a better history/])
    t.match(bench.lastNotification(2), { state: 'looking', vote: 1 })
    bench.from(2, b.zxidFrame('ackNewLeader', 9, 3))
    t.strictSame([bench.persists, bench.zab.role], [[], 'looking'])
  }
  const bench = established()
  bench.from(3, b.followerInfo(3))
  bench.from(3, b.ackEpoch(4, { currentEpoch: 3, last: [3, 9] }))
  t.equal(bench.zab.role, 'leading', 'afterwards it is only a tail that was never committed')
  t.match(bench.sent(3)[1], { frame: 'trunc', zxid: 3, expectedEpoch: 3 })
})

t.test('ZAB-14 an epoch promised to another leader ends the leadership', async (t) => {
  for (const [accepted, from] of [
    [5, 3],
    [4, 3],
  ] as const) {
    const bench = established()
    bench.from(3, b.followerInfo(accepted, from))
    t.match(bench.said(), [/refused 3: it has promised/, /looking/])
    bench.from(2, b.notification(1, { currentEpoch: 4, lastZxid: 2 }))
    bench.from(3, b.notification(1, { currentEpoch: 3, lastZxid: 2 }))
    bench.from(2, b.followerInfo(4, 1, 2))
    t.match(bench.persists, [{ hardState: { acceptedEpoch: accepted + 1, acceptedFrom: 1 } }])
  }
  const bench = established()
  bench.from(3, b.followerInfo(4, 1))
  t.equal(bench.zab.role, 'leading', 'one that promised it to this leader may come back')
})

t.test('ZAB-15 what belongs to another epoch, join or link is ignored', async (t) => {
  const bench = established()
  bench.zab.propose(kit.proposal(1))
  bench.drain()
  bench.persist()
  bench.from(2, b.zxidFrame('ack', 3, 4))
  bench.from(2, b.zxidFrame('ack', 4, 4, 2))
  bench.from(2, b.zxidFrame('ack', 4, 4), 21)
  bench.from(3, b.zxidFrame('ack', 4, 4))
  t.strictSame(bench.said(), [])
  bench.open(2, 21)
  t.match(bench.said(), [/refused 2: the link was lost/, /looking/], 'a new link replaces the old')
})

t.test('ZAB-15 an acknowledgement of what was never sent refuses the learner', async (t) => {
  const bench = established()
  bench.from(2, b.zxidFrame('ack', 4, 9))
  t.match(bench.said(), [/refused 2: unexpected ack/])
  const other = leadingWith([3, 3])
  other.from(3, b.followerInfo(3))
  other.from(3, b.zxidFrame('ack', 4, 3))
  other.persist()
  t.strictSame(other.zab.role, 'looking', 'no ack before newLeader')
})

t.test('ZAB-15 what no learner sends, or sends again, changes nothing', async (t) => {
  const bench = established()
  bench.from(2, b.proposalFrame(4, kit.txnOf(4, 4)))
  bench.from(2, b.ackEpoch(4, { currentEpoch: 4, last: [3, 3] }))
  const { persists, zab } = bench
  t.strictSame([bench.said(), bench.sent(2), persists, zab.role], [[], [], [], 'leading'])
})

t.test('ZAB-15 a link to no other server of the ensemble is refused', async (t) => {
  const bench = established()
  for (const peer of [1, 9]) bench.open(peer)
  bench.drain()
  t.match(bench.said(), [/refused 1: it is no other/, /refused 9: it is no other/])
  t.equal(bench.lastNotification(9), undefined)
})

t.test('ZAB-38 a leader that retires has what it proposed committed first', async (t) => {
  const bench = established()
  bench.zab.propose(kit.proposal(1))
  bench.zab.retire()
  bench.drain()
  bench.persist()
  t.strictSame([bench.zab.role, bench.zab.hasRetired], ['leading', false])
  bench.from(2, b.zxidFrame('ack', 4, 4))
  t.strictSame(bench.said(), ['apply 4', 'looking 4 null'])
  t.match([bench.lastNotification(2), bench.zab.hasRetired], [{ vote: 0 }, true])
  t.strictSame(bench.sentNames(2), ['proposal', 'commit'])
})

t.test('ZAB-38 a leader that is not established owes nobody anything', async (t) => {
  const bench = leadingWith([3, 3])
  bench.zab.retire()
  bench.drain()
  t.match([bench.lastNotification(2), bench.zab.hasRetired], [{ vote: 0 }, true])
})

t.test('ZAB-16 a leader without a quorum steps down, at once when links are lost', async (t) => {
  const bench = established()
  bench.pass(1_000)
  t.equal(bench.zab.role, 'leading')
  bench.pass(100)
  t.strictSame(bench.said(), ['looking 4 null'])
  const cut = established()
  cut.lose(3)
  t.equal(cut.zab.role, 'leading', 'it was no learner')
  cut.lose(2)
  t.match(cut.said(), [/refused 2/, 'looking 4 null'])
  const heard = established()
  for (let i = 0; i < 20; i++) {
    heard.pass(100)
    const round = heard.lastRound(2)
    heard.from(2, b.heartbeatAck(4, round))
  }
  t.equal(heard.zab.role, 'leading')
})

t.test('ZAB-17 a late completion of an old role is no acknowledgement in the new', async (t) => {
  const bench = established()
  bench.zab.propose(kit.proposal(1))
  bench.drain()
  bench.lose(2)
  bench.open(2)
  bench.from(2, b.notification(1, { currentEpoch: 4, lastZxid: 3 }))
  bench.from(3, b.notification(1, { currentEpoch: 3, lastZxid: 3 }))
  bench.pass(500)
  t.match(bench.lastNotification(2), { vote: 0 }, 'it does not know its last zxid')
  bench.from(2, b.followerInfo(4, 1, 2))
  bench.persist()
  t.match(bench.lastNotification(2), { vote: 1, currentEpoch: 4, lastZxid: 4 })
  bench.persist()
  bench.from(2, b.ackEpoch(5, { currentEpoch: 4, last: [3, 3] }, 2))
  t.match(bench.persists, [{ hardState: { currentEpoch: 5 }, txns: [], commit: 3 }])
  bench.from(2, b.zxidFrame('ackNewLeader', 5, 4, 2))
  t.strictSame(bench.said().slice(-1), ['looking 4 null'])
  bench.persist()
  t.strictSame(bench.said(), ['apply 4', 'leading 5 1'], 'committed by the new epoch')
})

t.test('ZAB-4 a round is confirmed by acknowledgements of heartbeats sent after it', async (t) => {
  const bench = established()
  bench.pass(100)
  const earlier = bench.lastRound(2)
  const round = bench.zab.startRound()
  bench.from(2, b.heartbeatAck(4, earlier))
  t.strictSame(bench.said(), [`round ${earlier}`])
  bench.from(2, b.heartbeatAck(4, round + 1))
  t.strictSame(bench.said(), [], 'a round that never began')
  bench.from(2, b.heartbeatAck(4, round))
  t.strictSame(bench.said(), [`round ${round}`])
})
