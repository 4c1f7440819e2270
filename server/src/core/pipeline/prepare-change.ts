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
import { ownedBytes } from '../owned-bytes.js'
import { type Znode, znodeEntry } from '../tree/znode-store.js'
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
export const stageDelete = (znodes: Outstanding, znode: Znode, zxid: Zxid): Change => {
  const parent = znodes.get(parentPath(znode.path)) as Znode
  znodes.stage(znode.path, null)
  znodes.stage(parent.path, {
    ...copyOf(parent),
    numChildren: parent.numChildren - 1,
    pzxid: zxid,
  })
  const { path, acl, czxid, mzxid, mtime, version, ephemeralOwner } = znode
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
  const isEphemeral = kind === 'ephemeral'
  if (isEphemeral && znodes.ephemeralCount(sessionId) >= limits.ephemeralsPerSessionMax) {
    return failure('tooLarge', `a session has at most ${limits.ephemeralsPerSessionMax} ephemerals`)
  }
  const { ttlMs } = op
  const data = storedData(op.data)
  const ephemeralOwner = isEphemeral ? sessionId : (0 as SessionId)
  const ordinal = parent.childrenCreated
  znodes.stage(parent.path, {
    ...copyOf(parent),
    childrenCreated: ordinal + 1,
    numChildren: parent.numChildren + 1,
    pzxid: zxid,
  })
  const times = { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: timeMs, mtime: timeMs }
  const counts = { version: 0, aversion: 0, childrenCreated: 0, numChildren: 0 }
  znodes.stage(path, { path, data, acl, kind, ephemeralOwner, ttlMs, ordinal, ...times, ...counts })
  const parentAcl = parent.acl
  return { change: 'create', path, data, acl, kind, ephemeralOwner, ttlMs, ordinal, parentAcl }
}

const prepareDelete = (judgement: Judgement, op: OpArguments<'delete'>): Change | Failure => {
  const { znodes, zxid } = judgement
  const znode = deletable(judgement, op.path)
  if (isFailure(znode)) return znode
  const badVersion = judgeVersion(op.version, znode.version)
  if (badVersion !== null) return badVersion
  if (znode.numChildren > 0) return failure('notEmpty', `${op.path} has children`)
  return stageDelete(znodes, znode, zxid)
}

const prepareSetData = (judgement: Judgement, op: OpArguments<'setData'>): Change | Failure => {
  const { znodes, zxid, timeMs, identities } = judgement
  const znode = znodes.get(op.path)
  if (znode === undefined) return noNode(op.path)
  if (!allows(znode.acl, 'write', identities)) return noAuth('write', op.path)
  const badVersion = judgeVersion(op.version, znode.version)
  if (badVersion !== null) return badVersion
  const data = storedData(op.data)
  const version = znode.version + 1
  znodes.stage(op.path, { ...copyOf(znode), data, version, mzxid: zxid, mtime: timeMs })
  const { path, acl, czxid, ephemeralOwner } = znode
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
  znodes.stage(op.path, { ...copyOf(znode), acl, aversion })
  return { change: 'setAcl', path: op.path, acl, aversion }
}

/** Empty data is stored as none, so that both read alike. */
const storedData = (data: Uint8Array | null): Uint8Array | null =>
  data === null || data.length === 0 ? null : ownedBytes(data)

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

/** A znode of the tree changes under way; the staged one must not. */
const copyOf = (znode: Znode): Znode => ({
  ...znodeEntry(znode),
  numChildren: znode.numChildren,
})
