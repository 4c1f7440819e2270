import {
  type Acl,
  aclBytes,
  allows,
  baseName,
  type Failure,
  failure,
  type Identity,
  isWithin,
  limits,
  type MultiReadOp,
  type Op,
  openAcl,
  type OpResult,
  pathFault,
  type ReadOpName,
  type SessionId,
} from '@conclave/protocol'
import { assertNever } from '../assert.js'
import { type LiveZnode, statOf, type Znode } from '../tree/znode.js'
import { decodeCursor, encodeCursor } from './cursor.js'
import { isFailure, judgeCheck, noAuth, noNode } from './prepare-change.js'
import type { ReplicatedState } from './replicated-state.js'
import type { TurnBudget } from './turn-budget.js'

/** Who reads, and from what. */
export interface Reader {
  readonly state: ReplicatedState
  readonly sessionId: SessionId
  readonly identities: readonly Identity[]
  readonly budget: TurnBudget
}

/** The reads that look at one state and nothing else; `sync` is answered by its barrier. */
export type Readable = Exclude<ReadOpName, 'sync'>

/** A result with a measure of the bytes that it takes to send. */
interface Answer<N extends Readable = Readable> {
  readonly result: OpResult<N>
  readonly bytes: number
}

export const read = <N extends Readable>(reader: Reader, op: Op<N>): Answer<N> | Failure => {
  const answer = readers[op.op as N] as (reader: Reader, op: Op<N>) => Answer<N> | Failure
  return answer(reader, op)
}

type Readers = {
  readonly [N in Readable]: (reader: Reader, op: Op<N>) => Answer<N> | Failure
}

const readers: Readers = {
  check: (reader, op) => {
    const refusal = judgeCheck(reader.state.tree.get(op.path), op, reader.identities)
    return refusal ?? { result: {}, bytes: 8 }
  },
  exists: (reader, op) => {
    if (reader.state.tree.get(op.path) === undefined) return { result: { stat: null }, bytes: 8 }
    const znode = readable(reader, op.path)
    return isFailure(znode) ? znode : { result: { stat: statOf(znode) }, bytes: statBytes }
  },
  getData: (reader, op) => {
    const znode = readable(reader, op.path)
    if (isFailure(znode)) return znode
    const { data } = znode
    return { result: { data, stat: statOf(znode) }, bytes: statBytes + (data?.length ?? 0) }
  },
  getChildren: (reader, op) => getChildren(reader, op),
  getAcl: (reader, op) => {
    const znode = reader.state.tree.get(op.path)
    if (znode === undefined) return noNode(op.path)
    const mayAdmin = allows(znode.acl, 'admin', reader.identities)
    if (!mayAdmin && !allows(znode.acl, 'read', reader.identities)) return noAuth('read', op.path)
    const acl = znode.acl ?? openAcl
    const shown = mayAdmin ? acl : masked(acl)
    return { result: { acl: shown, stat: statOf(znode) }, bytes: statBytes + aclBytes(acl) }
  },
  getEphemerals: (reader, op) => getEphemerals(reader, op),
  countDescendants: (reader, op) => countDescendants(reader, op),
  multiRead: (reader, op) => multiRead(reader, op),
  whoAmI: ({ sessionId, identities }) => ({ result: { sessionId, identities }, bytes: 1_024 }),
}

const statBytes = 96

/** The znode, if it exists and may be read. */
export const readable = (
  { state, identities }: Pick<Reader, 'state' | 'identities'>,
  path: string,
): LiveZnode | Failure => {
  const znode = state.tree.get(path)
  if (znode === undefined) return noNode(path)
  return allows(znode.acl, 'read', identities) ? znode : noAuth('read', path)
}

const badCursor = failure('badArguments', 'the cursor was not made by a server for this operation')

const getChildren = (reader: Reader, op: Op<'getChildren'>): Answer<'getChildren'> | Failure => {
  const znode = readable(reader, op.path)
  if (isFailure(znode)) return znode
  const start = op.cursor === null ? [-1] : decodeCursor(op.cursor, { min: 1, max: 1 })
  if (start === null) return badCursor
  const { tree } = reader.state
  const max = Math.min(op.limit === 0 ? limits.childrenPageMax : op.limit, limits.childrenPageMax)
  const children: OpResult<'getChildren'>['children'][number][] = []
  let bytes = statBytes
  let last = start[0] as number
  let cursor: Uint8Array | null = null
  for (const child of tree.childrenAfter(znode, last)) {
    if (children.length === max || bytes > limits.pageBytesMax) {
      cursor = encodeCursor([last])
      break
    }
    const name = baseName(child.path)
    children.push({ name, stat: op.withStat ? statOf(child) : null })
    bytes += 8 + 3 * name.length + (op.withStat ? statBytes : 0)
    last = child.ordinal
  }
  reader.budget.spend(children.length)
  return { result: { children, cursor, stat: statOf(znode) }, bytes }
}

