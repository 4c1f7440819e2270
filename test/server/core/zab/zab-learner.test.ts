import t from 'tap'
import * as kit from './zab-kit.js'
import * as b from './zab-bench.js'

const history = kit.logOf(1, 1, 3)

/** Has elected server 3 and asked to join it. */
const joining = (options: b.BenchOptions = {}): b.Bench => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, lastApplied: 1, ...options })
  const has = { currentEpoch: 3, lastZxid: 9 }
  bench.from(3, b.notification(3, has))
  bench.from(2, b.notification(3, has))
  return bench
}

/** Has promised epoch 4 to server 3 and told what it holds. */
const promised = (options: b.BenchOptions = {}): b.Bench => {
  const bench = joining(options)
  bench.from(3, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 })
  bench.persist()
  bench.sent(3)
  return bench
}

const following = (): b.Bench => {
  const bench = promised()
  bench.from(3, b.zxidFrame('diff', 4, 3))
  bench.from(3, b.zxidFrame('newLeader', 4, 3))
  bench.persist()
  bench.from(3, b.zxidFrame('upToDate', 4, 3))
  bench.sent(3)
  bench.said()
  return bench
}

const trunc = (zxid: number, expectedEpoch: number) =>
  ({
    frame: 'trunc',
    epoch: kit.epoch(4),
    join: 1,
    zxid: kit.zxid(zxid),
    expectedEpoch: kit.epoch(expectedEpoch),
  }) as const

t.test('ZAB-18 a learner promises durably before it says so', async (t) => {
  const bench = joining({ acceptedEpoch: 3, acceptedFrom: 2 })
  t.match(bench.sent(3), [{ frame: 'followerInfo', epoch: 3, acceptedFrom: 2, join: 1 }])
  bench.from(3, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 })
  t.match(bench.persists, [{ hardState: { acceptedEpoch: 4, acceptedFrom: 3, currentEpoch: 3 } }])
  t.strictSame(bench.sentNames(3), [])
  bench.persist()
  const last = { epoch: 3, zxid: 3 }
  t.match(bench.sent(3), [{ frame: 'ackEpoch', epoch: 4, join: 1, currentEpoch: 3, last }])
})

t.test('ZAB-18 an epoch is promised to one leader only, who may be joined again', async (t) => {
  const refused = joining({ acceptedEpoch: 4, acceptedFrom: 2 })
  refused.from(3, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 })
  t.match(refused.said(), [/refused 3: epoch 4 is promised/])
  t.strictSame(refused.persists, [])
  const again = joining({ acceptedEpoch: 4, acceptedFrom: 3 })
  again.sent(3)
  again.from(3, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 })
  t.strictSame([again.persists, again.sentNames(3)], [[], ['ackEpoch']])
})

t.test('ZAB-19 history is durable, then currentEpoch, then newLeader is acked', async (t) => {
  const bench = promised()
  bench.from(3, b.zxidFrame('diff', 4, 3))
  bench.from(3, b.proposalFrame(4, kit.txnOf(4, 3)))
  bench.from(3, b.proposalFrame(4, kit.txnOf(5, 3)))
  bench.from(3, b.zxidFrame('newLeader', 4, 5))
  t.match(bench.persists, [
    { txns: [{ zxid: 4 }], hardState: null },
    { txns: [{ zxid: 5 }], hardState: null },
    { txns: [], hardState: { currentEpoch: 4 } },
  ])
  bench.persist(2)
  t.strictSame(bench.sentNames(3), ['synced'], 'history alone is not enough')
  bench.persist(1)
  t.match(bench.sent(3), [{ frame: 'ackNewLeader', epoch: 4, join: 1, zxid: 5 }])
  t.strictSame(bench.said(), [], 'the leader is not established yet')
  bench.from(3, b.zxidFrame('upToDate', 4, 4))
  t.strictSame(bench.said(), ['apply 2', 'apply 3', 'apply 4', 'following 4 3'])
})

