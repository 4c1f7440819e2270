import t from 'tap'
import { epochAbove, judgeLeaderInfo, judgeOffers } from '#server/core/zab/discovery.js'
import { compareCredentials } from '#server/core/zab/credentials.js'
import { EpochTable } from '#server/core/zab/epoch-table.js'
import { majority, quorumHighest } from '#server/core/zab/quorum.js'
import { planAlignment } from '#server/core/zab/alignment.js'
import { epoch, epochsOf, logOf, server, zxid } from './zab-kit.js'

t.test('ZAB-27 a quorum is a majority, and has reached its lowest highest value', async (t) => {
  t.strictSame([1, 2, 3, 4, 5, 7].map(majority), [1, 2, 2, 3, 3, 4])
  for (const [values, expected] of [
    [[4], 4],
    [[4, 9], 4],
    [[4, 9, 0], 4],
    [[-1, 9, -1], -1],
    [[1, 2, 3, 4], 2],
    [[5, 1, 4, 2, 3], 3],
  ] as const) {
    t.equal(quorumHighest(values), expected, values.join())
  }
})

t.test('ZAB-28 the epoch table tells the epoch of every record', async (t) => {
  const table = new EpochTable(epochsOf(logOf(1, 1, 3, 3, 4)))
  const at = (last: number) =>
    Array.from({ length: last + 1 }, (_, value) => table.epochAt(zxid(value)))
  t.strictSame(at(6), [0, 1, 1, 3, 3, 4, 4])
  const through = [0, 1, 2, 3, 4, 5].map((value) => table.lastZxidThrough(epoch(value), zxid(5)))
  t.strictSame(through, [0, 2, 2, 4, 5, 5])
  t.strictSame(table.upTo(zxid(3)), [
    { epoch: 1, firstZxid: 1 },
    { epoch: 3, firstZxid: 3 },
  ])
  table.truncateAfter(zxid(3))
  table.append({ epoch: epoch(3), zxid: zxid(4) })
  table.append({ epoch: epoch(7), zxid: zxid(5) })
  t.strictSame(at(5), [0, 1, 1, 3, 3, 7])
  t.throws(() => table.append({ epoch: epoch(6), zxid: zxid(6) }), /never fall/)
  t.throws(() => new EpochTable([...epochsOf(logOf(2)), ...epochsOf(logOf(1))]), /ascends/)
})

t.test('ZAB-10 how far a learner is cut, as a table', async (t) => {
  const plan = (leader: readonly number[], learner: readonly [number, number]) => {
    const log = logOf(...leader)
    const history = {
      last: log.at(-1) ?? { epoch: epoch(0), zxid: zxid(0) },
      epochs: new EpochTable(epochsOf(log)),
    }
    const found = planAlignment(history, { epoch: epoch(learner[0]), zxid: zxid(learner[1]) })
    return found.frame === 'diff'
      ? `diff ${found.zxid}`
      : `trunc ${found.zxid} of ${found.expectedEpoch}`
  }
  t.equal(plan([], [0, 0]), 'diff 0')
  t.equal(plan([], [1, 3]), 'trunc 0 of 0')
  t.equal(plan([2, 2], [1, 1]), 'trunc 0 of 0')
  t.equal(plan([1, 1, 2, 2, 4], [3, 10]), 'trunc 4 of 2')
  t.equal(plan([1, 1, 2, 2, 4], [2, 3]), 'diff 3')
  t.equal(plan([1, 1, 2, 2, 4], [4, 7]), 'trunc 5 of 4')
  t.equal(plan([1, 1, 2, 2, 4], [1, 4]), 'trunc 2 of 1')
  t.equal(plan([1, 1, 2, 2, 4], [4, 5]), 'diff 5')
})

t.test('ZAB-29 who may lead is decided by currentEpoch, then zxid, then id', async (t) => {
  const of = (currentEpoch: number, lastZxid: number, id: number) => ({
    currentEpoch: epoch(currentEpoch),
    lastZxid: zxid(lastZxid),
    serverId: server(id),
  })
  const ascending = [of(0, 9, 9), of(1, 2, 1), of(1, 2, 2), of(1, 3, 1), of(2, 0, 1)]
  for (const [index, lower] of ascending.entries()) {
    for (const higher of ascending.slice(index + 1)) {
      t.ok(compareCredentials(lower, higher) < 0)
      t.ok(compareCredentials(higher, lower) > 0)
    }
  }
})

t.test('ZAB-12 whether offers are enough to lead, as a table', async (t) => {
  const old = { currentEpoch: epoch(2), lastZxid: zxid(5), rejoining: false, bootstrap: false }
  const empty = { ...old, lastZxid: zxid(0) }
  const fresh = { ...empty, currentEpoch: epoch(0) }
  const rejoining = { ...fresh, rejoining: true }
  t.equal(judgeOffers([old, old, undefined]), 'quorum')
  t.equal(judgeOffers([old, fresh, undefined]), 'tooFew')
  t.equal(judgeOffers([old, fresh, fresh]), 'tooFew')
  t.equal(judgeOffers([fresh, fresh, undefined]), 'tooFew')
  t.equal(judgeOffers([fresh, fresh, fresh]), 'founding')
  t.equal(judgeOffers([fresh, empty, fresh]), 'founding')
  t.equal(judgeOffers([fresh, rejoining, fresh]), 'tooFew')
  t.equal(judgeOffers([fresh]), 'founding')
  t.equal(judgeOffers([old]), 'quorum')
})

t.test('ZAB-34 a majority that is told that the ensemble is new may found it', async (t) => {
  const told = { currentEpoch: epoch(0), lastZxid: zxid(0), rejoining: false, bootstrap: true }
  const untold = { ...told, bootstrap: false }
  t.equal(judgeOffers([told, told, undefined]), 'founding')
  t.equal(judgeOffers([told, undefined, undefined]), 'tooFew')
  t.equal(judgeOffers([told, untold, undefined]), 'tooFew')
  t.equal(judgeOffers([told, untold, untold]), 'founding', 'all of them need not be told')
  t.equal(judgeOffers([told, { ...told, rejoining: true }, undefined]), 'tooFew')
  t.equal(judgeOffers([told, { ...told, currentEpoch: epoch(1) }, undefined]), 'tooFew')
})

t.test('ZAB-18 what a learner answers to a leaderInfo, as a table', async (t) => {
  const promised = { acceptedEpoch: epoch(4), acceptedFrom: server(2) }
  t.equal(judgeLeaderInfo(promised, { epoch: epoch(5), leader: server(3) }), 'promise')
  t.equal(judgeLeaderInfo(promised, { epoch: epoch(4), leader: server(2) }), 'rejoin')
  t.equal(judgeLeaderInfo(promised, { epoch: epoch(4), leader: server(3) }), 'refuse')
  t.equal(judgeLeaderInfo(promised, { epoch: epoch(3), leader: server(2) }), 'refuse')
  t.equal(epochAbove([epoch(3), epoch(7), epoch(0)]), 8)
})
