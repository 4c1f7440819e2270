import type { Bug } from './bug.js'

const pipeline = 'server/src/core/pipeline'
const watch = 'server/src/core/watch'
const tests = 'test/dist/server/core'

/** Watches, streams and reads: bugs that lose, double or leak what happened. */
export const watchBugs: readonly Bug[] = [
  {
    bug: 'etcd#17529',
    story: 'a stream that resumes below what is compacted goes on without a word',
    rule: 'STREAM-6',
    file: `${pipeline}/watching.ts`,
    before: 'if (txns === null) this.#gap(stream, stream.position.zxid)',
    after: 'if (txns === null) this.#finish(stream)',
    test: `${tests}/watch/stream-resume.test.js`,
  },
  {
    bug: 'etcd#15220',
    story: 'a stream from a position of the future gets what was before it',
    rule: 'STREAM-7',
    file: `${pipeline}/watching.ts`,
    before: 'from.ensembleId !== ensembleId || from.zxid > lastApplied.zxid',
    after: 'from.ensembleId !== ensembleId || lastApplied.zxid < 0',
    test: `${tests}/watch/stream-resume.test.js`,
  },
  {
    bug: 'etcd#15271',
    story: 'a stream that resumes gets the last event again',
    rule: 'STREAM-5',
    file: `${watch}/events.ts`,
    before: 'event.zxid === position.zxid && event.index > position.index',
    after: 'event.zxid === position.zxid && event.index >= position.index',
    test: `${tests}/watch/stream-resume.test.js`,
  },
  {
    bug: 'etcd#19179',
    story: 'a slow reader makes a replay lose the rest of a piece',
    rule: 'STREAM-15',
    file: `${pipeline}/watching.ts`,
    before: 'if (!this.#audience.isReady(stream.connection)) return',
    after: 'if (!this.#audience.isReady(stream.connection)) stream.position = this.#now()',
    test: `${tests}/watch/stream-resume.test.js`,
  },
  {
    bug: 'ZOOKEEPER-1412',
    story: 'an exists watch that is armed again misses a create that a delete has undone',
    rule: 'WATCH-12',
    file: `${pipeline}/watching.ts`,
    before: 'if (this.#reaches(op.fromZxid) && this.#lag(op.fromZxid) <= rearmTxnsMax) {',
    after: 'if (this.#reaches(op.fromZxid) && this.#lag(op.fromZxid) > rearmTxnsMax) {',
    test: `${tests}/watch/rearm.test.js`,
  },
  {
    bug: 'CVE-2024-23944',
    story: 'a recursive watch tells of what its watcher may not read',
    rule: 'STREAM-13',
    file: `${pipeline}/watching.ts`,
    before: `if (!allows(event.acl, 'read', this.#audience.identities(connection))) return
    const detail`,
    after: 'const detail',
    test: `${tests}/watch/streams.test.js`,
  },
  {
    bug: 'GHSA-xg4h-6gfc-h4m8',
    story: 'a one-shot watch fires for what its watcher may not read',
    rule: 'WATCH-16',
    file: `${pipeline}/watching.ts`,
    before: "if (!allows(event.acl, 'read', this.#audience.identities(connection))) continue",
    after: '',
    test: `${tests}/watch/one-shot.test.js`,
  },
  {
    bug: 'CVE-2026-33343',
    story: 'a compare of a transaction reads what its sender may not',
    rule: 'MULTI-8',
    file: `${pipeline}/prepare.ts`,
    before: "if (!allows(znode.acl, 'read', judgement.identities)) return noAuth('read', compare",
    after: "if (compare.path === '') return noAuth('read', compare",
    test: `${tests}/pipeline/multi-guards.test.js`,
  },
  {
    bug: 'CVE-2019-0201',
    story: 'getAcl shows the hashes of passwords to whoever may read',
    rule: 'ACL-9',
    file: `${pipeline}/read.ts`,
    before: 'mayAdmin ? acl : masked(acl)',
    after: 'mayAdmin || !mayAdmin ? acl : masked(acl)',
    test: `${tests}/pipeline/acl.test.js`,
  },
  {
    bug: 'ZOOKEEPER-1675',
    story: 'a sync is answered by a leader that may have been deposed',
    rule: 'READ-4',
    file: `${pipeline}/request.ts`,
    before: "op.op === 'sync' || ('linearizable' in op && op.linearizable)",
    after: "'linearizable' in op && op.linearizable",
    test: `${tests}/pipeline/ensemble.test.js`,
  },
  {
    bug: 'etcd#20418',
    story: 'a linearizable read is answered for the confirmation of an earlier round',
    rule: 'READ-3',
    file: `${pipeline}/serving.ts`,
    before: 'awaited <= round)',
    after: 'awaited <= round + 1)',
    test: `${tests}/pipeline/ensemble.test.js`,
  },
  {
    bug: 'ZOOKEEPER-1505',
    story: 'an event comes after the reply that shows what it tells',
    rule: 'WATCH-8',
    file: 'server/src/core/replica.ts',
    before: `this.#watching.trigger(txn)
    this.#serving.applied(applied)`,
    after: `this.#serving.applied(applied)
    this.#watching.trigger(txn)`,
    test: `${tests}/watch/one-shot.test.js`,
  },
  {
    bug: 'ws#492',
    story: 'what a client does not read is kept for it without bound',
    rule: 'STREAM-15',
    file: 'server/src/runtime/net/client-socket.ts',
    before: 'if (this.#socket.bufferedAmount <= limits.outboxBytesHard) return this.#measure()',
    after: 'if (this.#socket.bufferedAmount >= 0) return this.#measure()',
    test: 'test/dist/server/runtime/net/slow-consumer.test.js',
  },
  {
    bug: 'PagerDuty 2013',
    story: 'a broken invariant ends a part of the server, and the rest goes on',
    rule: 'SERVER-12',
    file: 'server/src/runtime/node.ts',
    before: `this.stop()
      this.#ports.onFatal(error as Error)`,
    after: 'this.#ports.log.error(error)',
    test: 'test/dist/server/runtime/node.test.js',
  },
]
