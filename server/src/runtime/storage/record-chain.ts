import type { Epoch, LogPosition, Zxid } from '@conclave/protocol'
import { positionZero } from '@conclave/protocol'
import type { EpochStart } from '@conclave/protocol/peer'
import type { LogRecord } from './record.js'

/** A record by its position and its CRC, which the next record must name. */
export interface Anchor {
  readonly position: LogPosition
  readonly crc: number
}

/** What stands before txn 1. */
export const anchorZero: Anchor = { position: positionZero, crc: 0 }

/** The history as the log holds it: where each epoch began and the CRCs of the newest records. */
export class RecordChain {
  readonly #epochs: EpochStart[]
  /** Of consecutive records, the first of which is the one at #oldest. */
  #crcs: number[]
  #oldest: Zxid
  #last: LogPosition

  constructor(anchor: Anchor, epochs: readonly EpochStart[]) {
    this.#epochs = [...epochs]
    this.#crcs = [anchor.crc]
    this.#oldest = anchor.position.zxid
    this.#last = anchor.position
  }

  get last(): LogPosition {
    return this.#last
  }

  get lastCrc(): number {
    return this.#crcs[this.#crcs.length - 1] ?? 0
  }

  get epochs(): readonly EpochStart[] {
    return this.#epochs
  }

  /** @returns why the record cannot follow the last one, or null when it can */
  refuse(record: LogRecord): string | null {
    const { epoch, zxid } = this.#last
    if (record.zxid !== zxid + 1) return `zxid ${record.zxid} follows zxid ${zxid}`
    if (!Number.isSafeInteger(record.epoch) || record.epoch < 1) return `epoch ${record.epoch}`
    if (record.epoch < epoch) return `epoch ${record.epoch} follows epoch ${epoch}`
    if (record.previousCrc !== this.lastCrc) return 'it does not continue the record before it'
    return null
  }

  append(record: LogRecord): void {
    if (record.epoch !== this.#last.epoch) {
      this.#epochs.push({ epoch: record.epoch, firstZxid: record.zxid })
    }
    this.#crcs.push(record.crc)
    this.#last = { epoch: record.epoch, zxid: record.zxid }
  }

  /** @returns the record at `zxid`; null when it lies outside of what the chain remembers */
  at(zxid: Zxid): Anchor | null {
    const crc = this.#crcs[zxid - this.#oldest]
    if (crc === undefined) return null
    return { position: { epoch: this.#epochOf(zxid), zxid }, crc }
  }

  /** The record at `anchor` becomes the last one. */
  cutAfter(anchor: Anchor): void {
    const { zxid } = anchor.position
    this.#crcs.length = zxid - this.#oldest + 1
    while ((this.#epochs[this.#epochs.length - 1]?.firstZxid ?? 0) > zxid) this.#epochs.pop()
    this.#last = anchor.position
  }

  /** Forgets the CRCs of old records: those before `needed` that are also far behind the last. */
  forgetBefore(needed: Zxid): void {
    const keepFrom = Math.min(needed, this.#last.zxid - remembered)
    // Cutting rarely keeps the cost of copying out of the hot path.
    if (keepFrom - this.#oldest < remembered) return
    this.#crcs = this.#crcs.slice(keepFrom - this.#oldest)
    this.#oldest = keepFrom as Zxid
  }

  #epochOf(zxid: Zxid): Epoch {
    for (let i = this.#epochs.length - 1; i >= 0; i--) {
      const start = this.#epochs[i]
      if (start !== undefined && start.firstZxid <= zxid) return start.epoch
    }
    return positionZero.epoch
  }
}

const remembered = 65_536
