import type { HardState, Txn } from '@conclave/protocol/peer'
import type { SnapshotView } from '#server/core/effect.js'
import type { StorageOptions } from '#server/runtime/storage/index.js'
import { open, type PersistParts, persistOf, type Reading, saveSnapshot } from './storage-kit.js'
import { type Choose, VirtualDisk } from './virtual-disk.js'

/** What a server does to its disk, in order. Persists in a row are not waited for. */
export type CrashStep =
  | { readonly step: 'persist'; readonly parts: PersistParts }
  | { readonly step: 'snapshot'; readonly view: () => SnapshotView }
  /** Close, or be killed, and start again. */
  | { readonly step: 'restart'; readonly isClean: boolean }

export interface CrashReport {
  readonly states: number
  readonly cutPoints: number
  /** One sentence for each state that lost something or did not start. */
  readonly failures: readonly string[]
}

/**
 * Stops the machine in each changing operation of the scenario, takes every disk that may then be
 * found (or many of them, when they are too many), and starts from it.
 */
export const enumerateCrashes = async (
  steps: readonly CrashStep[],
  changed: Partial<StorageOptions> = {},
): Promise<CrashReport> => {
  const history = historyOf(steps)
  const failures: string[] = []
  let states = 0
  let cutPoint = 1
  for (; ; cutPoint++) {
    const disk = new VirtualDisk()
    const run = new Run(disk, changed)
    const isDone = await Promise.race([
      run.perform(steps).then(() => true),
      run.dieAt(cutPoint).then(() => false),
    ])
    for (const choose of choices((pick) => void run.disk.powerLoss(pick))) {
      states += 1
      const failure = await judge(run.disk.powerLoss(choose), history, run.acknowledged)
      if (failure !== null) failures.push(`stopped in operation ${cutPoint}: ${failure}`)
    }
    // Last, because it goes on with this very disk: the process is killed, the machine is not.
    states += 1
    const failure = await judge(run.disk.processCrash(), history, run.acknowledged)
    if (failure !== null) failures.push(`killed in operation ${cutPoint}: ${failure}`)
    if (isDone) break
  }
  return { states, cutPoints: cutPoint, failures }
}

class Run {
  disk: VirtualDisk
  /** How many persists are done. */
  acknowledged = 0
  readonly #changed: Partial<StorageOptions>
  #deadline: number | null = null
  #onDeath: () => void = () => undefined

  constructor(disk: VirtualDisk, changed: Partial<StorageOptions>) {
    this.disk = disk
    this.#changed = changed
  }

  dieAt(mutation: number): Promise<void> {
    this.#deadline = mutation
    this.#arm()
    return new Promise((resolve) => {
      this.#onDeath = resolve
    })
  }

  async perform(steps: readonly CrashStep[]): Promise<void> {
    let opened = await open(this.disk, this.#changed)
    let inFlight: Promise<void>[] = []
    for (const step of steps) {
      if (step.step === 'persist') {
        inFlight.push(
          new Promise((resolve) => {
            opened.storage.persist(persistOf(step.parts), () => {
              this.acknowledged += 1
              resolve()
            })
          }),
        )
        continue
      }
      await Promise.all(inFlight)
      inFlight = []
      if (step.step === 'snapshot') {
        await saveSnapshot(opened.storage, step.view())
      } else {
        if (step.isClean) await opened.storage.close()
        const before = this.disk.mutations
        if (this.#deadline !== null) this.#deadline -= before
        this.disk = this.disk.processCrash()
        this.#arm()
        opened = await open(this.disk, this.#changed)
      }
    }
    await Promise.all(inFlight)
  }

  #arm(): void {
    if (this.#deadline === null) return
    void this.disk.dieAt(this.#deadline).then(() => this.#onDeath())
  }
}

interface State {
  readonly txns: readonly string[]
  readonly epoch: number | null
}

interface History {
  /** The state after each thing that may be durable by itself. */
  readonly states: readonly State[]
  /** After so many persists are done, which state is the least that must be there. */
  readonly least: readonly number[]
}

const historyOf = (steps: readonly CrashStep[]): History => {
  let state: State = { txns: [], epoch: null }
  const states = [state]
  const least = [0]
  for (const step of steps) {
    if (step.step !== 'persist') continue
    const { truncateAfter, txns = [], hardState } = step.parts
    if (truncateAfter !== undefined) {
      states.push((state = { ...state, txns: state.txns.slice(0, truncateAfter) }))
    }
    for (const txn of txns) {
      states.push((state = { ...state, txns: [...state.txns, describe(txn)] }))
    }
    if (hardState !== undefined) states.push((state = { ...state, epoch: epochOf(hardState) }))
    least.push(states.length - 1)
  }
  return { states, least }
}

/** Starts from the disk, compares, loses power again at once, and compares with that. */
const judge = async (
  disk: VirtualDisk,
  history: History,
  acknowledged: number,
): Promise<string | null> => {
  let reading: Reading
  try {
    reading = (await open(disk)).reading
  } catch (error) {
    return `does not start: ${(error as Error).message}`
  }
  const least = history.least[acknowledged] ?? 0
  const found = history.states.findLastIndex((state) => isState(reading, state))
  if (found < least) {
    return `has ${summary(reading)}, which is not state ${least} or a later one`
  }
  if (reading.commit > reading.last.zxid) return `has the commit mark ${reading.commit}`
  try {
    const again = (await open(disk.powerLoss(() => 0))).reading
    if (summary(again) === summary(reading)) return null
    return `reported ${summary(reading)} and later had ${summary(again)}`
  } catch (error) {
    return `started once and then no more: ${(error as Error).message}`
  }
}

const isState = (reading: Reading, state: State): boolean => {
  const kept = reading.txns.map(describe)
  const epoch = reading.hardState === null ? null : epochOf(reading.hardState)
  const covered = reading.snapshot?.zxid ?? 0
  const first = state.txns.length - kept.length
  if (first > covered || first < 0) return false
  if (reading.last.zxid !== state.txns.length || epoch !== state.epoch) return false
  return kept.every((txn, index) => txn === state.txns[first + index])
}

const summary = (reading: Reading): string =>
  JSON.stringify([
    reading.txns.map(describe),
    reading.last,
    reading.commit,
    reading.hardState,
    reading.snapshot?.zxid,
  ])

const describe = ({ zxid, epoch }: Txn): string => `${zxid}.${epoch}`
const epochOf = ({ currentEpoch }: HardState): number => currentEpoch

/**
 * All combinations of what may have reached the disk when they are few; otherwise none, all, each
 * alone, all but each, and some at random.
 */
function* choices(probe: (choose: Choose) => void): Generator<Choose> {
  const counts: number[] = []
  probe((count) => {
    counts.push(count)
    return 0
  })
  const all = counts.reduce((product, count) => product * count, 1)
  if (all <= exhaustiveMax) {
    for (let number = 0; number < all; number++) yield digits(number)
    return
  }
  yield () => 0
  yield (count) => count - 1
  for (let place = 0; place < counts.length; place++) {
    yield at((index, count) => (index === place ? count - 1 : 0))
    yield at((index, count) => (index === place ? 0 : count - 1))
  }
  for (let seed = 1; seed <= randomMax; seed++) {
    let state = seed
    yield (count) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 8) % count
    }
  }
}

const digits = (number: number): Choose => {
  let rest = number
  return (count) => {
    const digit = rest % count
    rest = Math.floor(rest / count)
    return digit
  }
}

const at = (pick: (index: number, count: number) => number): Choose => {
  let index = 0
  return (count) => pick(index++, count)
}

const exhaustiveMax = 64
const randomMax = 12