/** The cursor of this one counts what was given: a session's own ephemerals, oldest first. */
const getEphemerals = (
  { state, sessionId, budget }: Reader,
  op: Op<'getEphemerals'>,
): Answer<'getEphemerals'> | Failure => {
  const start = op.cursor === null ? [-1] : decodeCursor(op.cursor, { min: 1, max: 1 })
  if (start === null) return badCursor
  const seen = start[0] as number
  const paths: string[] = []
  let bytes = 16
  let last = seen
  for (const path of state.tree.ephemeralsOf(sessionId)) {
    budget.spend(1)
    const age = state.tree.get(path)?.czxid ?? 0
    if (age <= seen || !isWithin(path, op.path)) continue
    // Those of one txn have one age: a page ends only between two txns.
    if (bytes > limits.pageBytesMax && age > last) {
      return { result: { paths, cursor: encodeCursor([last]) }, bytes }
    }
    paths.push(path)
    bytes += 8 + 3 * path.length
    last = age
  }
  return { result: { paths, cursor: null }, bytes }
}

/**
 * Walks the subtree in creation order, a bounded number of znodes a piece. The cursor holds the
 * ordinal at each level, so it outlives the znodes it stands on.
 */
const countDescendants = (
  reader: Reader,
  op: Op<'countDescendants'>,
): Answer<'countDescendants'> | Failure => {
  const root = readable(reader, op.path)
  if (isFailure(root)) return root
  const start =
    op.cursor === null ? [-1] : decodeCursor(op.cursor, { min: 1, max: limits.pathDepthMax + 1 })
  if (start === null) return badCursor
  const walk = reopen(reader, root, start)
  let count = 0
  for (let top = walk.at(-1); top !== undefined; top = walk.at(-1)) {
    if (count === limits.countPiece) {
      return { result: { count, cursor: encodeCursor(walk.map(({ last }) => last)) }, bytes: 512 }
    }
    const { value: child, done } = top.children.next()
    if (done === true) {
      walk.pop()
      continue
    }
    count += 1
    reader.budget.spend(1)
    top.last = child.ordinal
    if (child.numChildren > 0) walk.push(level(reader, child, -1))
  }
  return { result: { count, cursor: null }, bytes: 16 }
}

interface Level {
  last: number
  readonly children: Iterator<Znode>
}

const level = ({ state }: Reader, znode: Znode, last: number): Level => ({
  last,
  children: state.tree.childrenAfter(znode, last),
})

/** Finds again the znodes that a cursor stands on; below one that is gone the walk goes on. */
const reopen = (reader: Reader, root: Znode, ordinals: readonly number[]): Level[] => {
  const { tree } = reader.state
  const walk = [level(reader, root, ordinals[0] as number)]
  let znode: Znode = root
  for (const [depth, ordinal] of ordinals.slice(1).entries()) {
    const at = ordinals[depth] as number
    const { value: child, done } = tree.childrenAfter(znode, at - 1).next()
    if (done === true || child.ordinal !== at) break
    znode = child
    walk.push(level(reader, znode, ordinal))
  }
  return walk
}

type MultiReadResult = OpResult<'multiRead'>['results'][number]

const multiRead = (reader: Reader, op: Op<'multiRead'>): Answer<'multiRead'> | Failure => {
  const results: MultiReadResult[] = []
  let bytes = 16
  reader.budget.spend(op.reads.length)
  for (const each of op.reads) {
    const answer = readOne(reader, each)
    if (isFailure(answer)) {
      results.push({ ...noResults, failure: answer })
      bytes += 64 + answer.message.length
    } else {
      results.push({ ...noResults, [each.op]: answer.result })
      bytes += answer.bytes
    }
    if (bytes > limits.dataBytesMax) {
      return failure('tooLarge', 'the answers of the multi-read are too large for one reply')
    }
  }
  return { result: { results }, bytes }
}

const noResults: MultiReadResult = Object.freeze({
  failure: null,
  exists: null,
  getData: null,
  getChildren: null,
  getAcl: null,
})

const readOne = (reader: Reader, { op, path }: MultiReadOp): Answer | Failure => {
  const fault = pathFault(path)
  if (fault !== null) return failure('badArguments', fault)
  const local = { path, watch: false, linearizable: false }
  switch (op) {
    case 'exists':
    case 'getData':
      return read(reader, { op, ...local })
    case 'getChildren':
      return read(reader, { op, ...local, cursor: null, limit: 0, withStat: false })
    case 'getAcl':
      return read(reader, { op, path, linearizable: false })
    default:
      return assertNever(op)
  }
}

/** Who may not administer sees who has rights, not by which hash they prove it. */
const masked = (acl: Acl): Acl =>
  acl.map((entry) =>
    entry.scheme === 'digest'
      ? { ...entry, id: `${entry.id.slice(0, entry.id.lastIndexOf(':'))}:***` }
      : entry,
  )
