import type { Mutation } from './mutation.js'

/** Subtle faults of the semantics: the sequences of the short run meet every one of them. */

const test = 'test/dist/model/model.test.js'

const broken = (file: string, before: string, after: string): Mutation => ({
  rule: 'MODEL-1',
  file: `server/src/core/${file}`,
  before,
  after,
  test,
})

export const mutations: readonly Mutation[] = [
  broken(
    'pipeline/prepare-change.ts',
    "if (!allows(parent.acl, 'create', identities))",
    "if (!allows(parent.acl, 'write', identities))",
  ),
  broken(
    'pipeline/prepare-change.ts',
    'judgeVersion(op.version, znode.aversion)',
    'judgeVersion(op.version, znode.version)',
  ),
  // delete: children are looked at before the version.
  broken(
    'pipeline/prepare-change.ts',
    `  if (badVersion !== null) return badVersion
  if (znode.numChildren > 0)`,
    `  if (badVersion !== null && znode.numChildren === 0) return badVersion
  if (znode.numChildren > 0)`,
  ),
  // A sequential name comes from what is there, not from what ever was.
  broken(
    'pipeline/prepare-change.ts',
    'sequenceSuffix(parent.childrenCreated)',
    'sequenceSuffix(parent.numChildren)',
  ),
  // A delete does not move the pzxid of the parent.
  broken('tree/data-tree.ts', 'columns.pzxid.set(parent, zxid)', 'columns.pzxid.set(row, zxid)'),
  broken(
    'tree/data-tree.ts',
    'mtime.set(row, timeMs)',
    'mtime.set(row, Math.min(mtime.get(row), timeMs))',
  ),
  broken('tree/data-tree.ts', 'aversion.set(row, change.aversion)', 'aversion.set(row, 1)'),
  broken(
    'tree/znode.ts',
    '2 * znode.childrenCreated - znode.numChildren,',
    'znode.childrenCreated,',
  ),
  broken('tree/reapable.ts', '? znode.childrenCreated > 0', '? znode.childrenCreated >= 0'),
  broken(
    'tree/reapable.ts',
    'nowMs - znode.mtime > znode.ttlMs',
    'nowMs - znode.mtime >= znode.ttlMs',
  ),
  // What a later write under way has staged is forgotten with the earlier one.
  broken('pipeline/outstanding.ts', 'if (this.#znodes.get(path)?.zxid === zxid) this', 'this'),
  broken(
    'pipeline/outstanding.ts',
    'sort(([, a], [, b]) => a.czxid - b.czxid)',
    'sort(([, a], [, b]) => b.czxid - a.czxid)',
  ),
  // Without compares `else` runs.
  broken('pipeline/prepare.ts', 'let holds = true', 'let holds = op.compares.length > 0'),
  broken('pipeline/prepare.ts', 'holds = holds && judged', 'holds = judged'),
  broken('pipeline/prepare.ts', 'znode.czxid !== fence.czxid', 'znode.mzxid !== fence.czxid'),
  broken('pipeline/prepare.ts', 'made.path + ref.suffix : ref.suffix', 'made.path : ref.suffix'),
  // A one-shot watch fires again and again.
  broken('pipeline/watching.ts', 'this.#watches.remove(kind, event.path, connection)', ''),
  broken('pipeline/watching.ts', 'if (told.has(connection)) continue', ''),
  broken('pipeline/watching.ts', 'for (let zxid = from + 1;', 'for (let zxid = from + 0;'),
  // Lists of children are told by the streams that should not.
  broken(
    'pipeline/watching.ts',
    "if (recursive && type === 'childrenChanged') return",
    "if (!recursive && type === 'childrenChanged') return",
  ),
  // A stream gives the event at its position a second time.
  broken('watch/events.ts', 'event.index > position.index)', 'event.index >= position.index)'),
  broken('pipeline/read.ts', 'mayAdmin ? acl : masked(acl)', 'mayAdmin ? masked(acl) : acl'),
  broken('pipeline/read.ts', 'cursor = encodeCursor([last])', 'cursor = encodeCursor([last + 1])'),
  broken(
    'pipeline/attaching.ts',
    'if (xid > connection.ackedXid) outcomes',
    'if (xid >= connection.ackedXid) outcomes',
  ),
  // A write that the client has acknowledged is answered once more.
  broken(
    'pipeline/leadership.ts',
    'if (xid <= Math.max(session.ackedXid, request.ackedXid)) return',
    'if (xid < Math.max(session.ackedXid, request.ackedXid)) return',
  ),
]
