import {
  type Acl,
  aclFault,
  allows,
  type Failure,
  failure,
  type Identity,
  isSequential,
  joinPath,
  limits,
  openAcl,
  type OpArguments,
  parentPath,
  baseName,
  sequenceSuffix,
  type SessionId,
  znodeKindOf,
  type Zxid,
} from '@conclave/protocol'
import { assertNever } from '../assert.js'
import type { Change } from '@conclave/protocol/peer'
import { passingCopies } from '../owned-bytes.js'
import { copyOf, type Znode } from '../tree/znode.js'
import type { Outstanding } from './outstanding.js'
import type { PlainOp } from './validate.js'

/** What an operation is judged by: the state to come, and who asks. */
export interface Judgement {
  readonly znodes: Outstanding
  /** Of the txn in the making. */
  readonly zxid: Zxid
  readonly timeMs: number
  readonly sessionId: SessionId
  readonly identities: readonly Identity[]
}

export const isFailure = (value: object): value is Failure => 'code' in value

/**
 * Turns one operation into the change that every server will make, or into the first refusal in
 * the order of docs/SPEC.md (CHECK). What it will do is staged for the operations after it.
 */
export const prepareChange = (judgement: Judgement, op: PlainOp): Change | Failure => {
  switch (op.op) {
    case 'create':
      return prepareCreate(judgement, op)
    case 'delete':
      return prepareDelete(judgement, op)
    case 'setData':
      return prepareSetData(judgement, op)
    case 'setAcl':
      return prepareSetAcl(judgement, op)
    case 'check':
      return judgeCheck(judgement.znodes.get(op.path), op, judgement.identities) ?? checkChange
    default:
      return assertNever(op)
  }
}

/** The checks of `check`, which a read and a transaction share. */
export const judgeCheck = (
  znode: Znode | undefined,
  op: { readonly path: string; readonly version: number },
  identities: readonly Identity[],
): Failure | null => {
  if (znode === undefined) return noNode(op.path)
  if (!allows(znode.acl, 'read', identities)) return noAuth('read', op.path)
  return judgeVersion(op.version, znode.version)
}

export const noNode = (path: string): Failure => failure('noNode', `${path} does not exist`)

export const noAuth = (permission: string, path: string): Failure =>
  failure('noAuth', `the ACL of ${path} does not allow to ${permission}`)

/** The znode, if whoever asks may delete it. */
export const deletable = (
  { znodes, identities }: Pick<Judgement, 'znodes' | 'identities'>,
  path: string,
): Znode | Failure => {
  const parent = znodes.get(parentPath(path))
  if (parent === undefined) return noNode(parentPath(path))
  if (!allows(parent.acl, 'delete', identities)) return noAuth('delete', parent.path)
  return znodes.get(path) ?? noNode(path)
}

/** Stages a delete that has been judged. */
export const stageDelete = (
  { znodes, zxid }: Pick<Judgement, 'znodes' | 'zxid'>,
  path: string,
  znode: Znode,
): Change => {
  const { acl, czxid, mzxid, mtime, version, ephemeralOwner } = znode
  const parent = znodes.stageParent(parentPath(path))
  parent.numChildren -= 1
  parent.pzxid = zxid
  znodes.stage(path, znode, null)
  const parentAcl = parent.acl
  return { change: 'delete', path, acl, czxid, mzxid, mtime, version, ephemeralOwner, parentAcl }
}

const checkChange: Change = Object.freeze({ change: 'check' })

const prepareCreate = (judgement: Judgement, op: OpArguments<'create'>): Change | Failure => {
  const { znodes, zxid, timeMs, sessionId, identities } = judgement
  const acl = resolveAcl(op.acl ?? openAcl, identities)
  if (acl !== null && isFailure(acl)) return acl
  const parent = znodes.get(parentPath(op.path))
  if (parent === undefined) return noNode(parentPath(op.path))
  if (!allows(parent.acl, 'create', identities)) return noAuth('create', parent.path)
  const path = isSequential(op.kind)
    ? joinPath(parent.path, baseName(op.path) + sequenceSuffix(parent.childrenCreated))
    : op.path
  if (znodes.get(path) !== undefined) return failure('nodeExists', `${path} exists already`)
  if (parent.kind === 'ephemeral') {
    return failure('noChildrenForEphemerals', `${parent.path} is ephemeral`)
  }
  if (parent.childrenCreated >= limits.sequenceMax) {
    return failure('tooLarge', `${parent.path} has had as many children as can be counted`)
  }
  const kind = znodeKindOf(op.kind)
  const ephemeralOwner = kind === 'ephemeral' ? sessionId : (0 as SessionId)
  const { ttlMs } = op
  const data = storedData(op.data)
  const ordinal = parent.childrenCreated
  const counts = znodes.stageParent(parent.path)
  counts.childrenCreated += 1
  counts.numChildren += 1
  counts.pzxid = zxid
  const times = { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: timeMs, mtime: timeMs }
  const fresh = { version: 0, aversion: 0, childrenCreated: 0, numChildren: 0 }
  znodes.stage(path, undefined, {
    path,
    data,
    acl,
    kind,
    ephemeralOwner,
    ttlMs,
    ordinal,
    ...times,
    ...fresh,
  })
  const overload = judgeLoad(znodes, ephemeralOwner)
  if (overload !== null) return overload
  const parentAcl = parent.acl
  return { change: 'create', path, data, acl, kind, ephemeralOwner, ttlMs, ordinal, parentAcl }
}

