import { Fifo, type LogPosition, positionZero, type Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import { txnBytes } from '../txn-bytes.js'
import type { TxnPacker } from '../txn-packer.js'
import { PackedTxns } from './packed-txns.js'

/**
 * The recent end of the log in memory: *logged* txns, bounded in bytes. Streams read it up to what
 * is applied, synchronization to its end. Recovery refills it from the log.
 *
 * What is applied and durable is kept as bytes: as objects, a history of many thousand txns is most
 * of what lives in the heap, and dies as fast as it comes.
 */
export class History {
  readonly #bytesMax: number
  readonly #packer: TxnPacker
  /** The oldest held. */
  readonly #packed = new PackedTxns()
  /** Of the packed ones those that are large: their bytes would have to be made anew. */
  readonly #large = new Map<Zxid, Txn>()
  /** Follow the packed ones: not yet applied, or not yet durable. */
  #txns = new Fifo<Txn>()
  #bytes = 0
  #last: LogPosition = positionZero
  #applied = 0 as Zxid
  #durable = 0 as Zxid

  constructor(bytesMax: number, packer: TxnPacker) {
    this.#bytesMax = bytesMax
    this.#packer = packer
  }

  /** The position of the last logged txn, also of one that is not held any more. */
  get last(): LogPosition {
    return this.#last
  }

  /** The lowest zxid held; 0 when nothing is. */
  get firstZxid(): Zxid {
    const { forgotten } = this
    return forgotten < this.#last.zxid ? ((forgotten + 1) as Zxid) : (0 as Zxid)
  }

  /** The last zxid not held any more, or 0: all up to it is applied, and durable in the log. */
  get forgotten(): Zxid {
    return (this.#last.zxid - this.#txns.length - this.#packed.size) as Zxid
  }

  get bytes(): number {
    return this.#bytes
  }

  get(zxid: Zxid): Txn | undefined {
    const behind = this.#last.zxid - zxid
    if (behind < this.#txns.length) return this.#txns.at(this.#txns.length - 1 - behind)
    const bytes = this.#packed.get(zxid)
    return bytes && (this.#large.get(zxid) ?? this.#packer.decode(bytes))
  }

  append(txn: Txn): void {
    assert(
      this.#last.zxid === 0 || txn.zxid === this.#last.zxid + 1,
      `the txn ${txn.zxid} follows ${this.#last.zxid} in the log`,
    )
    this.#txns.push(txn)
    this.#bytes += txnBytes(txn)
    this.#last = { epoch: txn.epoch, zxid: txn.zxid }
  }

  /** Of what is logged and not applied. */
  truncateAfter(position: LogPosition): void {
    const logged = this.#txns
    this.#txns = new Fifo()
    for (let txn = logged.shift(); txn !== undefined; txn = logged.shift()) {
      if (txn.zxid <= position.zxid) this.#txns.push(txn)
      else this.#bytes -= txnBytes(txn)
    }
    this.#last = position
    this.#durable = Math.min(this.#durable, position.zxid) as Zxid
  }

  /** After a snapshot was loaded: the log goes on from there. */
  startAt(position: LogPosition): void {
    if (this.#last.zxid >= position.zxid) return
    this.#settle()
    while (this.#packed.size > 0) this.#forget()
    assert(this.#txns.length === 0, 'what a snapshot covers is settled')
    this.#last = position
    this.#durable = position.zxid
  }

  /** What is not applied yet is never forgotten. */
  applied(zxid: Zxid): void {
    this.#applied = zxid
    this.#settle()
  }

  /** Nor is what is not durable yet: what memory holds no more, the log can be asked for. */
  durable(zxid: Zxid): void {
    this.#durable = zxid
    this.#settle()
  }

  #settle(): void {
    const settled = Math.min(this.#applied, this.#durable)
    while ((this.#txns.at(0)?.zxid ?? Infinity) <= settled) this.#pack(this.#txns.shift() as Txn)
    while (this.#bytes > this.#bytesMax && this.#packed.size > 0) this.#forget()
  }

  #pack(txn: Txn): void {
    const bytes = txnBytes(txn)
    if (bytes > packedBytesMax) {
      this.#large.set(txn.zxid, txn)
      this.#packed.push(txn.zxid, nothing)
      return
    }
    const packed = this.#packer.encode(txn)
    this.#packed.push(txn.zxid, packed)
    this.#bytes += packed.length - bytes
  }

  #forget(): void {
    const zxid = (this.forgotten + 1) as Zxid
    const large = this.#large.get(zxid)
    this.#large.delete(zxid)
    this.#bytes -= this.#packed.shift() + (large === undefined ? 0 : txnBytes(large))
  }
}

const packedBytesMax = 16_384
const nothing = new Uint8Array(0)
