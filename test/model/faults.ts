import {
  type CreateKind,
  type ErrorCode,
  isNameRef,
  type MultiOp,
  type NameRef,
  type Op,
} from '@conclave/protocol'
import { kindOf } from './draft.js'
import { isGoodPath, isGoodPrefix, isReserved } from './paths.js'

/** What is wrong with a request by itself: it is refused without a zxid. */
export interface Refusal {
  readonly code: ErrorCode
  readonly index: number | null
}

export const faultOf = (op: Op): Refusal | null => {
  if (op.op === 'multi') return multiFault(op)
  const code = codeOf(op)
  return code === null ? null : { code, index: null }
}

const codeOf = (op: Exclude<Op, { op: 'multi' }>): ErrorCode | null => {
  switch (op.op) {
    case 'create':
    case 'delete':
    case 'setData':
    case 'setAcl':
      return writeFault(op)
    case 'check':
      return isGoodPath(op.path) && op.version >= -1 ? null : 'badArguments'
    case 'deleteRecursive':
      return isWritable(op.path) && op.path !== '/' ? null : 'badArguments'
    case 'exists':
    case 'getData':
    case 'getChildren':
    case 'getAcl':
    case 'getEphemerals':
    case 'countDescendants':
    case 'sync':
    case 'watch':
    case 'removeWatches':
      return isGoodPath(op.path) ? null : 'badArguments'
    case 'multiRead':
      return op.reads.length > 128 ? 'tooLarge' : null
    case 'auth':
      if (op.scheme !== 'digest') return 'authFailed'
      return op.user === '' || op.user.includes(':') ? 'badArguments' : null
    case 'rearmWatches':
      return [...op.data, ...op.exists, ...op.child].every(isGoodPath) ? null : 'badArguments'
    case 'closeSession':
    case 'whoAmI':
    case 'unwatch':
      return null
    default:
      return op satisfies never
  }
}

type SingleWrite = Extract<MultiOp, { op: 'create' | 'delete' | 'setData' | 'setAcl' }>

const writeFault = (op: SingleWrite): ErrorCode | null => {
  if (typeof op.path === 'string' && !isGoodTarget(op.path, op)) return 'badArguments'
  if (op.op === 'create') {
    if (!isGoodTtl(op.kind, op.ttlMs)) return 'badArguments'
    return isTooLarge(op.data) ? 'tooLarge' : null
  }
  if (op.op === 'delete' && op.path === '/') return 'badArguments'
  if (op.version < -1) return 'badArguments'
  return op.op === 'setData' && isTooLarge(op.data) ? 'tooLarge' : null
}

const isGoodTarget = (path: string, op: SingleWrite): boolean =>
  op.op === 'create' && kindOf(op.kind).isSequential
    ? isGoodPrefix(path) && !isReserved(`${path}0000000000`)
    : isWritable(path)

const isWritable = (path: string): boolean => isGoodPath(path) && !isReserved(path)

const isGoodTtl = (kind: CreateKind, ttlMs: number): boolean =>
  kindOf(kind).kind === 'ttl' ? ttlMs >= 1 && ttlMs <= 315_360_000_000 : ttlMs === 0

const isTooLarge = (data: Uint8Array | NameRef | null): boolean =>
  data instanceof Uint8Array && data.length > 1_048_576

const multiFault = (op: Op<'multi'>): Refusal | null => {
  const guards = [...op.fences, ...op.compares]
  const parts = [...op.then, ...op.else]
  if (parts.length > 128 || guards.length > 128 || bytesOf([...guards, ...parts]) > 1_048_576) {
    return { code: 'tooLarge', index: null }
  }
  if (!guards.every(({ path }) => isGoodPath(path))) return { code: 'badArguments', index: null }
  return listFault(op.then) ?? listFault(op.else)
}

/** Of all paths, data and values. */
const bytesOf = (parts: readonly object[]): number =>
  parts
    .flatMap((part) => Object.entries(part))
    .filter(([name]) => ['path', 'data', 'equals'].includes(name))
    .map(([, value]) => (isNameRef(value) ? value.suffix : (value as unknown)))
    .map((value) => {
      if (typeof value === 'string') return Buffer.byteLength(value)
      return value instanceof Uint8Array ? value.length : 0
    })
    .reduce((sum, bytes) => sum + bytes, 0)

const listFault = (list: readonly MultiOp[]): Refusal | null => {
  for (const [index, op] of list.entries()) {
    const code = referenceFault(list, index) ?? partFault(op)
    if (code !== null) return { code, index }
  }
  return null
}

const partFault = (op: MultiOp): ErrorCode | null => {
  if (op.op !== 'check') return writeFault(op)
  const isGood = isNameRef(op.path) || isGoodPath(op.path)
  return isGood && op.version >= -1 ? null : 'badArguments'
}

const referenceFault = (list: readonly MultiOp[], index: number): ErrorCode | null => {
  const op = list[index]
  if (op === undefined) return null
  const values = 'data' in op ? [op.path, op.data] : [op.path]
  const isGood = values
    .filter(isNameRef)
    .every((ref) => ref.index < index && list[ref.index]?.op === 'create')
  return isGood ? null : 'badArguments'
}