const prepareDelete = (judgement: Judgement, op: OpArguments<'delete'>): Change | Failure => {
  const znode = deletable(judgement, op.path)
  if (isFailure(znode)) return znode
  const badVersion = judgeVersion(op.version, znode.version)
  if (badVersion !== null) return badVersion
  if (znode.numChildren > 0) return failure('notEmpty', `${op.path} has children`)
  return stageDelete(judgement, op.path, znode)
}

const prepareSetData = (judgement: Judgement, op: OpArguments<'setData'>): Change | Failure => {
  const { znodes, zxid, timeMs, identities } = judgement
  const znode = znodes.get(op.path)
  if (znode === undefined) return noNode(op.path)
  if (!allows(znode.acl, 'write', identities)) return noAuth('write', op.path)
  const badVersion = judgeVersion(op.version, znode.version)
  if (badVersion !== null) return badVersion
  const { path } = op
  const data = storedData(op.data)
  const staged = copyOf(znode, { path, data })
  staged.version += 1
  staged.mzxid = zxid
  staged.mtime = timeMs
  znodes.stage(path, znode, staged)
  const { acl, version, czxid, ephemeralOwner } = staged
  return { change: 'setData', path, data, acl, version, czxid, ephemeralOwner }
}

const prepareSetAcl = (judgement: Judgement, op: OpArguments<'setAcl'>): Change | Failure => {
  const { znodes, identities } = judgement
  const znode = znodes.get(op.path)
  if (znode === undefined) return noNode(op.path)
  if (!allows(znode.acl, 'admin', identities)) return noAuth('administer', op.path)
  const acl = resolveAcl(op.acl, identities)
  if (acl !== null && isFailure(acl)) return acl
  const badVersion = judgeVersion(op.version, znode.aversion)
  if (badVersion !== null) return badVersion
  const aversion = znode.aversion + 1
  const staged = copyOf(znode)
  staged.acl = acl
  staged.aversion = aversion
  znodes.stage(op.path, znode, staged)
  const overload = judgeLoad(znodes, znode.ephemeralOwner)
  if (overload !== null) return overload
  return { change: 'setAcl', path: op.path, acl, aversion }
}

/** All that a session owns goes in one txn, so there is a bound; judged with what is staged. */
const judgeLoad = (znodes: Outstanding, owner: SessionId): Failure | null => {
  if (owner === 0) return null
  const { count, bytes } = znodes.ephemeralLoadOf(owner)
  if (count > limits.ephemeralsPerSessionMax) {
    const most = `a session has at most ${limits.ephemeralsPerSessionMax} ephemerals`
    return failure('tooLarge', `${most}: delete some, or use another session`)
  }
  if (bytes > limits.ephemeralBytesPerSessionMax) {
    const most = `${limits.ephemeralBytesPerSessionMax} bytes of paths and distinct ACLs`
    const ways = 'share or shorten ACLs, delete some, or use another session'
    return failure('tooLarge', `the ephemerals of a session have at most ${most}: ${ways}`)
  }
  return null
}

/** Empty data is stored as none, so that both read alike. */
const storedData = (data: Uint8Array | null): Uint8Array | null =>
  data === null || data.length === 0 ? null : copyForTxn(data)

/** A txn lives until it is packed into history, or as long as that when it is large. */
const copyForTxn = passingCopies()

const judgeVersion = (expected: number, actual: number): Failure | null =>
  expected === -1 || expected === actual
    ? null
    : failure('badVersion', `the version is ${actual}, not ${expected}`)

/** `auth` becomes the digest identities of who asks. @returns null when the ACL is the open one */
const resolveAcl = (acl: Acl, identities: readonly Identity[]): Acl | null | Failure => {
  const fault = aclFault(acl)
  if (fault !== null) return failure('invalidAcl', fault)
  const digests = identities.filter(({ scheme }) => scheme === 'digest')
  if (digests.length === 0 && acl.some(({ scheme }) => scheme === 'auth')) {
    return failure('invalidAcl', `scheme 'auth' needs a connection that has authenticated`)
  }
  const resolved = acl.flatMap((entry) =>
    entry.scheme === 'auth'
      ? digests.map(({ id }) => ({ scheme: 'digest' as const, id, permissions: entry.permissions }))
      : [entry],
  )
  if (resolved.length > limits.aclEntriesMax) {
    return failure('invalidAcl', `an ACL has at most ${limits.aclEntriesMax} entries`)
  }
  const [first] = resolved
  const isOpen =
    resolved.length === 1 &&
    first?.scheme === 'world' &&
    first.permissions === openAcl[0]?.permissions
  return isOpen ? null : resolved
}
