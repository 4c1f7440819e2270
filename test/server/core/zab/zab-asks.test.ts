import type { PeerFrame } from '@conclave/protocol/peer'
import t from 'tap'
import * as kit from './zab-kit.js'
import * as b from './zab-bench.js'

const history = kit.logOf(1, 1, 3)

const ask = (ofEpoch: number, join = 1): PeerFrame => ({
  frame: 'ask',
  epoch: kit.epoch(ofEpoch),
  join,
  asks: [{ ask: 'round', round: 1 }],
})

const answer = (ofEpoch: number, join = 1): PeerFrame => ({
  frame: 'answer',
  epoch: kit.epoch(ofEpoch),
  join,
  zxid: kit.zxid(3),
  answers: [],
})

t.test('ZAB-43 a leader is asked by who is up to date, in its present join', async (t) => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, lastApplied: 1 })
  const has = { currentEpoch: 2, lastZxid: 2 }
  bench.from(2, b.notification(1, has))
  bench.from(3, b.notification(1, has))
  bench.from(2, b.followerInfo(3))
  bench.persist()
  bench.from(2, b.ackEpoch(4, { currentEpoch: 3, last: [3, 3] }))
  bench.from(2, ask(4))
  bench.persist()
  bench.from(2, b.zxidFrame('ackNewLeader', 4, 3))
  bench.said()
  for (const frame of [ask(3), ask(4, 2), ask(4)]) bench.from(2, frame)
  bench.from(3, ask(4))
  t.strictSame(bench.said(), ['asked by 2: 1'])
  t.strictSame(bench.lost, [])
  bench.from(2, b.followerInfo(4, 1, 2))
  bench.from(2, ask(4))
  bench.from(2, ask(4, 2))
  t.strictSame([bench.said(), bench.lost], [[], [2]], 'it joins anew')
  bench.lose(2)
  t.strictSame(bench.lost, [2, 2])
})

t.test('ZAB-43 a follower hears answers in its join once it is up to date', async (t) => {
  const bench = new b.Bench({ txns: history, currentEpoch: 3, lastApplied: 1 })
  bench.from(3, b.notification(3, { currentEpoch: 3, lastZxid: 3 }))
  bench.from(2, b.notification(3, { currentEpoch: 3, lastZxid: 3 }))
  bench.from(3, { frame: 'leaderInfo', epoch: kit.epoch(4), join: 1 })
  bench.persist()
  bench.from(3, b.zxidFrame('diff', 4, 3))
  bench.from(3, b.zxidFrame('newLeader', 4, 3))
  bench.persist()
  bench.from(3, b.zxidFrame('upToDate', 4, 3))
  bench.said()
  bench.sent(3)
  for (const frame of [answer(3), answer(4, 2), answer(4)]) bench.from(3, frame)
  bench.from(2, answer(4))
  t.strictSame(bench.said(), ['answered 0'])
  bench.zab.toLeader([{ ask: 'round', round: 7 }])
  bench.drain()
  t.match(bench.sent(3), [{ frame: 'ask', epoch: 4, join: 1, asks: [{ round: 7 }] }])
})
