import { type LogPosition, positionZero, type Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import { txnBytes } from '../txn-bytes.js'

/**
 * The recent end of the log in memory: a ring of *logged* txns, bounded in bytes. Streams read it
 * up to what is applied, synchronization to its end. Recovery refills it from the log.
 */
export class History {
  readonly #bytesMax: number
  #txns: Txn[] = []
  /** Index of the oldest held; what is before it is gone, the array is cut now and then. */
  #head = 0
  #bytes = 0
  #last: LogPosition = positionZero
  #applied = 0 as Zxid
  #durable = 0 as Zxid

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The position of the last logged txn, also of one that is not held any more. */
  get last(): LogPosition {
    return this.#last
  }

  /** The lowest zxid held; 0 when nothing is. */
  get firstZxid(): Zxid {
    return this.#txns[this.#head]?.zxid ?? (0 as Zxid)
  }

  /** The last zxid not held any more, or 0: all up to it is applied, and durable in the log. */
  get forgotten(): Zxid {
    return this.firstZxid > 0 ? ((this.firstZxid - 1) as Zxid) : this.#last.zxid
  }

  get bytes(): number {
    return this.#bytes
  }

  get(zxid: Zxid): Txn | undefined {
    return zxid < this.firstZxid ? undefined : this.#txns[this.#head + zxid - this.firstZxid]
  }

  append(txn: Txn): void {
    assert(
      this.#last.zxid === 0 || txn.zxid === this.#last.zxid + 1,
      `the txn ${txn.zxid} follows ${this.#last.zxid} in the log`,
    )
    this.#txns.push(txn)
    this.#bytes += txnBytes(txn)
    this.#last = { epoch: txn.epoch, zxid: txn.zxid }
    this.#evict()
  }

  truncateAfter(position: LogPosition): void {
    while (this.#txns.length > this.#head) {
      const txn = this.#txns.at(-1) as Txn
      if (txn.zxid <= position.zxid) break
      this.#txns.pop()
      this.#bytes -= txnBytes(txn)
    }
    this.#last = position
    this.#durable = Math.min(this.#durable, position.zxid) as Zxid
  }

  /** After a snapshot was loaded: the log goes on from there. */
  startAt(position: LogPosition): void {
    if (this.#last.zxid < position.zxid) {
      this.#txns = []
      this.#head = 0
      this.#bytes = 0
      this.#last = position
      this.#durable = position.zxid
    }
  }

  /** What is not applied yet is never evicted. */
  applied(zxid: Zxid): void {
    this.#applied = zxid
    this.#evict()
  }

  /** Nor is what is not durable yet: what memory holds no more, the log can be asked for. */
  durable(zxid: Zxid): void {
    this.#durable = zxid
    this.#evict()
  }

  #evict(): void {
    const evictable = Math.min(this.#applied, this.#durable)
    while (this.#bytes > this.#bytesMax && this.firstZxid <= evictable) {
      const oldest = this.#txns[this.#head]
      if (oldest === undefined) return
      this.#bytes -= txnBytes(oldest)
      this.#head += 1
    }
    if (this.#head > 1024 && this.#head * 2 > this.#txns.length) {
      this.#txns = this.#txns.slice(this.#head)
      this.#head = 0
    }
  }
}
