import { isDeepStrictEqual } from 'node:util'
import type { HardState, Txn } from '@conclave/protocol/peer'
import type { SnapshotView } from '#server/core/effect.js'
import type { StorageOptions } from '#server/runtime/storage/index.js'
import { type CrashStep, performSteps } from './crash-steps.js'
import { open, type Reading } from './storage-kit.js'
import { type Choose, type Schedule, VirtualDisk } from './virtual-disk.js'

export interface CrashReport {
  /** How many different disks were started from. */
  readonly states: number
  readonly cutPoints: number
  /** Cut points with more than `subsetsMax` subsets, of which only some were taken. */
  readonly sampled: number
  /** In which operations the machine stopped, as `rename log-next.tmp`. */
  readonly stoppedIn: ReadonlySet<string>
  /** One sentence for each state that lost something or did not start. */
  readonly failures: readonly string[]
}

export interface CrashOptions {
  readonly storage?: Partial<StorageOptions>
  /** When operations of the disk complete: by default before anything else is begun. */
  readonly schedule?: Schedule
  /** Up to so many subsets of what is not synced are all taken. */
  readonly subsetsMax: number
  /**
   * Also stops the machine again in each operation of the recovery, as often as it takes, with up
   * to so many subsets each time; 0 for not at all.
   */
  readonly recoverySubsetsMax: number
}

/**
 * Stops the machine in each changing operation of the scenario, takes every disk that may then be
 * found, whatever subset of the unsynced sectors, sizes and directory entries it has kept, and
 * starts from it.
 */
export const enumerateCrashes = async (
  steps: readonly CrashStep[],
  options: CrashOptions,
): Promise<CrashReport> => {
  const search = new Search(steps, options)
  let cutPoint = 1
  for (; ; cutPoint++) {
    const run = new Run(new VirtualDisk(options.schedule), options.storage ?? {})
    const isDone = await Promise.race([
      run.perform(steps).then(() => true),
      run.dieAt(cutPoint).then(() => false),
    ])
    const { disk, acknowledged } = run
    if (!isDone) search.stoppedIn(disk)
    await search.from(disk, acknowledged, `stopped in operation ${cutPoint}`)
    // Last, because it goes on with this very disk: the process is killed, the machine is not.
    search.found(disk.processCrash(), acknowledged, `killed in operation ${cutPoint}`)
    await search.settle()
    if (isDone) break
  }
  return search.report(cutPoint)
}

interface FoundState {
  readonly disk: VirtualDisk
  readonly acknowledged: number
  readonly how: string
}

/** The disks that were found and those that are to be started from. */
class Search {
  readonly #history: History
  readonly #options: CrashOptions
  readonly #seen = new Set<string>()
  readonly #waiting: FoundState[] = []
  readonly #stoppedIn = new Set<string>()
  readonly #failures: string[] = []
  #sampled = 0

  constructor(steps: readonly CrashStep[], options: CrashOptions) {
    this.#history = historyOf(steps)
    this.#options = options
  }

  stoppedIn(disk: VirtualDisk): void {
    const operation = disk.operations.at(-1)
    if (operation === undefined) return
    this.#stoppedIn.add(`${operation.kind} ${operation.path.replace(/^.*\//, '')}`)
  }

