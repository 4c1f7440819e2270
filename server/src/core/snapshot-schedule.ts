import type { LogPosition, Zxid } from '@conclave/protocol'

/** When a server saves a snapshot: after so many txns, or for a learner; one at a time. */
export class SnapshotSchedule {
  readonly #txnsBetween: number
  #lastZxid: Zxid
  #isWanted = false
  #isUnderWay = false

  constructor(txnsBetween: number, lastZxid: Zxid) {
    this.#txnsBetween = txnsBetween
    this.#lastZxid = lastZxid
  }

  /** As soon as can be, and of what is then applied. */
  want(): void {
    this.#isWanted = true
  }

  /** Only of what is durable in the own log. */
  isDue(applied: LogPosition, durable: LogPosition): boolean {
    if (this.#isUnderWay || durable.zxid < applied.zxid) return false
    return this.#isWanted || applied.zxid - this.#lastZxid >= this.#txnsBetween
  }

  begun(zxid: Zxid): void {
    this.#lastZxid = zxid
    this.#isWanted = false
    this.#isUnderWay = true
  }

  /** Saved or given up. */
  ended(): void {
    this.#isUnderWay = false
  }
}
