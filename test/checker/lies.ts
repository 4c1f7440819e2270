import type { Random } from '../sim/random.js'
import { type HistoryShape, type MadeOp, makeHistory } from './histories.js'
import type { ZnodeOp } from './znode-model.js'

/** Draws histories until one holds the lie so that it can be proved to be one. */
export type Lie = (random: Random, shape: HistoryShape) => readonly ZnodeOp[]

/** Ways in which a store betrays its clients; no order of the operations explains any of these. */
export const lies: Readonly<Record<string, Lie>> = {
  'a stale read': (random, shape) =>
    until(random, shape, (ops) => {
      const [read, old] = find(ops, getsOf(ops), (get, set) => isOvertaken(ops, set, get))
      return swapIn(ops, read, `${valueOf(old)} ${old.answer}`)
    }),
  'a lost write': (random, shape) =>
    until(random, { ...shape, lost: 0.05 }, (ops) => {
      const seen = (get: MadeOp, set: MadeOp): boolean =>
        get.answer.startsWith(`${valueOf(set)} `) && isOvertaken(ops, set, get)
      find(ops, getsOf(ops), seen)
      return ops
    }),
  'a write applied twice': (random, shape) =>
    until(random, { ...shape, twice: 0.05 }, (ops) => {
      const seen = (get: MadeOp, set: MadeOp): boolean =>
        get.answer.startsWith(`${valueOf(set)} `) && versionOf(get) !== versionOf(set)
      find(ops, getsOf(ops), seen)
      return ops
    }),
  'two writes in the other order': (random, shape) =>
    until(random, shape, (ops) => {
      const [second, first] = find(ops, setsOf(ops), (late, early) => {
        return early.returnedAt < late.calledAt && areOfOneLife(ops, early, late)
      })
      return swapIn(swapIn(ops, first, second.answer), second, first.answer)
    }),
  'a value that nobody wrote': (random, shape) =>
    until(random, shape, (ops) => {
      const gets = getsOf(ops)
      if (gets.length === 0) throw new NotThere()
      const get = random.pick(gets)
      return swapIn(ops, get, get.answer.replace(/^value-\d+/, 'value-of-nobody'))
    }),
}

class NotThere extends Error {}

const until = (
  random: Random,
  shape: HistoryShape,
  tell: (ops: readonly MadeOp[]) => readonly ZnodeOp[],
): readonly ZnodeOp[] => {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    try {
      return tell(makeHistory(random, shape))
    } catch (error) {
      if (!(error instanceof NotThere)) throw error
    }
  }
  throw new Error('no history of this shape can hold the lie')
}

/** A `late` operation and a plain setData of the same znode that fit together. */
const find = (
  ops: readonly MadeOp[],
  lates: readonly MadeOp[],
  fits: (late: MadeOp, set: MadeOp) => boolean,
): readonly [MadeOp, MadeOp] => {
  for (const late of lates) {
    const set = setsOf(ops).find((each) => pathOf(each) === pathOf(late) && fits(late, each))
    if (set !== undefined) return [late, set]
  }
  throw new NotThere()
}

/** Another write began after `set` had ended, and ended before `get` began. */
const isOvertaken = (ops: readonly MadeOp[], set: MadeOp, get: MadeOp): boolean =>
  setsOf(ops).some(
    (other) =>
      pathOf(other) === pathOf(set) &&
      set.returnedAt < other.calledAt &&
      other.returnedAt < get.calledAt,
  )

/** Nothing that creates or deletes can have come between. */
const areOfOneLife = (ops: readonly MadeOp[], early: MadeOp, late: MadeOp): boolean =>
  !ops.some(
    ({ input, calledAt, returnedAt }) =>
      ['create', 'delete', 'closeSession'].includes(input.op) &&
      calledAt < late.returnedAt &&
      returnedAt > early.calledAt,
  )

const setsOf = (ops: readonly MadeOp[]): readonly MadeOp[] =>
  ops.filter(({ input, answer }) => input.op === 'setData' && !answer.startsWith('!'))

const getsOf = (ops: readonly MadeOp[]): readonly MadeOp[] =>
  ops.filter(({ input, answer }) => input.op === 'getData' && !answer.startsWith('!'))

const pathOf = ({ input }: ZnodeOp): string => ('path' in input ? input.path : '')
const valueOf = ({ input }: ZnodeOp): string => ('value' in input ? input.value : '')
const versionOf = ({ answer }: MadeOp): string => /v(\d+) c/.exec(answer)?.[1] ?? ''

const swapIn = (ops: readonly MadeOp[], op: MadeOp, answer: string): readonly MadeOp[] =>
  ops.map((each) => (each.calledAt === op.calledAt ? { ...each, answer } : each))
