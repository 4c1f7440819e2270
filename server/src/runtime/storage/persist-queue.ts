import type { Zxid } from '@conclave/protocol'
import { zxidZero } from '@conclave/protocol'
import type { HardState } from '@conclave/protocol/peer'
import type { Persist } from '../../core/effect.js'
import type { DiskSpace } from './disk-space.js'
import type { LogRecord } from './record.js'
import type { Timers } from './timers.js'
import type { Wal } from './wal.js'

/**
 * Takes persists in the order of their tickets and completes them in it. What queues behind the
 * write in flight goes into the next batch together. Inside one persist the order is: truncate,
 * then txns, then hard state, each durable before the next begins.
 */
export class PersistQueue {
  readonly #wal: Wal
  readonly #space: DiskSpace
  readonly #timers: Timers
  readonly #writeHardState: (hardState: HardState) => Promise<void>
  readonly #afterWrite: () => void
  #waiting: Waiting[] = []
  #isBusy = false
  #whenIdle: (() => void) | null = null

  constructor(
    wal: Wal,
    space: DiskSpace,
    timers: Timers,
    writeHardState: (hardState: HardState) => Promise<void>,
    afterWrite: () => void,
  ) {
    this.#wal = wal
    this.#space = space
    this.#timers = timers
    this.#writeHardState = writeHardState
    this.#afterWrite = afterWrite
  }

  push(persist: Persist, done: () => void): void {
    this.#waiting.push({ persist, done, isCut: persist.truncateAfter === null, encoded: 0 })
    this.#pump()
  }

  /** Calls back once everything that was pushed is durable. */
  whenIdle(done: () => void): void {
    this.#whenIdle = done
    this.#pump()
  }

  #pump(): void {
    if (this.#isBusy || this.#space.dead) return
    const head = this.#waiting[0]
    if (head === undefined) {
      const done = this.#whenIdle
      this.#whenIdle = null
      done?.()
      return
    }
    this.#isBusy = true
    try {
      if (head.isCut) this.#writeBatch()
      else this.#cut(head)
    } catch (error) {
      this.#space.fail(error as Error)
    }
  }

  #cut(head: Waiting): void {
    this.#wal.truncate(head.persist.truncateAfter ?? zxidZero, () => {
      head.isCut = true
      this.#isBusy = false
      this.#pump()
    })
  }

  #writeBatch(): void {
    const { records, commit, covered } = this.#gather()
    const written = (): void => {
      const hardState = this.#waiting[covered - 1]?.persist.hardState ?? null
      if (hardState === null) return this.#complete(covered)
      this.#space
        .attemptedSteps(() => this.#writeHardState(hardState))
        .then(
          () => this.#complete(covered),
          (error: Error) => this.#space.fail(error),
        )
    }
    if (records.length > 0 || this.#wal.isNews(commit)) this.#wal.write(records, commit, written)
    // Nothing to write; still nobody is called back before his call has returned.
    else this.#timers.soon(written)
  }

  /** As many persists as one batch may cover: to its size, to a hard state, to a truncation. */
  #gather(): { readonly records: readonly LogRecord[]; commit: Zxid; covered: number } {
    const records: LogRecord[] = []
    let bytes = 0
    let commit = zxidZero
    let covered = 0
    for (const waiting of this.#waiting) {
      const { txns, hardState } = waiting.persist
      if (!waiting.isCut) break
      while (waiting.encoded < txns.length && bytes < batchBytesMax) {
        const txn = txns[waiting.encoded++]
        if (txn === undefined) break
        const record = this.#wal.encode(txn)
        records.push(record)
        bytes += record.bytes.length
      }
      commit = Math.max(commit, waiting.persist.commit) as Zxid
      if (waiting.encoded < txns.length) break
      covered += 1
      if (hardState !== null) break
    }
    return { records, commit, covered }
  }

  #complete(covered: number): void {
    const completed = this.#waiting.slice(0, covered)
    this.#waiting = this.#waiting.slice(covered)
    try {
      for (const { done } of completed) done()
      this.#afterWrite()
    } finally {
      this.#isBusy = false
    }
    this.#pump()
  }
}

interface Waiting {
  readonly persist: Persist
  readonly done: () => void
  isCut: boolean
  /** How many of its txns are in the log or in the batch in flight. */
  encoded: number
}

/** A batch takes at least one record, however large, and then no more than to here. */
const batchBytesMax = 1_048_576
