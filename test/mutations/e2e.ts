import type { Mutation } from './mutation.js'

const kill = 'test/dist/e2e/kill.test.js'
const ensemble = 'test/dist/e2e/ensemble.test.js'
const raw = 'test/dist/e2e/raw-protocol.test.js'
const rawSession = 'test/dist/e2e/raw-session.test.js'
const page = 'test/dist/e2e/protocol-page.test.js'

/** At least one for each rule of PROTO and E2E. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'PROTO-1',
    file: 'server/src/core/pipeline/attaching.ts',
    before: 'resumed: phase.resumes,',
    after: 'resumed: !phase.resumes,',
    test: raw,
  },
  {
    rule: 'PROTO-2',
    file: 'server/src/core/tree/znode.ts',
    before: 'dataLength: znode.dataLength,',
    after: 'dataLength: znode.dataLength + 1,',
    test: raw,
  },
  {
    rule: 'PROTO-3',
    file: 'protocol/src/op.ts',
    before: 'check: read(5, { path, version, linearizable }, {}),',
    after: 'check: read(5, { path, linearizable, version }, {}),',
    test: raw,
  },
  {
    rule: 'PROTO-4',
    file: 'protocol/src/op.ts',
    before: 'linearizable, cursor, limit: uint(), withStat: boolean },',
    after: 'linearizable, cursor, withStat: boolean, limit: uint() },',
    test: raw,
  },
  {
    rule: 'PROTO-5',
    file: 'protocol/src/op.ts',
    before: 'ephemeralOwner: { tag: 4,',
    after: 'ephemeralOwner: { tag: 6,',
    test: raw,
  },
  {
    rule: 'PROTO-6',
    file: 'protocol/src/op.ts',
    before: 'getAcl: { tag: 13, fields: { path } },',
    after: 'getAcl: { tag: 14, fields: { path } },',
    test: raw,
  },
  {
    rule: 'PROTO-7',
    file: 'server/src/core/pipeline/read.ts',
    before: 'id: `${entry.id.slice(0,',
    after: 'id: `${entry.id}${entry.id.slice(0,',
    test: raw,
  },
  {
    rule: 'PROTO-8',
    file: 'server/src/core/watch/events.ts',
    before: "push(events, 'dataChanged', change, dataOnly,",
    after: "push(events, 'dataChanged', change, childOnly,",
    test: rawSession,
  },
  {
    rule: 'PROTO-9',
    file: 'server/src/core/watch/events.ts',
    before: 'event.index > position.index)',
    after: 'event.index >= position.index)',
    test: rawSession,
  },
  {
    rule: 'PROTO-10',
    file: 'server/src/core/pipeline/answering.ts',
    before: 'if (frame.xid <= Math.max(session.ackedXid, ackedXid)) return',
    after: 'if (frame.xid <= Math.max(session.ackedXid * 0, ackedXid * 0)) return',
    test: 'test/dist/e2e/raw-session.test.js',
  },
  {
    rule: 'PROTO-11',
    file: 'protocol/src/frames.ts',
    before: 'pong: { tag: 3,',
    after: 'pong: { tag: 13,',
    test: rawSession,
  },
  {
    rule: 'PROTO-12',
    file: 'server/src/core/pipeline/attaching.ts',
    before: 'complete: true,',
    after: 'complete: false,',
    test: rawSession,
  },
  {
    rule: 'PROTO-13',
    file: 'server/src/core/pipeline/attaching.ts',
    before: "this.#end(connection, 'wrongNonce')",
    after: "this.#end(connection, 'unknown')",
    test: rawSession,
  },
  {
    rule: 'PROTO-14',
    file: 'protocol/src/frames.ts',
    before: 'badFrame: 4400,',
    after: 'badFrame: 4401,',
    test: rawSession,
  },
  {
    rule: 'PROTO-15',
    file: 'protocol/src/acl.ts',
    before: 'if (entry.permissions > permissions.all) return',
    after: 'if (entry.permissions > 63) return',
    test: rawSession,
  },
  {
    rule: 'PROTO-16',
    file: 'protocol/src/frames.ts',
    before: 'closing: { tag: 10,',
    after: 'closing: { tag: 11,',
    test: page,
  },
  {
    // The snapshot does not add up to its digest: no start after a kill that it survives.
    rule: 'E2E-1',
    file: 'server/src/core/session/session-table.ts',
    before: 'const results = state.results.toEntries()',
    after: 'const results = state.results.toEntries().slice(1)',
    test: kill,
  },
  {
    rule: 'E2E-2',
    file: 'server/src/core/pipeline/leadership.ts',
    before: 'session.results.get(xid) !== undefined)',
    after: 'session.results.get(xid)?.failure === null)',
    test: 'test/dist/e2e/kill.test.js',
  },
  {
    // Acknowledged before it is written; at once after it, one run in ten would not see it.
    rule: 'E2E-3',
    file: 'server/src/runtime/node.ts',
    before: 'return storage.persist(effect, () => {',
    after:
      'setTimeout(() => storage.persist(effect, () => undefined), 5)\n' +
      '        return void setImmediate(() => {',
    test: kill,
  },
  {
    // Sent again under a new xid.
    rule: 'E2E-4',
    file: 'client-sdk/src/session/pending-requests.ts',
    before: 'if (outlivesConnection(request)) this.#toSend.push(request)',
    after:
      'if (!outlivesConnection(request) || request.madeOn === -this.#connection) continue\n' +
      '      request.madeOn = -this.#connection\n' +
      '      this.#unanswered.delete(request.xid)\n' +
      '      this.#number(request)\n' +
      '      this.#toSend.push(request)',
    test: kill,
  },
  {
    rule: 'E2E-5',
    file: 'server/src/core/pipeline/leadership.ts',
    before: 'session.results.get(xid) !== undefined)',
    after: '(session.results.get(xid) !== undefined && xid % 2 === 0))',
    test: 'test/dist/e2e/kill.test.js',
  },
  {
    rule: 'E2E-6',
    file: 'server/src/core/pipeline/leadership.ts',
    before: 'this.#expiry.add(session.sessionId, session.sessionTimeoutMs)',
    after: 'this.#expiry.add(session.sessionId, session.sessionTimeoutMs / 1_000)',
    test: kill,
  },
  {
    // The snapshot shows sessions as they became while it was written.
    rule: 'E2E-7',
    file: 'server/src/core/session/session-table.ts',
    before: 'this.#frozen?.touch(entry)\n    const { results } = entry.state',
    after: 'const { results } = entry.state',
    test: kill,
  },
  {
    rule: 'E2E-8',
    file: 'server/src/core/tree/data-tree.ts',
    before: 'childrenCreated.set(parent, ordinal + 1)\n    pzxid.set(parent, zxid)',
    after: 'childrenCreated.set(parent, ordinal + 1)\n    if (ordinal < 0) pzxid.set(parent, zxid)',
    test: kill,
  },
  {
    // A majority is not enough.
    rule: 'E2E-9',
    file: 'server/src/core/zab/quorum.ts',
    before: 'Math.floor(voters / 2) + 1',
    after: 'voters',
    test: ensemble,
  },
  {
    rule: 'E2E-10',
    file: 'server/src/core/pipeline/leadership.ts',
    before: 'this.#expiry.add(session.sessionId, session.sessionTimeoutMs)',
    after: 'this.#expiry.add(session.sessionId, session.sessionTimeoutMs / 1_000)',
    test: ensemble,
  },
  {
    // A follower logs something else than its leader; no state and no answer shows it.
    rule: 'E2E-11',
    file: 'server/src/core/zab/learner.ts',
    before: 'journal.append(txn)',
    after: "journal.append(txn.body.body === 'error' ? { ...txn, timeMs: txn.timeMs + 1 } : txn)",
    test: ensemble,
  },
  {
    // Less than a majority is enough.
    rule: 'E2E-12',
    file: 'server/src/core/zab/quorum.ts',
    before: 'Math.floor(voters / 2) + 1',
    after: 'Math.floor(voters / 2)',
    test: ensemble,
  },
  {
    // Nothing is ever purged.
    rule: 'E2E-20',
    file: 'server/src/runtime/storage/purge.ts',
    before: 'if (kept === options.snapshotsKept) return snapshot',
    after: 'if (kept < 0) return snapshot',
    test: ensemble,
  },
]