t.test('ZAB-21 a diverged tail is cut before anything is written after it', async (t) => {
  const bench = promised()
  bench.from(3, trunc(2, 1))
  bench.from(3, b.proposalFrame(4, kit.txnOf(3, 2, 77)))
  t.match(bench.persists, [
    { truncateAfter: 2, txns: [] },
    { truncateAfter: null, txns: [{ xid: 77 }] },
  ])
  t.strictSame(bench.zab.durable, { epoch: 1, zxid: 2 }, 'what was cut is not durable any more')
  bench.from(3, b.zxidFrame('newLeader', 4, 3))
  bench.persist()
  t.strictSame(bench.zab.durable, { epoch: 2, zxid: 3 })
  t.strictSame(bench.zab.epochsUpTo(kit.zxid(9)), [
    { epoch: 1, firstZxid: 1 },
    { epoch: 2, firstZxid: 3 },
  ])
})

t.test('ZAB-21 what was committed is never cut, what does not fit is refused', async (t) => {
  const loud = promised({ lastApplied: 3 })
  t.throws(() => loud.from(3, trunc(2, 1)), { name: 'InvariantError' })
  const bench = promised()
  bench.from(3, trunc(2, 2))
  t.match(bench.said(), [/refused 3: .*no common history/])
  t.strictSame([bench.persists, bench.log.last.zxid], [[], 3], 'the log is left as it is')
})

t.test('ZAB-22 a follower acks what is durable and applies what is committed', async (t) => {
  const bench = following()
  bench.from(3, b.proposalFrame(4, kit.txnOf(4, 4)))
  bench.from(3, b.proposalFrame(4, kit.txnOf(5, 4)))
  t.strictSame([bench.sentNames(3), bench.said()], [[], []])
  bench.from(3, b.zxidFrame('commit', 4, 4))
  t.strictSame([bench.sentNames(3), bench.said()], [[], ['apply 4']], 'applied, not acknowledged')
  bench.persist(1)
  t.match(bench.sent(3), [{ frame: 'ack', zxid: 4, epoch: 4, join: 1 }])
  bench.persist()
  t.match(bench.sent(3), [{ frame: 'ack', zxid: 5 }])
  t.strictSame(bench.said(), [])
  const round = 7
  bench.from(3, {
    frame: 'heartbeat',
    epoch: kit.epoch(4),
    join: 1,
    committed: kit.zxid(5),
    round,
  })
  t.strictSame(bench.said(), ['apply 5'])
  t.match(bench.sent(3), [{ frame: 'heartbeatAck', round }])
})

t.test('ZAB-15 a follower ignores other epochs, joins and servers', async (t) => {
  const bench = following()
  bench.from(3, b.proposalFrame(3, kit.txnOf(4, 4)))
  bench.from(3, b.proposalFrame(4, kit.txnOf(4, 4), 2))
  bench.from(2, b.proposalFrame(4, kit.txnOf(4, 4)))
  t.strictSame([bench.persists, bench.said(), bench.zab.role], [[], [], 'following'])
})

t.test('ZAB-23 an unexpected frame ends the join and changes nothing', async (t) => {
  const frames = [
    b.proposalFrame(4, kit.txnOf(5, 4)),
    b.proposalFrame(4, kit.txnOf(4, 2)),
    b.proposalFrame(4, kit.txnOf(4, 5)),
    b.zxidFrame('diff', 4, 3),
    b.zxidFrame('newLeader', 4, 3),
    b.zxidFrame('upToDate', 4, 3),
    b.zxidFrame('ack', 4, 3),
    trunc(2, 1),
  ]
  for (const frame of frames) {
    const bench = following()
    bench.from(3, frame)
    t.match(bench.said(), [/refused 3: unexpected/, 'looking 4 null'], frame.frame)
    t.strictSame([bench.persists, bench.log.last.zxid], [[], 3])
  }
})

