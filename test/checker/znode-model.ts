import { sequenceSuffix } from '@conclave/protocol'
import type { Model, Timed } from './wgl.js'

/** What is asked of a few znodes. A version of -1 means any. */
export type Input =
  | {
      readonly op: 'create'
      readonly path: string
      readonly value: string
      readonly isSequential: boolean
      /** The session of an ephemeral; 0 for every other znode. */
      readonly owner: number
    }
  | {
      readonly op: 'setData'
      readonly path: string
      readonly value: string
      readonly version: number
    }
  | { readonly op: 'delete'; readonly path: string; readonly version: number }
  | { readonly op: 'check'; readonly path: string; readonly version: number }
  | { readonly op: 'getData'; readonly path: string }
  | { readonly op: 'exists'; readonly path: string }
  | { readonly op: 'getChildren'; readonly path: string }
  | { readonly op: 'multi'; readonly inputs: readonly Input[] }
  | { readonly op: 'closeSession'; readonly owner: number }

export interface ZnodeOp extends Timed {
  readonly input: Input
  /** As {@link answerTo} words it; null when it is not known. */
  readonly answer: string | null
}

/** What a client sees of a znode besides its value; no zxids, which nobody has to trust here. */
export interface Facts {
  readonly version: number
  readonly cversion: number
  readonly numChildren: number
}

/** Every answer in words, so that two are the same when they read the same. */
export const answerTo = {
  stat: ({ version, cversion, numChildren }: Facts): string =>
    `v${version} c${cversion} n${numChildren}`,
  create: (path: string, facts: Facts): string => `${path} ${answerTo.stat(facts)}`,
  getData: (value: string, facts: Facts): string => `${value} ${answerTo.stat(facts)}`,
  getChildren: (names: readonly string[], facts: Facts): string =>
    `[${[...names].sort().join()}] ${answerTo.stat(facts)}`,
  failed: (code: string, index: number | null = null): string =>
    index === null ? `!${code}` : `!${code} at ${index}`,
  multi: (answers: readonly string[]): string => answers.join('; '),
  absent: 'absent',
  nothing: 'done',
} as const

/** Some znodes and all above them but the root, which every component shares. */
export interface Subtree {
  readonly znodes: ReadonlyMap<string, Znode>
  readonly key: string
}

interface Znode extends Facts {
  readonly value: string
  readonly owner: number
  readonly created: number
}

/** The specification of the tree, as far as clients of a few hot znodes can tell. */
export const znodeModel: Model<Subtree, ZnodeOp> = {
  initial: { znodes: new Map(), key: '' },
  keyOf: ({ key }) => key,
  step: (state, { input, answer }) => {
    const done = perform(state, input)
    return answer === null || answer === done.answer ? done.state : null
  },
}

/** The one right answer in this state, and the state after it. */
export const perform = (state: Subtree, input: Input): Performed => {
  const draft = new Map(state.znodes)
  const answer = carryOut(draft, input)
  const isChanged = !reads.has(input.op) && !answer.startsWith('!')
  return { answer, state: isChanged ? subtreeOf(draft) : state }
}

export interface Performed {
  readonly state: Subtree
  readonly answer: string
}

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

type Draft = Map<string, Znode>

const reads: ReadonlySet<Input['op']> = new Set(['getData', 'exists', 'getChildren', 'check'])

const carryOut = (draft: Draft, input: Input): string => {
  switch (input.op) {
    case 'create':
      return create(draft, input)
    case 'multi':
      return multi(draft, input.inputs)
    case 'closeSession':
      for (const [path, { owner }] of draft) if (owner === input.owner) unlink(draft, path)
      return answerTo.nothing
    default:
      return onOne(draft, input)
  }
}

const onOne = (
  draft: Draft,
  input: Exclude<Input, { op: 'create' | 'multi' | 'closeSession' }>,
): string => {
  const { path } = input
  const znode = draft.get(path)
  if (znode === undefined)
    return input.op === 'exists' ? answerTo.absent : answerTo.failed('noNode')
  if (input.op === 'exists') return answerTo.stat(znode)
  if (input.op === 'getData') return answerTo.getData(znode.value, znode)
  if (input.op === 'getChildren') return answerTo.getChildren(childrenOf(draft, path), znode)
  if (input.version >= 0 && input.version !== znode.version) return answerTo.failed('badVersion')
  if (input.op === 'check') return answerTo.nothing
  if (input.op === 'delete') {
    if (znode.numChildren > 0) return answerTo.failed('notEmpty')
    unlink(draft, path)
    return answerTo.nothing
  }
  const changed = { ...znode, value: input.value, version: znode.version + 1 }
  draft.set(path, changed)
  return answerTo.stat(changed)
}

const create = (draft: Draft, input: Extract<Input, { op: 'create' }>): string => {
  const { value, owner, isSequential } = input
  const above = parentOf(input.path)
  const parent = draft.get(above)
  if (above !== '' && parent === undefined) return answerTo.failed('noNode')
  const path = input.path + (isSequential ? sequenceSuffix(parent?.created ?? 0) : '')
  if (draft.has(path)) return answerTo.failed('nodeExists')
  const znode = { value, owner, version: 0, cversion: 0, numChildren: 0, created: 0 }
  draft.set(path, znode)
  if (parent !== undefined) {
    const { created, cversion, numChildren } = parent
    const counts = { created: created + 1, cversion: cversion + 1, numChildren: numChildren + 1 }
    draft.set(above, { ...parent, ...counts })
  }
  return answerTo.create(path, znode)
}

const multi = (draft: Draft, inputs: readonly Input[]): string => {
  const before = new Map(draft)
  const answers: string[] = []
  for (const [index, input] of inputs.entries()) {
    const answer = carryOut(draft, input)
    if (answer.startsWith('!')) {
      draft.clear()
      for (const [path, znode] of before) draft.set(path, znode)
      return answerTo.failed(answer.slice(1), index)
    }
    answers.push(answer)
  }
  return answerTo.multi(answers)
}

const unlink = (draft: Draft, path: string): void => {
  draft.delete(path)
  const parent = draft.get(parentOf(path))
  if (parent === undefined) return
  const { cversion, numChildren } = parent
  draft.set(parentOf(path), { ...parent, cversion: cversion + 1, numChildren: numChildren - 1 })
}

const childrenOf = (draft: Draft, path: string): readonly string[] =>
  [...draft.keys()]
    .filter((each) => parentOf(each) === path)
    .map((each) => each.slice(path.length + 1))

const subtreeOf = (znodes: Draft): Subtree => {
  const rows = [...znodes].map(
    ([path, { value, version, cversion, owner, created }]) =>
      `${path} ${value} ${version} ${cversion} ${owner} ${created}`,
  )
  return { znodes, key: rows.sort().join('\n') }
}
