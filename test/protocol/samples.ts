import type {
  ClientFrame,
  Op,
  OpName,
  OpResult,
  ServerFrame,
  SessionId,
  Epoch,
  ServerId,
  Stat,
  Xid,
  Zxid,
} from '@conclave/protocol'

/** One of each: what the compiler asks for when a frame or an operation is added. */

const bytes = Uint8Array.of(0, 1, 254, 255)
const big = Number.MAX_SAFE_INTEGER
const acl = [
  { scheme: 'world', id: 'anyone', permissions: 31 },
  { scheme: 'digest', id: `ü:${'0'.repeat(64)}`, permissions: 1 },
] as const
const position = { ensembleId: '7f3a9c0d5be14c62', zxid: 9 as Zxid, index: big }

const stat: Stat = {
  czxid: 9 as Zxid,
  mzxid: big as Zxid,
  pzxid: 4_294_967_296 as Zxid,
  ctime: 1_767_225_600_000,
  mtime: 1_767_225_600_001,
  version: 255,
  cversion: 256,
  aversion: 65_536,
  ephemeralOwner: 8 as SessionId,
  dataLength: 5,
  numChildren: 127,
  kind: 'ttl',
  ttlMs: 128,
}

export const ops: { readonly [N in OpName]: Op<N> } = {
  create: { op: 'create', path: '/ä', data: bytes, kind: 'ttlSequential', acl, ttlMs: 7 },
  delete: { op: 'delete', path: '/a', version: -1 },
  setData: { op: 'setData', path: '/a', data: null, version: big },
  setAcl: { op: 'setAcl', path: '/a', acl, version: 0 },
  check: { op: 'check', path: '/a', version: 1, linearizable: true },
  multi: {
    op: 'multi',
    fences: [{ path: '/f', czxid: 3 as Zxid }],
    compares: [
      { compare: 'version', path: '/a', equals: 1 },
      { compare: 'exists', path: '/a', equals: false },
      { compare: 'value', path: '/a', equals: bytes },
      { compare: 'ephemeralOwner', path: '/a', equals: 8 as SessionId },
      { compare: 'czxid', path: '/a', equals: 9 as Zxid },
    ],
    then: [
      { op: 'create', path: '/b', data: null, kind: 'persistent', acl: null, ttlMs: 0 },
      { op: 'setData', path: { index: 0, suffix: '/c' }, data: bytes, version: -1 },
      { op: 'setData', path: '/d', data: { index: 0, suffix: '' }, version: -1 },
    ],
    else: [
      { op: 'delete', path: '/a', version: 2 },
      { op: 'setAcl', path: '/a', acl, version: -1 },
      { op: 'check', path: '/a', version: 2 },
    ],
  },
  deleteRecursive: { op: 'deleteRecursive', path: '/a' },
  closeSession: { op: 'closeSession' },
  exists: { op: 'exists', path: '/a', watch: true, linearizable: false },
  getData: { op: 'getData', path: '/a', watch: false, linearizable: true },
  getChildren: {
    op: 'getChildren',
    path: '/a',
    watch: true,
    linearizable: false,
    cursor: bytes,
    limit: 10,
    withStat: true,
  },
  getAcl: { op: 'getAcl', path: '/a', linearizable: false },
  getEphemerals: { op: 'getEphemerals', path: '/', linearizable: false, cursor: null },
  countDescendants: { op: 'countDescendants', path: '/', linearizable: true, cursor: bytes },
  multiRead: {
    op: 'multiRead',
    reads: [
      { op: 'exists', path: '/a' },
      { op: 'getData', path: '/b' },
      { op: 'getChildren', path: '/c' },
      { op: 'getAcl', path: '/d' },
    ],
    linearizable: false,
  },
  sync: { op: 'sync', path: '/' },
  whoAmI: { op: 'whoAmI' },
  auth: { op: 'auth', scheme: 'digest', user: 'u', password: 'p' },
  watch: {
    op: 'watch',
    streamId: 1,
    path: '/a',
    recursive: true,
    withDetail: false,
    from: position,
  },
  unwatch: { op: 'unwatch', streamId: 1 },
  removeWatches: { op: 'removeWatches', path: '/a', kind: 'any' },
  rearmWatches: {
    op: 'rearmWatches',
    fromZxid: 5 as Zxid,
    data: ['/a', '/b'],
    exists: [],
    child: ['/'],
  },
}