  /** Every disk that a loss of power may leave of this one. */
  async from(disk: VirtualDisk, acknowledged: number, how: string): Promise<void> {
    const subsets = new Subsets(this.#options.subsetsMax)
    for (const choose of subsets.all()) this.found(disk.fork(choose), acknowledged, how)
    if (subsets.isSampled) this.#sampled += 1
    await this.settle()
  }

  found(disk: VirtualDisk, acknowledged: number, how: string): void {
    const key = `${acknowledged} ${disk.fingerprint()}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.#waiting.push({ disk, acknowledged, how })
  }

  /** Starts from all that was found, and from what is found meanwhile. */
  async settle(): Promise<void> {
    for (let state = this.#waiting.pop(); state !== undefined; state = this.#waiting.pop()) {
      if (this.#options.recoverySubsetsMax > 0) await this.#stopRecovery(state)
      const failure = await judge(state.disk, this.#history, state.acknowledged)
      if (failure !== null) this.#failures.push(`${state.how}: ${failure}`)
    }
  }

  report(cutPoints: number): CrashReport {
    return {
      states: this.#seen.size,
      cutPoints,
      sampled: this.#sampled,
      stoppedIn: this.#stoppedIn,
      failures: this.#failures,
    }
  }

  async #stopRecovery({ disk, acknowledged, how }: FoundState): Promise<void> {
    for (let cutPoint = 1; ; cutPoint++) {
      // What is on the platter: nothing of it is unsynced.
      const again = disk.fork((count) => count - 1)
      const opening = open(again).then(
        () => true,
        () => true,
      )
      const isDone = await Promise.race([opening, again.dieAt(cutPoint).then(() => false)])
      if (isDone) return
      const subsets = new Subsets(this.#options.recoverySubsetsMax)
      for (const choose of subsets.all()) {
        this.found(again.fork(choose), acknowledged, `${how}, recovery stopped in ${cutPoint}`)
      }
    }
  }
}

class Run {
  disk: VirtualDisk
  /** How many persists and installations are done. */
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
    await performSteps(steps, await open(this.disk, this.#changed), {
      done: () => void (this.acknowledged += 1),
      snapshotFailed: (error) => {
        throw error
      },
      restart: async () => {
        const before = this.disk.mutations
        if (this.#deadline !== null) this.#deadline -= before
        this.disk = this.disk.processCrash()
        this.#arm()
        return open(this.disk, this.#changed)
      },
    })
  }

  #arm(): void {
    if (this.#deadline === null) return
    void this.disk.dieAt(this.#deadline).then(() => this.#onDeath())
  }
}

export interface HistoryState {
  readonly txns: readonly string[]
  readonly epoch: number | null
}

export interface History {
  /** The state after each thing that may be durable by itself. */
  readonly states: readonly HistoryState[]
  /** After so many persists and installations, which state is the least that must be there. */
  readonly least: readonly number[]
  /** By zxid. */
  readonly snapshots: ReadonlyMap<number, () => SnapshotView>
}

export const historyOf = (steps: readonly CrashStep[]): History => {
  let state: HistoryState = { txns: [], epoch: null }
  const states = [state]
  const least = [0]
  const snapshots = new Map<number, () => SnapshotView>()
  for (const step of steps) {
    if (step.step === 'snapshot') snapshots.set(step.view().header.zxid, step.view)
    if (step.step === 'install') {
      const { header } = step.view()
      const txns = Array.from({ length: header.zxid }, () => 'in the snapshot')
      states.push((state = { ...state, txns }))
      least.push(states.length - 1)
      snapshots.set(header.zxid, step.view)
    }
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
  return { states, least, snapshots }
}

/** Starts from the disk, compares, loses power again at once, and compares with that. */
export const judge = async (
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
  const { snapshot } = reading
  if (snapshot !== null && !isSnapshot(reading, history.snapshots.get(snapshot.zxid))) {
    return `has another snapshot at ${snapshot.zxid} than was saved`
  }
  try {
    const again = (await open(disk.powerLoss(() => 0))).reading
    if (summary(again) === summary(reading)) return null
    return `reported ${summary(reading)} and later had ${summary(again)}`
  } catch (error) {
    return `started once and then no more: ${(error as Error).message}`
  }
}

const isState = (reading: Reading, state: HistoryState): boolean => {
  const kept = reading.txns.map(describe)
  const epoch = reading.hardState === null ? null : epochOf(reading.hardState)
  const covered = reading.snapshot?.zxid ?? 0
  const first = state.txns.length - kept.length
  if (first > covered || first < 0) return false
  if (reading.last.zxid !== state.txns.length || epoch !== state.epoch) return false
  return kept.every((txn, index) => txn === state.txns[first + index])
}

const isSnapshot = (reading: Reading, saved: (() => SnapshotView) | undefined): boolean => {
  const view = saved?.()
  return isDeepStrictEqual(
    [reading.snapshot, reading.entries],
    [view?.header, view?.next(Number.MAX_SAFE_INTEGER)],
  )
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
 * All combinations of what may have reached the disk when they are few; otherwise none, all, and
 * many at random.
 */
export class Subsets {
  isSampled = false
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  *all(): Generator<Choose> {
    // What is asked depends on what was answered: a file whose entry is gone has no sectors.
    let path: number[] = []
    for (let taken = 0; taken < this.#max; taken++) {
      const counts: number[] = []
      const answers = path
      yield (count) => {
        counts.push(count)
        return answers[counts.length - 1] ?? 0
      }
      path = counts.map((_, i) => answers[i] ?? 0)
      while (path.length > 0 && (path.at(-1) ?? 0) + 1 >= (counts[path.length - 1] ?? 0)) path.pop()
      if (path.length === 0) return
      path.push((path.pop() ?? 0) + 1)
    }
    this.isSampled = true
    yield (count) => count - 1
    for (let seed = 1; seed <= this.#max; seed++) {
      let state = seed
      yield (count) => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
        return (state >>> 8) % count
      }
    }
  }
}
