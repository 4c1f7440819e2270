import { changeTypes, createKinds, type ErrorCode, type OpName } from '@conclave/protocol'

/**
 * What must happen in a run. A generator that cannot reach a case proves nothing about it.
 * The other codes are not for a single server to give, or stand for faults that are not made here;
 * `sessionExpired` is for writes that meet the end of their session while the disk stands still.
 */

/** Of every write alike. */
const unlogged = ['noSpace', 'throttled', 'notExecuted'] as const

const answers: Readonly<Record<OpName, readonly (ErrorCode | 'ok')[]>> = {
  create: [
    'ok', 'badArguments', 'tooLarge', 'invalidAcl', 'noNode', 'noAuth', 'nodeExists',
    'noChildrenForEphemerals', ...unlogged,
  ],
  delete: ['ok', 'badArguments', 'noNode', 'noAuth', 'badVersion', 'notEmpty'],
  setData: ['ok', 'badArguments', 'tooLarge', 'noNode', 'noAuth', 'badVersion'],
  setAcl: ['ok', 'badArguments', 'invalidAcl', 'noNode', 'noAuth', 'badVersion'],
  multi: [
    'ok', 'badArguments', 'tooLarge', 'invalidAcl', 'fenced', 'noNode', 'noAuth', 'nodeExists',
    'noChildrenForEphemerals', 'badVersion', 'notEmpty',
  ],
  deleteRecursive: ['ok', 'badArguments', 'noNode', 'noAuth'],
  closeSession: ['ok', 'noSpace'],
  check: ['ok', 'badArguments', 'noNode', 'noAuth', 'badVersion'],
  exists: ['ok', 'badArguments', 'noAuth'],
  getData: ['ok', 'badArguments', 'noNode', 'noAuth'],
  getChildren: ['ok', 'badArguments', 'noNode', 'noAuth'],
  getAcl: ['ok', 'badArguments', 'noNode', 'noAuth'],
  getEphemerals: ['ok', 'badArguments'],
  countDescendants: ['ok', 'badArguments', 'noNode', 'noAuth'],
  multiRead: ['ok', 'tooLarge'],
  sync: ['ok', 'badArguments'],
  whoAmI: ['ok'],
  auth: ['ok', 'badArguments', 'authFailed'],
  watch: ['ok', 'badArguments', 'noAuth'],
  unwatch: ['ok'],
  removeWatches: ['ok', 'badArguments', 'noWatcher'],
  rearmWatches: ['ok', 'badArguments'],
} // prettier-ignore

const compares = ['version', 'exists', 'value', 'ephemeralOwner', 'czxid']
const starts = ['log', 'snapshot and log', 'snapshot alone']

const answered = Object.entries(answers).flatMap(([op, codes]) =>
  codes.map((code) => `${op} ${code}`),
)

const reasons = ['closed', 'expired', 'unknown', 'wrongNonce', 'otherEnsemble', 'historyLost']

export const cases: readonly string[] = [
  answered,
  createKinds.map((kind) => `create ${kind}`),
  ['multi then', 'multi else', 'multi behind a fence', 'path by reference', 'data by reference'],
  compares.flatMap((compare) => [`${compare} then`, `${compare} else`]),
  ['getChildren with a cursor', 'getChildren from a cursor'],
  ['event data created', 'event data deleted', 'event data dataChanged'],
  ['event child deleted', 'event child childrenChanged', 'event withheld'],
  changeTypes.flatMap((type) => [`stream ${type}`, `stream ${type} replayed`]),
  ['stream caughtUp', 'stream gap'],
  [
    'rearm fires by history',
    'rearm arms by history',
    'rearm fires by stats',
    'rearm arms by stats',
  ],
  ['write again', 'write again, under way', 'write dropped', 'tombstone'],
  ['reaped container', 'reaped ttl', 'session resumed', 'frame pong', 'frame probed'],
  reasons.map((reason) => `sessionExpired ${reason}`),
  ['closing sessionMoved', 'closing sessionEnded', 'closing noSpace'],
  ['connect while the session is closed'],
  starts.flatMap((from) => [`stopped, started from ${from}`, `killed, started from ${from}`]),
].flat()

/** What a few hundred sequences cannot be sure to meet. */
export const rare: readonly string[] = [
  'getAcl badArguments',
  'getAcl noAuth',
  'getData badArguments',
  'exists badArguments',
  'removeWatches ok',
  'multi noChildrenForEphemerals',
  'event withheld',
  'stream dataChanged replayed',
  'check noAuth',
  'countDescendants noAuth',
  'closing noSpace',
  'rearm fires by stats',
  'value then',
  'version then',
  'exists else',
]
