import type { MultiOp, Op, OpResult } from '@conclave/protocol'
import { partition } from '../checker/partition.js'
import { checkLinearizable } from '../checker/wgl.js'
import { answerTo, type Input, znodeModel, type ZnodeOp } from '../checker/znode-model.js'
import type { Operation } from './history.js'
import { Violation } from './violation.js'

/** What the checker looked at in one world. */
export interface LinearizabilityReport {
  readonly partitions: number
  readonly operations: number
  /** Pieces that took too many steps: each is a hole in the proof. */
  readonly unknown: number
}

/**
 * O3: what the clients saw of the hot znodes has an explanation that needs no zxids.
 *
 * @param wasLogged of a tag: the one thing taken from the committed log is whether a write that
 *     nobody heard of again was carried out
 * @throws Violation when no order of the operations explains their answers
 */
export const judgeLinearizability = (
  hot: readonly Operation[],
  wasLogged: (tag: string) => boolean,
): LinearizabilityReport => {
  const ops = checkable(hot, wasLogged)
  const parts = partition(ops)
  let unknown = 0
  for (const part of parts) {
    const verdict = checkLinearizable(znodeModel, part)
    if (verdict === 'unknown') unknown += 1
    if (verdict !== 'illegal') continue
    const story = part.map(({ input, answer, calledAt, returnedAt }) => {
      return `${calledAt}-${returnedAt} ${JSON.stringify(input)}: ${answer}`
    })
    throw new Violation('O3', `no order explains these answers:\n${story.join('\n')}`)
  }
  return { partitions: parts.length, operations: ops.length, unknown }
}

const checkable = (
  hot: readonly Operation[],
  wasLogged: (tag: string) => boolean,
): readonly ZnodeOp[] => {
  const firstSeen = firstSightsOf(hot)
  return hot.flatMap((operation): readonly ZnodeOp[] => {
    const { op, tag, calledAt, settledAt } = operation
    const input = inputOf(op)
    const answer = answerOf(operation)
    if (answer !== null) return [{ input, answer, calledAt, returnedAt: settledAt }]
    if (operation.outcome === 'refused' || isRead(op)) return []
    if (tag === '') return [{ input, answer, calledAt, returnedAt: Number.POSITIVE_INFINITY }]
    // It was carried out by the time when somebody saw it, or some time.
    const returnedAt = firstSeen.get(tag) ?? Number.MAX_SAFE_INTEGER
    return wasLogged(tag) ? [{ input, answer, calledAt, returnedAt }] : []
  })
}

/** When each value was first shown to anybody. */
const firstSightsOf = (hot: readonly Operation[]): ReadonlyMap<string, number> => {
  const sights = new Map<string, number>()
  for (const { op, outcome, result, settledAt } of hot) {
    if (op.op !== 'getData' || outcome !== 'done') continue
    const value = textOf((result as OpResult<'getData'>).data)
    sights.set(value, Math.min(sights.get(value) ?? settledAt, settledAt))
  }
  return sights
}

const isRead = ({ op }: Op): boolean => reads.has(op)
const reads: ReadonlySet<string> = new Set(['getData', 'exists', 'getChildren', 'check'])

const inputOf = (op: Op): Input => {
  switch (op.op) {
    case 'create':
    case 'setData':
    case 'delete':
      return changeInput(op)
    case 'check':
      return { op: 'check', path: op.path, version: op.version }
    case 'getData':
    case 'exists':
    case 'getChildren':
      return { op: op.op, path: op.path }
    case 'multi':
      return { op: 'multi', inputs: op.then.map(changeInput) }
    default:
      throw new Error(`no hot path is asked for ${op.op}`)
  }
}

const changeInput = (op: MultiOp): Input => {
  const path = op.path as string
  switch (op.op) {
    case 'create': {
      const isSequential = op.kind === 'persistentSequential'
      return { op: 'create', path, value: textOf(op.data), isSequential, owner: 0 }
    }
    case 'setData':
      return { op: 'setData', path, value: textOf(op.data), version: op.version }
    case 'delete':
      return { op: 'delete', path, version: op.version }
    case 'check':
      return { op: 'check', path, version: op.version }
    default:
      throw new Error(`no hot path is asked for ${op.op}`)
  }
}

/** null when there is none that says anything about the tree. */
const answerOf = ({ op, outcome, failure, result }: Operation): string | null => {
  if (outcome !== 'done') {
    if (failure === null || !aboutTheTree.has(failure.code)) return null
    return answerTo.failed(failure.code, failure.index)
  }
  switch (op.op) {
    case 'create': {
      const { path, stat } = result as OpResult<'create'>
      return answerTo.create(path, stat)
    }
    case 'getData': {
      const { data, stat } = result as OpResult<'getData'>
      return answerTo.getData(textOf(data), stat)
    }
    case 'getChildren': {
      const { children, stat } = result as OpResult<'getChildren'>
      return answerTo.getChildren(
        children.map(({ name }) => name),
        stat,
      )
    }
    case 'exists': {
      const { stat } = result as OpResult<'exists'>
      return stat === null ? answerTo.absent : answerTo.stat(stat)
    }
    case 'setData':
      return answerTo.stat((result as OpResult<'setData'>).stat)
    case 'multi':
      return answerTo.multi(
        (result as OpResult<'multi'>).results.map(({ stat }) =>
          stat === null ? answerTo.nothing : answerTo.stat(stat),
        ),
      )
    default:
      return answerTo.nothing
  }
}

const aboutTheTree: ReadonlySet<string> = new Set([
  'noNode',
  'nodeExists',
  'badVersion',
  'notEmpty',
])

const textOf = (data: unknown): string => new TextDecoder().decode(data as Uint8Array)
