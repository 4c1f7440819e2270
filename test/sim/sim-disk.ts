import { type Choose, type DiskOperation, VirtualDisk } from '../support/virtual-disk.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'

/** The disk of a simulated machine, which outlives processes and can be made to fail. */
export class SimDisk {
  readonly #delayMsMean: number
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #complete: (task: () => void) => void
  #files: VirtualDisk
  #slowness = 1
  /** A process may end because of its disk. */
  isBad = false
  /** The sync of a directory has failed: its file system writes nothing more. */
  #isStopped = false

  /** @param complete runs the completion of an operation in the event loop of its process */
  constructor(
    delayMsMean: number,
    schedule: Schedule,
    random: Random,
    complete: (task: () => void) => void,
  ) {
    this.#delayMsMean = delayMsMean
    this.#schedule = schedule
    this.#random = random
    this.#complete = complete
    this.#files = this.#fresh()
  }

  get files(): VirtualDisk {
    return this.#files
  }

  /** What was written stays; where the file system has stopped, its machine starts anew. */
  processCrash(): void {
    if (this.#isStopped) return this.powerLoss((count) => this.#random.below(count))
    this.#files = this.#files.processCrash()
  }

  /** Of what was not synced, `choose` keeps any part. */
  powerLoss(choose: Choose): void {
    this.#isStopped = false
    this.#files = this.#files.powerLoss(choose)
  }

  wipe(): void {
    this.#isStopped = false
    this.#files.processCrash()
    this.#files = this.#fresh()
  }

  /** The machine loses power while the nth changing operation from now is in flight. */
  crashAt(mutation: number, died: Died): void {
    const files = this.#files
    void files.dieAt(mutation).then(() => {
      if (this.#files === files) died(files.operations.at(-1) as DiskOperation)
    })
  }

  /** The same, at the first changing operation after one that fits. */
  crashAfter(fits: (operation: DiskOperation) => boolean, died: Died): void {
    this.#files.fault = (operation) => {
      if (fits(operation)) this.crashAt(1, died)
      return null
    }
  }

  /** What fails from now on, until it is mended. */
  fail(fault: VirtualDisk['fault']): void {
    this.#files.fault = (operation) => {
      const found = fault(operation)
      if (found !== null) this.isBad = true
      if (found !== null && operation.kind === 'syncDirectory') this.#isStopped = true
      return found
    }
  }

  mend(): void {
    this.#files.fault = () => null
    void this.#files.dieAt(Number.POSITIVE_INFINITY)
    this.#slowness = 1
  }

  /** @param factor 1 is a healthy disk */
  slow(factor: number): void {
    this.#slowness = factor
  }

  /** Turns a bit of a file while no process runs. */
  rot(path: string, offset: number, bit: number): void {
    const byte = this.#files.content(path)[offset] ?? 0
    this.#files.damage(path, offset, Uint8Array.of(byte ^ (1 << bit)))
    this.isBad = true
  }

  #fresh(): VirtualDisk {
    return new VirtualDisk((task) => {
      const delayMs = this.#random.exponential(this.#delayMsMean * this.#slowness)
      this.#schedule.after(delayMs, () => this.#complete(task))
    })
  }
}

/** Told in which operation the machine stopped. */
type Died = (operation: DiskOperation) => void
