import {
  type Compare,
  type ErrorCode,
  isNameRef,
  type MultiOp,
  type NameRef,
  type Stat,
  type WriteOp,
} from '@conclave/protocol'
import { isDeepStrictEqual } from 'node:util'
import { grants } from './access.js'
import { Draft, kindOf, type Moment, type Piece } from './draft.js'
import type { Refusal } from './faults.js'
import { isGoodPath, isReserved } from './paths.js'
import type { ModelEvent, Plain, Tree, Who } from './tree.js'

/** What a logged write did, and what it is answered. */
export interface Decision {
  readonly failure: Refusal | null
  readonly result: unknown
  readonly tree: Tree
  readonly events: readonly ModelEvent[]
}

/**
 * A write that is fit to be logged, carried out or refused by the state.
 * @param piece what a deleteRecursive did, when that was not for the state alone to decide
 */
export const decide = (
  tree: Tree,
  op: WriteOp,
  who: Who,
  at: Moment,
  piece: Piece | undefined,
): Decision => {
  const draft = new Draft(tree, who, at)
  const outcome = op.op === 'multi' ? multi(draft, op, who) : single(draft, op, who, piece)
  if ('code' in outcome) return { failure: outcome, result: null, tree, events: [] }
  return { failure: null, result: outcome.result, tree: draft.tree, events: draft.events }
}

type Outcome = Refusal | { readonly result: unknown }

const single = (
  draft: Draft,
  op: Exclude<WriteOp, { op: 'multi' }>,
  who: Who,
  piece: Piece | undefined,
): Outcome => {
  switch (op.op) {
    case 'create':
      return outcomeOf(draft.create(op))
    case 'delete':
      return outcomeOf(draft.delete(op.path, op.version) ?? {})
    case 'setData':
      return outcomeOf(withStat(draft.setData(op.path, op.data, op.version)))
    case 'setAcl':
      return outcomeOf(withStat(draft.setAcl(op.path, op.acl, op.version)))
    case 'deleteRecursive':
      return outcomeOf(draft.deleteRecursive(op.path, piece))
    case 'closeSession':
      draft.closeSession(who.sessionId)
      return { result: {} }
    default:
      return op satisfies never
  }
}

const outcomeOf = (given: ErrorCode | object): Outcome =>
  typeof given === 'string' ? { code: given, index: null } : { result: given }

const withStat = (given: ErrorCode | Plain<Stat>): ErrorCode | { stat: Plain<Stat> } =>
  typeof given === 'string' ? given : { stat: given }

const multi = (draft: Draft, op: Extract<WriteOp, { op: 'multi' }>, who: Who): Outcome => {
  const refused = fenceRefusal(draft.tree, op, who) ?? compareRefusal(draft.tree, op, who)
  if (refused !== null) return { code: refused, index: null }
  const branch = op.compares.every((compare) => holds(draft.tree, compare)) ? 'then' : 'else'
  const list = op[branch]
  const made: (string | null)[] = []
  const results: { path: string | null; stat: Plain<Stat> | null }[] = []
  for (const [index, part] of list.entries()) {
    const given = runPart(draft, resolve(part, made))
    if (typeof given === 'string') return { code: given, index }
    made.push(given.path)
    results.push(given)
  }
  return { result: { branch, results } }
}

const fenceRefusal = (tree: Tree, op: Extract<WriteOp, { op: 'multi' }>, who: Who) => {
  for (const { path, czxid } of op.fences) {
    const znode = tree.get(path)
    if (znode?.czxid !== czxid) return 'fenced'
    if (!grants(znode.acl, who.identities, 'read')) return 'noAuth'
  }
  return null
}

const compareRefusal = (tree: Tree, op: Extract<WriteOp, { op: 'multi' }>, who: Who) => {
  const unreadable = op.compares.some(({ path }) => {
    const znode = tree.get(path)
    return znode !== undefined && !grants(znode.acl, who.identities, 'read')
  })
  return unreadable ? 'noAuth' : null
}

const holds = (tree: Tree, compare: Compare): boolean => {
  const znode = tree.get(compare.path)
  if (compare.compare === 'exists') return compare.equals === (znode !== undefined)
  if (znode === undefined) return false
  switch (compare.compare) {
    case 'version':
      return znode.version === compare.equals
    case 'value':
      return isDeepStrictEqual(znode.data ?? new Uint8Array(), compare.equals ?? new Uint8Array())
    case 'ephemeralOwner':
      return znode.owner === compare.equals
    case 'czxid':
      return znode.czxid === compare.equals
    default:
      return compare satisfies never
  }
}

type Resolved =
  | (MultiOp & { readonly path: string; readonly data?: Uint8Array | null })
  | 'badArguments'

/** Puts the names that earlier creates made in the place of references to them. */
const resolve = (part: MultiOp, made: readonly (string | null)[]): Resolved => {
  const textOf = ({ index, suffix }: NameRef): string => `${made[index]}${suffix}`
  const path = isNameRef(part.path) ? textOf(part.path) : part.path
  if (isNameRef(part.path)) {
    const whole = part.op === 'create' && kindOf(part.kind).isSequential ? `${path}0` : path
    if (!isGoodPath(whole) || isReserved(whole)) return 'badArguments'
  }
  if (!('data' in part)) return { ...part, path }
  const data = isNameRef(part.data) ? new TextEncoder().encode(textOf(part.data)) : part.data
  return { ...part, path, data } as Resolved
}

type PartResult = { path: string | null; stat: Plain<Stat> | null }

const runPart = (draft: Draft, part: Resolved): ErrorCode | PartResult => {
  if (part === 'badArguments') return part
  const { path } = part
  const data = (part.data ?? null) as Uint8Array | null
  switch (part.op) {
    case 'create':
      return draft.create({ ...part, path, data })
    case 'delete':
      return draft.delete(path, part.version) ?? { path: null, stat: null }
    case 'check':
      return draft.check(path, part.version) ?? { path: null, stat: null }
    case 'setData':
      return partResult(draft.setData(path, data, part.version))
    case 'setAcl':
      return partResult(draft.setAcl(path, part.acl, part.version))
    default:
      return part satisfies never
  }
}

const partResult = (given: ErrorCode | Plain<Stat>): ErrorCode | PartResult =>
  typeof given === 'string' ? given : { path: null, stat: given }
