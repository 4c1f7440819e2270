/** One call and its answer. Orders come from one clock that never gives the same number twice. */
export interface Timed {
  readonly calledAt: number
  /** Infinity when nobody knows whether it was ever carried out. */
  readonly returnedAt: number
}

/** What the object does when it is asked for one thing after the other. */
export interface Model<State, Op extends Timed> {
  readonly initial: State
  /** The state after `op`; null when its answer is impossible in this state. */
  step(state: State, op: Op): State | null
  /** Equal for equal states. */
  keyOf(state: State): string
}

/** `unknown`: the search took too many steps. */
export type Verdict = 'linearizable' | 'illegal' | 'unknown'

/** Decides whether one after the other, in an order that respects time, would have given this. */
export type Check = <State, Op extends Timed>(
  model: Model<State, Op>,
  ops: readonly Op[],
  stepsMax?: number,
) => Verdict

/**
 * Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with the memory of Lowe,
 * "Testing for Linearizability" (2017): depth first over a doubly linked list of calls and returns,
 * where no set of operations is tried twice in one state. An operation without a return may stay
 * out altogether.
 */
export const checkLinearizable: Check = (model, ops, stepsMax = stepsMaxDefault) => {
  const head = entriesOf(ops)
  const taken = new Taken(ops)
  const tried = new Set<string>()
  const stack: { readonly call: Entry<(typeof ops)[number]>; readonly state: unknown }[] = []
  let state = model.initial
  let entry = head.next
  for (let steps = 0; taken.toPlace > 0; steps++) {
    if (steps >= stepsMax) return 'unknown'
    if (entry !== null && entry.matching !== null) {
      const next = model.step(state, entry.op)
      taken.add(entry.index)
      if (next !== null && isNew(tried, `${taken.key} ${model.keyOf(next)}`)) {
        stack.push({ call: entry, state })
        state = next
        lift(entry)
        entry = head.next
      } else {
        taken.remove(entry.index)
        entry = entry.next
      }
      continue
    }
    // A return whose call is not placed, or the end: the last choice was wrong.
    const last = stack.pop()
    if (last === undefined) return 'illegal'
    state = last.state as typeof state
    taken.remove(last.call.index)
    unlift(last.call)
    entry = last.call.next
  }
  return 'linearizable'
}

/** A call, whose `matching` is its return; or a return, or the head of the list, without one. */
interface Entry<Op> {
  readonly op: Op
  readonly index: number
  matching: Entry<Op> | null
  previous: Entry<Op> | null
  next: Entry<Op> | null
}

const entriesOf = <Op extends Timed>(ops: readonly Op[]): Entry<Op> => {
  const entry = (op: Op, index: number): Entry<Op> => {
    return { op, index, matching: null, previous: null, next: null }
  }
  const events = ops.flatMap((op, index) => {
    const [call, back] = [entry(op, index), entry(op, index)]
    call.matching = back
    return [
      { at: op.calledAt, entry: call },
      { at: op.returnedAt, entry: back },
    ]
  })
  events.sort((a, b) => (a.at === b.at ? 0 : a.at - b.at))
  const head = entry(undefined as never, -1)
  let last = head
  for (const { entry: next } of events) {
    last.next = next
    next.previous = last
    last = next
  }
  return head
}

const lift = <Op>(call: Entry<Op>): void => {
  cut(call)
  cut(call.matching as Entry<Op>)
}

const unlift = <Op>(call: Entry<Op>): void => {
  restore(call.matching as Entry<Op>)
  restore(call)
}

const cut = <Op>(entry: Entry<Op>): void => {
  if (entry.previous !== null) entry.previous.next = entry.next
  if (entry.next !== null) entry.next.previous = entry.previous
}

const restore = <Op>(entry: Entry<Op>): void => {
  if (entry.previous !== null) entry.previous.next = entry
  if (entry.next !== null) entry.next.previous = entry
}

/** Which operations are placed, with a short name for the set: it is nearly a prefix. */
class Taken {
  readonly #isTaken: Uint8Array
  /** Indices in the order of the calls, those that must be placed first. */
  readonly #order: readonly number[]
  readonly #mustCount: number
  readonly #isMust: readonly boolean[]
  toPlace: number

  constructor(ops: readonly Timed[]) {
    this.#isTaken = new Uint8Array(ops.length)
    this.#isMust = ops.map(({ returnedAt }) => Number.isFinite(returnedAt))
    const indices = ops.map((_, index) => index)
    indices.sort((a, b) => (ops[a]?.calledAt ?? 0) - (ops[b]?.calledAt ?? 0))
    const must = indices.filter((index) => this.#isMust[index])
    this.#order = [...must, ...indices.filter((index) => !this.#isMust[index])]
    this.#mustCount = must.length
    this.toPlace = must.length
  }

  get key(): string {
    let first = 0
    while (first < this.#mustCount && this.#isTaken[this.#order[first] as number] === 1) first += 1
    let key = `${first}`
    for (let place = first + 1; place < this.#order.length; place++) {
      if (this.#isTaken[this.#order[place] as number] === 1) key += `,${place}`
    }
    return key
  }

  add(index: number): void {
    this.#isTaken[index] = 1
    if (this.#isMust[index]) this.toPlace -= 1
  }

  remove(index: number): void {
    this.#isTaken[index] = 0
    if (this.#isMust[index]) this.toPlace += 1
  }
}

const isNew = (known: Set<string>, key: string): boolean => {
  if (known.has(key)) return false
  known.add(key)
  return true
}

const stepsMaxDefault = 1_000_000