const children = {
  children: [
    { name: 'a', stat },
    { name: 'b', stat: null },
  ],
  cursor: bytes,
  stat,
}
const none = { failure: null, exists: null, getData: null, getChildren: null, getAcl: null }
const failure = { code: 'noNode', message: '/a does not exist', index: 3 } as const

export const results: { readonly [N in OpName]: OpResult<N> } = {
  create: { path: '/a0000000000', stat },
  delete: {},
  setData: { stat },
  setAcl: { stat },
  check: {},
  multi: {
    branch: 'else',
    results: [
      { path: '/a', stat },
      { path: null, stat: null },
    ],
  },
  deleteRecursive: { deleted: 1_000, done: false },
  closeSession: {},
  exists: { stat: null },
  getData: { data: bytes, stat },
  getChildren: children,
  getAcl: { acl, stat },
  getEphemerals: { paths: ['/a'], cursor: null },
  countDescendants: { count: 10_000, cursor: bytes },
  multiRead: {
    results: [
      { ...none, failure },
      { ...none, exists: { stat } },
      { ...none, getData: { data: null, stat } },
      { ...none, getChildren: children },
      { ...none, getAcl: { acl, stat } },
    ],
  },
  sync: {},
  whoAmI: { sessionId: 8 as SessionId, identities: [{ scheme: 'ip', id: '127.0.0.1' }] },
  auth: { identity: { scheme: 'digest', id: 'u:00' } },
  watch: { position },
  unwatch: {},
  removeWatches: {},
  rearmWatches: {},
}

type ClientFrames = { readonly [N in ClientFrame['frame']]: Extract<ClientFrame, { frame: N }> }
type ServerFrames = { readonly [N in ServerFrame['frame']]: Extract<ServerFrame, { frame: N }> }

export const clientFrames: ClientFrames = {
  connect: {
    frame: 'connect',
    version: 1,
    sessionId: 0 as SessionId,
    nonce: new Uint8Array(16).fill(200),
    attach: 1,
    sessionTimeoutMs: 10_000,
    lastZxidSeen: big as Zxid,
    ensembleId: null,
    ackedXid: 0 as Xid,
  },
  request: {
    frame: 'request',
    xid: 1 as Xid,
    ackedXid: 0 as Xid,
    refusedSeen: 0 as Xid,
    op: ops.create,
  },
  ack: { frame: 'ack', ackedXid: 500 as Xid },
  ping: { frame: 'ping', id: 3, ackedXid: 500 as Xid },
  probe: { frame: 'probe', id: 4 },
}

export const serverFrames: ServerFrames = {
  connected: {
    frame: 'connected',
    sessionId: 8 as SessionId,
    sessionTimeoutMs: 10_000,
    ensembleId: '7f3a9c0d5be14c62',
    zxid: 8 as Zxid,
    serverId: 255 as ServerId,
    resumed: true,
    role: 'following',
    epoch: 4 as Epoch,
  },
  reply: { frame: 'reply', xid: 1 as Xid, zxid: 9 as Zxid, failure, result: null },
  pong: { frame: 'pong', id: 3, zxid: 9 as Zxid },
  probed: { frame: 'probed', id: 4 },
  event: { frame: 'event', zxid: 9 as Zxid, kind: 'child', type: 'childrenChanged', path: '/' },
  streamEvents: {
    frame: 'streamEvents',
    streamId: 1,
    events: [
      { type: 'deleted', zxid: 9 as Zxid, index: 0, path: '/a', detail: null },
      {
        type: 'created',
        zxid: 9 as Zxid,
        index: 1,
        path: '/a',
        detail: {
          data: bytes,
          czxid: 9 as Zxid,
          mzxid: 9 as Zxid,
          version: 0,
          mtime: 1_767_225_600_000,
          ephemeralOwner: 8 as SessionId,
        },
      },
    ],
  },
  streamGap: { frame: 'streamGap', streamId: 1, from: 0 as Zxid, to: 9 as Zxid },
  streamCaughtUp: { frame: 'streamCaughtUp', streamId: 1, zxid: 9 as Zxid },
  sessionExpired: {
    frame: 'sessionExpired',
    reason: 'expired',
    complete: true,
    outcomes: [
      { xid: 1 as Xid, failure, result: null },
      { xid: 2 as Xid, failure: null, result: ['/a'] },
    ],
  },
  closing: { frame: 'closing', reason: 'shutdown' },
}
