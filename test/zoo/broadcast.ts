import type { Bug } from './bug.js'

const zab = 'server/src/core/zab'
const simulator = {
  rule: 'SIM-1',
  test: 'test/dist/sim/pinned.js',
  seeds: [1, 2, 3, 4, 5, 6],
} as const

/** Elections, synchronization and broadcast: bugs that lose or fork what was committed. */
export const broadcastBugs: readonly Bug[] = [
  {
    bug: 'ZOOKEEPER-1154',
    story: 'a learner keeps a tail that was never committed, where it had to be cut',
    ...simulator,
    file: `${zab}/alignment.ts`,
    before: 'epochs.epochAt(learner.zxid) === learner.epoch',
    after: 'learner.epoch >= 0',
  },
  {
    bug: 'ZOOKEEPER-2678',
    story: 'a learner acknowledges the history of its leader before it is durable',
    ...simulator,
    file: `${zab}/learner.ts`,
    before: `this.#stage = { stage: 'confirming', historyZxid: zxid }`,
    after: `this.#stage = { stage: 'acknowledged' }
    this.#send({ frame: 'ackNewLeader', ...this.#tag, zxid })`,
  },
  {
    bug: 'ZOOKEEPER-4643',
    story: 'a learner is in an epoch before it holds the history that the epoch began with',
    rule: 'ZAB-19',
    test: 'test/dist/server/core/zab/zab-learner.test.js',
    file: `${zab}/learner.ts`,
    before: 'journal.save({ acceptedEpoch: epoch, acceptedFrom: this.leader })',
    after: 'journal.save({ acceptedEpoch: epoch, currentEpoch: epoch, acceptedFrom: this.leader })',
  },
  {
    bug: 'etcd#14370',
    story: 'a leader counts itself before its own log is durable',
    ...simulator,
    file: `${zab}/leader.ts`,
    before: 'own: isCurrent ? journal.durable.zxid : notAcked',
    after: 'own: isCurrent ? journal.last.zxid : notAcked',
  },
  {
    bug: 'ZOOKEEPER-3911',
    story: 'a learner acknowledges proposals that are still on their way to its disk',
    ...simulator,
    file: `${zab}/learner.ts`,
    before: 'isAck ? this.#context.journal.durable.zxid',
    after: 'isAck ? this.#context.journal.last.zxid',
  },
  {
    bug: 'ZOOKEEPER-4925',
    story: 'a synchronization leaves out a txn, and the hole is passed on',
    ...simulator,
    file: `${zab}/learner-feed.ts`,
    before: 'this.#port.send(txn)',
    after: 'if (!this.isCaughtUp) this.#port.send(txn)',
  },
  {
    bug: 'Zab TLA+ 1',
    story: 'a learner is told that it has all while proposals are still to be sent to it',
    rule: 'ZAB-30',
    test: 'test/dist/server/core/zab/zab-synchronization.test.js',
    file: `${zab}/learner-handler.ts`,
    before: 'const isDue = feed.isCaughtUp && ',
    after: 'const isDue = feed.sentZxid >= 0 && ',
  },
  {
    bug: 'ZOOKEEPER-1653',
    story: 'a promise of an epoch leaves before it is durable, and is forgotten',
    rule: 'ZAB-18',
    test: 'test/dist/server/core/zab/zab-learner.test.js',
    file: `${zab}/learner.ts`,
    before: "this.#stage = { stage: 'promising' }",
    after: 'this.#ackEpoch()',
  },
  {
    bug: 'Keeper#91464',
    story: 'a server whose disk was wiped votes as if it had never promised anything',
    rule: 'ZAB-20',
    test: 'test/dist/server/core/zab/zab-model.test.js',
    file: `${zab}/credentials.ts`,
    before: 'server.currentEpoch === 0',
    after: 'server.currentEpoch < 0',
  },
  {
    bug: 'ZOOKEEPER-2832',
    story: 'who may lead is decided by the length of the log alone',
    rule: 'ZAB-29',
    test: 'test/dist/server/core/zab/zab-tables.test.js',
    file: `${zab}/credentials.ts`,
    before: 'a.currentEpoch - b.currentEpoch || a.lastZxid - b.lastZxid',
    after: 'a.lastZxid - b.lastZxid',
  },
  {
    bug: 'ZOOKEEPER-4712',
    story: 'what belongs to an epoch that is over is acted on in the next',
    rule: 'ZAB-15',
    test: 'test/dist/server/core/zab/zab-learner.test.js',
    file: `${zab}/learner.ts`,
    before: 'if (frame.epoch !== this.#epoch) return null',
    after: '',
  },
  {
    bug: 'ZOOKEEPER-1549',
    story: 'a server applies what is logged and not yet committed',
    ...simulator,
    file: `${zab}/learner.ts`,
    before: `journal.append(txn)
    this.#apply()`,
    after: `journal.append(txn)
    this.#context.delivery.commitTo(txn.zxid)`,
  },
]