t.test('ZAB-23 a frame that comes too early ends the join and changes nothing', async (t) => {
  const aligned = (): b.Bench => {
    const bench = promised()
    bench.from(3, b.zxidFrame('diff', 4, 3))
    return bench
  }
  const answer = { frame: 'answer', join: 1, zxid: kit.zxid(3), answers: [] } as const
  for (const [make, frame] of [
    [promised, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 }],
    [promised, b.zxidFrame('diff', 4, 2)],
    [aligned, b.zxidFrame('newLeader', 4, 2)],
    [aligned, b.zxidFrame('commit', 4, 3)],
    [aligned, { ...answer, epoch: kit.epoch(4) }],
  ] as const) {
    const bench = make()
    bench.said()
    bench.from(3, frame)
    t.match(bench.said(), [/refused 3: unexpected/], frame.frame)
    t.strictSame([bench.persists, bench.log.last.zxid], [[], 3])
  }
})

t.test('ZAB-32 a learner that cannot be taught says why, and stays', async (t) => {
  const bench = promised()
  bench.said()
  bench.from(3, { frame: 'refused', epoch: kit.epoch(4), join: 1, why: 'there is no space' })
  t.strictSame(bench.said(), ['refused 3: there is no space'])
  t.match(bench.lastNotification(2), { vote: 3 })
})

t.test('ZAB-24 a follower abandons a silent, lost or departed leader', async (t) => {
  const silent = following()
  silent.pass(1_000)
  t.equal(silent.zab.role, 'following')
  silent.pass(100)
  t.strictSame(silent.said(), ['refused 3: the leader fell silent', 'looking 4 null'])
  const lost = following()
  lost.lose(2)
  t.equal(lost.zab.role, 'following')
  lost.lose(3)
  t.match(lost.said(), [/refused 3: the link/, 'looking 4 null'])
  const left = following()
  left.from(3, b.notification(3, { epoch: 4 }, 'leading'))
  t.equal(left.zab.role, 'following')
  left.from(3, b.notification(3, { epoch: 0, currentEpoch: 4 }))
  t.match(left.said(), [/refused 3: the leader has left/, 'looking 4 null'])
})

t.test('ZAB-24 after a stall what was said meanwhile is heard before silence counts', async (t) => {
  const bench = following()
  bench.zab.tick(60_000)
  t.equal(bench.zab.role, 'following')
})

t.test('ZAB-25 votes settle for a moment, unless all that are linked agree', async (t) => {
  const has = { currentEpoch: 3, lastZxid: 9 }
  const bench = new b.Bench({ txns: history, currentEpoch: 3 })
  bench.from(2, b.notification(2, has))
  t.strictSame(bench.sentNames(2), [])
  t.match(bench.lastNotification(3), { vote: 2 })
  bench.pass(50)
  t.strictSame(bench.sentNames(2), ['followerInfo'])
  const changed = new b.Bench({ txns: history, currentEpoch: 3 })
  changed.from(2, b.notification(2, has))
  changed.from(3, b.notification(3, { ...has, lastZxid: 10 }))
  changed.from(2, b.notification(3, has))
  t.strictSame([changed.sentNames(2), changed.sentNames(3)], [[], ['followerInfo']])
  const alone = new b.Bench({ txns: history, currentEpoch: 3 })
  alone.lose(3)
  alone.from(2, b.notification(2, has))
  t.strictSame(alone.sentNames(2), ['followerInfo'], 'nobody else could say anything')
})

t.test('ZAB-25 a fresh vote counts for nothing', async (t) => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3 })
  for (let i = 0; i < 5; i++) {
    bench.from(2, b.notification(1))
    bench.pass(100)
  }
  t.strictSame([bench.zab.role, bench.persists], ['looking', []])
  bench.from(3, b.notification(1, { currentEpoch: 1 }))
  bench.from(3, b.followerInfo(1))
  t.equal(bench.persists.length, 1)
})

t.test('ZAB-26 an established leader is joined and not disturbed', async (t) => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3 })
  bench.from(2, b.notification(2, { epoch: 4 }, 'leading'))
  bench.pass(50)
  t.match(bench.sent(2), [{ frame: 'followerInfo', epoch: 3 }], 'also by one with a longer history')
  const other = following()
  other.from(2, b.notification(2, { currentEpoch: 3, lastZxid: 99 }))
  t.match(
    [other.zab.role, other.lastNotification(2)],
    ['following', { state: 'following', vote: 3 }],
  )
})
