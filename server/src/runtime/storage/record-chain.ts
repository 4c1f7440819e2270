import { type LogPosition, positionZero, type Zxid } from '@conclave/protocol'
import type { EpochStart } from '@conclave/protocol/peer'
import { EpochTable } from '../../core/zab/epoch-table.js'
import type { LogRecord } from './record.js'

/** A record by its position and its CRC, which the next record must name. */
export interface Anchor {
  readonly position: LogPosition
  readonly crc: number
}

/** What stands before txn 1. */
export const anchorZero: Anchor = { position: positionZero, crc: 0 }

export const anchorOf = ({ epoch, zxid, crc }: LogRecord): Anchor => ({
  position: { epoch, zxid },
  crc,
})

/** @returns why the record cannot follow the last one, or null when it can */
export const refusalOf = ({ position, crc }: Anchor, record: LogRecord): string | null => {
  const { epoch, zxid } = position
  if (record.zxid !== zxid + 1) return `zxid ${record.zxid} follows zxid ${zxid}`
  if (!Number.isSafeInteger(record.epoch) || record.epoch < 1) return `epoch ${record.epoch}`
  if (record.epoch < epoch) return `epoch ${record.epoch} follows epoch ${epoch}`
  if (record.previousCrc !== crc) return 'it does not continue the record before it'
  return null
}

/** The history as the log holds it: where each epoch began and the CRCs of the newest records. */
export class RecordChain {
  readonly epochs: EpochTable
  /** Of consecutive records, the first of which is the one at #oldest. */
  #crcs: number[]
  #oldest: Zxid
  #last: LogPosition

  constructor(anchor: Anchor, epochs: readonly EpochStart[]) {
    this.epochs = new EpochTable(epochs)
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

  /** @returns why the record cannot follow the last one, or null when it can */
  refuse(record: LogRecord): string | null {
    return refusalOf({ position: this.#last, crc: this.lastCrc }, record)
  }

  append(record: LogRecord): void {
    this.epochs.append(record)
    this.#crcs.push(record.crc)
    this.#last = { epoch: record.epoch, zxid: record.zxid }
  }

  /** @returns the record at `zxid`; null when it lies outside of what the chain remembers */
  at(zxid: Zxid): Anchor | null {
    const crc = this.#crcs[zxid - this.#oldest]
    if (crc === undefined) return null
    return { position: this.epochs.positionAt(zxid), crc }
  }

  /** The record at `anchor` becomes the last one. */
  cutAfter(anchor: Anchor): void {
    const { zxid } = anchor.position
    this.#crcs.length = zxid - this.#oldest + 1
    this.epochs.truncateAfter(zxid)
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
}

const remembered = 65_536
