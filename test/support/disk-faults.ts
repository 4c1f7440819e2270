import type { CrashScenario } from './crash-scenarios.js'
import { historyOf, type History, judge, Subsets } from './crash-states.js'
import { type CrashStep, performSteps } from './crash-steps.js'
import { open, type Opened, persistOf } from './storage-kit.js'
import { type DiskFault, diskError, type DiskOperation, VirtualDisk } from './virtual-disk.js'

/** How operations fail from some moment on. */
export interface FaultKind {
  readonly name: string
  /** How many of a write's bytes are left, of so many; what is no write leaves nothing. */
  readonly error: (operation: DiskOperation) => DiskFault | null
  /** Only the one operation fails, and all after it succeed. */
  readonly isOnce: boolean
  /** The disk is full: it must be waited for, and all is done once there is space. */
  readonly passes: boolean
}

/** How a run with a fault went. */
export type FaultEnd = 'done' | 'fatal' | 'refused'

export interface FaultReport {
  readonly runs: number
  readonly ends: Readonly<Record<FaultEnd, number>>
  readonly failures: readonly string[]
}

/** A disk error; a failed sync or durable write leaves its pages clean and not on the platter. */
const eio = ({ path, bytes }: DiskOperation): DiskFault => diskError('EIO', path, bytes)
const full =
  (part: (bytes: number) => number) =>
  ({ kind, path, bytes }: DiskOperation): DiskFault | null =>
    takesSpace.has(kind) ? diskError('ENOSPC', path, part(bytes)) : null

export const faultKinds: readonly FaultKind[] = [
  { name: 'EIO once', error: eio, isOnce: true, passes: false },
  { name: 'EIO for ever', error: eio, isOnce: false, passes: false },
  {
    name: 'EIO after a short write',
    error: ({ path, bytes }) => diskError('EIO', path, Math.ceil(bytes / 3)),
    isOnce: true,
    passes: false,
  },
  {
    name: 'full at a sync, once',
    error: ({ kind, path }) => (kind.startsWith('sync') ? diskError('ENOSPC', path) : null),
    isOnce: true,
    passes: false,
  },
  { name: 'full before the first byte', error: full(() => 0), isOnce: false, passes: true },
  { name: 'full after a byte', error: full(() => 1), isOnce: false, passes: true },
  { name: 'full in a sector', error: full((bytes) => bytes >> 1), isOnce: false, passes: true },
  { name: 'full at the last byte', error: full((bytes) => bytes - 1), isOnce: false, passes: true },
]

/**
 * Lets the kth operation of the scenario fail, for every k (or every `stride`th): the process must
 * end, or go on; either way what it acknowledged is there when it starts again.
 */
export const enumerateFaults = async (
  { steps, storage = {}, schedule }: CrashScenario,
  kind: FaultKind,
  stride: number,
): Promise<FaultReport> => {
  const history = historyOf(steps)
  const ends = { done: 0, fatal: 0, refused: 0 }
  const failures: string[] = []
  let runs = 0
  for (let k = 1; ;) {
    const run = new FaultRun(new VirtualDisk(schedule), storage, kind, k)
    const end = await run.perform(steps)
    if (run.failed === null) break
    runs += 1
    k = run.failedAt + stride
    const { kind: operation, path } = run.failed
    const fault = `${operation} ${path} (operation ${run.failedAt})`
    if (end === 'stuck') failures.push(`${fault}: it does not go on and does not end`)
    else {
      ends[end] += 1
      if (kind.passes && end === 'fatal') failures.push(`${fault}: a full disk ended it`)
    }
    const wrong = (await run.afterEnd()) ?? (await judgeAll(run, history))
    if (wrong !== null) failures.push(`${fault}, ${end}: ${wrong}`)
  }
  return { runs, ends, failures }
}

/** On the same machine, and on one that lost all, nothing or some of what was not synced. */
const judgeAll = async (run: FaultRun, history: History): Promise<string | null> => {
  const { disk, acknowledged } = run
  const isStopped = run.failed?.kind === 'syncDirectory'
  // After a failed sync of a directory nothing becomes durable before the machine starts again.
  const disks = isStopped
    ? [...new Subsets(subsetsMax).all()].map((choose) => disk.fork(choose))
    : [disk.fork(() => 0), disk.fork((count) => count - 1), disk.processCrash()]
  for (const left of disks) {
    const failure = await judge(left, history, acknowledged)
    if (failure !== null) return failure
  }
  return null
}

class FaultRun {
  disk: VirtualDisk
  acknowledged = 0
  failed: DiskOperation | null = null
  failedAt = 0
  readonly #storage: CrashScenario['storage']
  readonly #kind: FaultKind
  readonly #at: number
  #operations = 0
  #isHealed = false
  #opened: Opened | null = null
  #end: FaultEnd | null = null

  constructor(disk: VirtualDisk, storage: CrashScenario['storage'], kind: FaultKind, at: number) {
    this.disk = disk
    this.#storage = storage
    this.#kind = kind
    this.#at = at
    this.#arm()
  }

  async perform(steps: readonly CrashStep[]): Promise<FaultEnd | 'stuck'> {
    this.#steps(steps).then(
      () => (this.#end ??= 'done'),
      () => (this.#end ??= 'refused'),
    )
    for (let turns = 0; this.#end === null; turns++) {
      await turn()
      this.#opened?.timers.fire()
      if (turns === healingTurns) this.#isHealed = true
      if (turns === stuckTurns) return 'stuck'
    }
    return this.#end
  }

  /** After a fatal error nothing is done any more, whatever the disk says now. */
  async afterEnd(): Promise<string | null> {
    const opened = this.#opened
    this.#isHealed = true
    if (this.#end !== 'fatal' || opened === null) return null
    const before = this.acknowledged
    opened.storage.persist(persistOf({}), () => (this.acknowledged += 1))
    for (let turns = 0; turns < 10; turns++) {
      await turn()
      opened.timers.fire()
    }
    if (this.acknowledged > before) return 'it acknowledged after a fatal error'
    let isClosed = false
    void opened.storage.close().then(() => (isClosed = true))
    for (let turns = 0; turns < 10 && !isClosed; turns++) await turn()
    return isClosed ? null : 'it cannot be closed'
  }

  async #steps(steps: readonly CrashStep[]): Promise<void> {
    await performSteps(steps, await this.#open(), {
      done: () => void (this.acknowledged += 1),
      // On a full disk it is given up, and nobody waits for it.
      snapshotFailed: () => undefined,
      restart: async () => {
        this.#opened = null
        if (this.#end !== null) return null
        this.disk = this.disk.processCrash()
        this.#arm()
        return this.#open()
      },
    })
  }

  async #open(): Promise<Opened> {
    const opened = await open(this.disk, {
      ...this.#storage,
      onFatal: () => (this.#end ??= 'fatal'),
    })
    this.#opened = opened
    return opened
  }

  #arm(): void {
    this.disk.fault = (operation) => {
      this.#operations += 1
      const isDue = this.#operations >= this.#at && (this.failed === null || !this.#kind.isOnce)
      if (!isDue || this.#isHealed) return null
      const fault = this.#kind.error(operation)
      if (fault !== null && this.failed === null) {
        this.failed = operation
        this.failedAt = this.#operations
      }
      return fault
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const subsetsMax = 64
const healingTurns = 30
const stuckTurns = 600
const takesSpace: ReadonlySet<DiskOperation['kind']> = new Set([
  'create',
  'write',
  'rename',
  'mkdir',
])
