import { limits } from '@conclave/protocol'
import t from 'tap'
import type { Txn } from '@conclave/protocol/peer'
import type { Effect } from '#server/core/effect.js'
import type { Ticket } from '#server/core/input.js'
import { Zab } from '#server/core/zab/zab.js'
import * as kit from './zab-kit.js'

const started = (txns: readonly Txn[] = [], currentEpoch = 0, lastApplied = 0) => {
  const said: string[] = []
  const zab = new Zab(
    kit.configOf(1, [1]),
    {
      hardState: kit.hardStateOf(1, [1], { currentEpoch }),
      epochs: kit.epochsOf(txns),
      lastApplied: kit.zxid(lastApplied),
    },
    new kit.MemoryLog(txns),
    new kit.HandReader(),
    {
      apply: (txn) => said.push(`apply ${txn.zxid}`),
      roundConfirmed: (round) => said.push(`round ${round}`),
      roleChanged: (role, epoch, leader) => said.push(`${role} ${epoch} ${leader}`),
      ...nobody,
      snapshotWanted: () => undefined,
      resync: () => undefined,
      trace: () => undefined,
    },
  )
  return { zab, said }
}

/** There are no other servers. */
const nobody = { asked: () => undefined, answered: () => undefined, learnerLost: () => undefined }

const persist = (effects: readonly Effect[]) => {
  const found = kit.persistOf(effects)
  if (found === undefined) throw new Error('nothing to persist')
  return found
}

const established = (zab: Zab): void => {
  zab.tick(0)
  zab.persisted(persist(zab.drain()).ticket)
  zab.persisted(persist(zab.drain()).ticket)
}

t.test('ZAB-1 a single voter promises its epoch, then makes it current, then leads', async (t) => {
  const { zab, said } = started()
  t.strictSame(zab.drain(), [], 'nothing happens before the first tick')
  zab.tick(1_000)
  const base = kit.hardStateOf(1, [1], { acceptedEpoch: 1, acceptedFrom: 1 })
  const write = { effect: 'persist', truncateAfter: null, txns: [], commit: 0 }
  t.strictSame(zab.drain(), [{ ...write, ticket: 1, hardState: base }])
  t.strictSame(zab.drain(), [], 'and waits for its disk')
  zab.persisted(1 as Ticket)
  t.equal(zab.role, 'looking')
  t.strictSame(zab.drain(), [{ ...write, ticket: 2, hardState: { ...base, currentEpoch: 1 } }])
  t.strictSame(said, [])
  zab.persisted(2 as Ticket)
  t.strictSame(said, ['leading 1 1'])
  t.strictSame([zab.role, zab.epoch, zab.leader], ['leading', 1, 1])
})

t.test('ZAB-2 establishment commits the whole initial history before it leads', async (t) => {
  const { zab, said } = started(kit.logOf(1, 1, 4), 5, 1)
  established(zab)
  t.strictSame(said, ['apply 2', 'apply 3', 'leading 6 1'])
  t.equal(zab.lastCommitted, 3)
  t.strictSame(zab.durable, { epoch: 4, zxid: 3 })
})

t.test('ZAB-3 a proposal gets the next zxid and is committed once it is durable', async (t) => {
  const { zab, said } = started(kit.logOf(1, 1), 1, 2)
  established(zab)
  said.length = 0
  const first = zab.propose(kit.proposal(7))
  const second = zab.propose(kit.proposal(8))
  t.match(
    [first, second],
    [
      { zxid: 3, epoch: 2 },
      { zxid: 4, epoch: 2 },
    ],
  )
  const write = persist(zab.drain())
  t.strictSame(write.txns, [first, second], 'one persist for all that came between two drains')
  const later = zab.propose(kit.proposal(9))
  const laterWrite = persist(zab.drain())
  t.strictSame(said, [])
  zab.persisted(write.ticket)
  t.strictSame(said, ['apply 3', 'apply 4'])
  zab.persisted(laterWrite.ticket)
  t.strictSame(said, ['apply 3', 'apply 4', 'apply 5'])
  t.equal(persist([...propose(zab), ...zab.drain()]).commit, later.zxid, 'a write carries the mark')
})

t.test('ZAB-3 tickets are cumulative', async (t) => {
  const { zab, said } = started([], 1)
  established(zab)
  said.length = 0
  for (let mark = 1; mark <= 3; mark++) {
    zab.propose(kit.proposal(mark))
    zab.drain()
  }
  zab.persisted(4 as Ticket)
  t.strictSame(said, ['apply 1', 'apply 2'])
  zab.persisted(5 as Ticket)
  t.strictSame(said, ['apply 1', 'apply 2', 'apply 3'])
  t.throws(() => zab.persisted(6 as Ticket), /only what was asked for/)
})

t.test('ZAB-4 a round is confirmed by a quorum of self through a drain', async (t) => {
  const { zab, said } = started([], 1)
  t.throws(() => zab.startRound(), /only a leader/)
  t.throws(() => zab.propose(kit.proposal(1)), /only a leader/)
  established(zab)
  said.length = 0
  const round = zab.startRound()
  t.equal(zab.startRound(), round, 'shared by all that ask before the drain')
  t.strictSame(said, [])
  zab.drain()
  t.strictSame(said, [`round ${round}`])
  t.equal(zab.startRound(), round + 1, 'never one that has already begun')
})

t.test('ZAB-5 the ensemble id becomes part of the hard state, once', async (t) => {
  const { zab } = started([], 1)
  established(zab)
  zab.ensembleIdLearned('one')
  t.match(persist(zab.drain()), { hardState: { ensembleId: 'one', currentEpoch: 2 } })
  zab.ensembleIdLearned('one')
  t.strictSame(zab.drain(), [])
})

t.test('ZAB-6 a server that rejoins never takes part in a first election', async (t) => {
  const zab = new Zab(
    kit.configOf(1, [1]),
    {
      hardState: { ...kit.hardStateOf(1, [1]), rejoining: true },
      epochs: [],
      lastApplied: kit.zxid(0),
    },
    new kit.MemoryLog(),
    new kit.HandReader(),
    {
      apply: () => undefined,
      roundConfirmed: () => undefined,
      roleChanged: () => undefined,
      ...nobody,
      snapshotWanted: () => undefined,
      resync: () => undefined,
      trace: () => undefined,
    },
  )
  for (let nowMs = 0; nowMs < 5_000; nowMs += 50) zab.tick(nowMs)
  t.strictSame(zab.drain(), [])
})

const propose = (zab: Zab): readonly Effect[] => {
  zab.propose(kit.proposal(0))
  return []
}

t.test('LIMIT-19 a turn applies a bounded number of changes', async (t) => {
  const perTurn = limits.changesPerTurnMax
  const { zab, said } = started(kit.logOf(...Array<number>(2 * perTurn).fill(1)), 5, 0)
  established(zab)
  t.equal(said.length, perTurn, 'a txn without changes counts as one')
  t.equal(zab.role, 'looking', 'what it begins with is not applied yet')
  t.ok(zab.hasOutput)
  zab.drain()
  t.equal(said.length, perTurn, 'the turn is over')
  zab.drain()
  t.equal(said.length, 2 * perTurn + 1)
  t.equal(said.at(-1), 'leading 6 1')
  t.notOk(zab.hasOutput)
})
