import {
  aclBytes,
  allows,
  type Compare,
  type Failure,
  failure,
  type Fence,
  isNameRef,
  limits,
  type MultiOp,
  type NameRef,
  type OpArguments,
  parentPath,
  type SessionId,
  utf8Encode,
  type WriteOp,
} from '@conclave/protocol'
import { assertNever } from '../assert.js'
import { sameBytes } from '../byte-equality.js'
import type { Change, TxnBody, TxnBodyOf } from '@conclave/protocol/peer'
import type { DataTree } from '../tree/data-tree.js'
import { isDue } from '../tree/reapable.js'
import type { Znode } from '../tree/znode.js'
import {
  deletable,
  isFailure,
  type Judgement,
  noAuth,
  prepareChange,
  stageDelete,
} from './prepare-change.js'
import { type PlainOp, validatePlain } from './validate.js'

/**
 * Turns a write into the body of its txn: the leader decides once, a refusal included, and the
 * servers only apply. What it will do stays staged in `judgement.znodes`; nothing does after a
 * refusal.
 */
export const prepare = (judgement: Judgement, tree: DataTree, op: WriteOp): TxnBody => {
  const body = prepareOp(judgement, tree, op)
  if (!isFailure(body)) return body
  judgement.znodes.takeBack()
  return { body: 'error', ...body }
}

/** The end of a session: by its own wish or because its time is over. */
export const prepareCloseSession = (
  judgement: Pick<Judgement, 'znodes' | 'zxid'>,
  closedSession: SessionId,
  expired: boolean,
): TxnBodyOf<'closeSession'> => {
  const ephemerals = judgement.znodes.ephemeralsOf(closedSession)
  const changes = ephemerals.map(([path, znode]) => stageDelete(judgement, path, znode))
  return { body: 'closeSession', closedSession, expired, changes }
}

/** The system's delete of a container or ttl znode. @returns null when it is not due after all */
export const prepareReap = (
  { znodes, zxid, timeMs }: Pick<Judgement, 'znodes' | 'zxid' | 'timeMs'>,
  path: string,
): TxnBody | null => {
  const znode = znodes.get(path)
  if (znode === undefined || !isDue(znode, timeMs)) return null
  return single(stageDelete({ znodes, zxid }, path, znode))
}

const single = (change: Change): TxnBody => ({
  body: 'write',
  answer: singleAnswer,
  changes: [change],
})

/** One for all: history keeps a great many. */
const singleAnswer = Object.freeze({ answer: 'single' })

const prepareOp = (judgement: Judgement, tree: DataTree, op: WriteOp): TxnBody | Failure => {
  switch (op.op) {
    case 'create':
    case 'delete':
    case 'setData':
    case 'setAcl': {
      const change = prepareChange(judgement, op)
      return isFailure(change) ? change : single(change)
    }
    case 'multi':
      return prepareMulti(judgement, op)
    case 'deleteRecursive':
      return prepareDeleteRecursive(judgement, tree, op.path)
    case 'closeSession':
      return prepareCloseSession(judgement, judgement.sessionId, false)
    default:
      return assertNever(op)
  }
}

const prepareMulti = (judgement: Judgement, op: OpArguments<'multi'>): TxnBody | Failure => {
  for (const fence of op.fences) {
    const refusal = judgeFence(judgement, fence)
    if (refusal !== null) return refusal
  }
  let holds = true
  for (const compare of op.compares) {
    const judged = judgeCompare(judgement, compare)
    if (typeof judged !== 'boolean') return judged
    holds = holds && judged
  }
  const branch = holds ? 'then' : 'else'
  const changes: Change[] = []
  for (const [index, each] of op[branch].entries()) {
    const plain = fillIn(each, changes)
    const change = validatePlain(plain) ?? prepareChange(judgement, plain)
    if (isFailure(change)) return { ...change, index }
    changes.push(change)
  }
  return { body: 'write', answer: { answer: 'multi', branch }, changes }
}

const judgeFence = ({ znodes, identities }: Judgement, fence: Fence): Failure | null => {
  const znode = znodes.get(fence.path)
  if (znode === undefined || znode.czxid !== fence.czxid) {
    return failure('fenced', `${fence.path} is not the znode that was granted any more`)
  }
  return allows(znode.acl, 'read', identities) ? null : noAuth('read', fence.path)
}

/** A znode that is not there has no version, value, owner or czxid: such a compare fails. */
const judgeCompare = (judgement: Judgement, compare: Compare): boolean | Failure => {
  const znode = judgement.znodes.get(compare.path)
  if (compare.compare === 'exists' && znode === undefined) return !compare.equals
  if (znode === undefined) return false
  if (!allows(znode.acl, 'read', judgement.identities)) return noAuth('read', compare.path)
  switch (compare.compare) {
    case 'exists':
      return compare.equals
    case 'value':
      return sameBytes(znode.data, compare.equals)
    case 'version':
    case 'ephemeralOwner':
    case 'czxid':
      return znode[compare.compare] === compare.equals
    default:
      return assertNever(compare)
  }
}

/** Puts the names that earlier operations made in place of the references to them. */
const fillIn = (op: MultiOp, changes: readonly Change[]): PlainOp => {
  const nameAt = (ref: NameRef): string => {
    const made = changes[ref.index]
    return made?.change === 'create' ? made.path + ref.suffix : ref.suffix
  }
  const path = isNameRef(op.path) ? nameAt(op.path) : op.path
  if (op.op !== 'create' && op.op !== 'setData') return { ...op, path }
  const data = isNameRef(op.data) ? utf8Encode(nameAt(op.data)) : op.data
  return { ...op, path, data }
}

/** One bounded piece, deepest first. What is only proposed is left for a later piece. */
const prepareDeleteRecursive = (
  judgement: Judgement,
  tree: DataTree,
  path: string,
): TxnBody | Failure => {
  const { znodes, identities } = judgement
  const root = deletable(judgement, path)
  if (isFailure(root)) return root
  const changes: Change[] = []
  let bytes = 0
  let looked = 0
  for (const leaf of leavesFirst(tree, path)) {
    looked += 1
    if (looked > leavesLookedAtMax) break
    const znode = znodes.get(leaf)
    if (znode === undefined) continue
    if (znode.numChildren > 0) break
    const parent = znodes.get(parentPath(leaf)) as Znode
    if (!allows(parent.acl, 'delete', identities)) return noAuth('delete', parent.path)
    const change = stageDelete(judgement, leaf, znode)
    changes.push(change)
    bytes += deleteBytes(znode, parent)
    if (changes.length === limits.deletePiece || bytes > limits.pageBytesMax) break
  }
  const done = znodes.get(path) === undefined
  return { body: 'write', answer: { answer: 'deleteRecursive', done }, changes }
}

/** Those that are to be deleted already are passed over, but not without end. */
const leavesLookedAtMax = 2 * limits.deletePiece

const deleteBytes = (znode: Znode, parent: Znode): number =>
  64 + znode.path.length + aclBytes(znode.acl) + aclBytes(parent.acl)

/** The paths of a subtree, children before their parent. */
function* leavesFirst(tree: DataTree, path: string): Generator<string> {
  const root = tree.get(path)
  if (root === undefined) return
  const open = [{ path, children: tree.childrenAfter(root, -1) }]
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { value: child, done } = top.children.next()
    if (done !== true) {
      open.push({ path: child.path, children: tree.childrenAfter(child, -1) })
      continue
    }
    yield top.path
    open.pop()
  }
}
