import type { Failure, Xid, Zxid } from '@conclave/protocol'
import type { SnapshotEntryOf } from '@conclave/protocol/peer'

/** The answer that a logged write got, kept until the client has acknowledged it. */
export interface WriteResult {
  readonly xid: Xid
  /** Of the txn that holds the write. */
  readonly zxid: Zxid
  readonly failure: Failure | null
  /** As it travels, see `encodeResult`; null with a failure. */
  readonly result: unknown
  /** A measure of its memory, the same on every server. */
  readonly bytes: number
}

/** The results of one session, in xid order. */
export class Results {
  readonly #byXid = new Map<Xid, WriteResult>()
  #bytes = 0

  get size(): number {
    return this.#byXid.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(xid: Xid): WriteResult | undefined {
    return this.#byXid.get(xid)
  }

  add(result: WriteResult): void {
    this.#byXid.set(result.xid, result)
    this.#bytes += result.bytes
  }

  /** Forgets all up to `ackedXid`. */
  prune(ackedXid: Xid): void {
    for (const result of this.#byXid.values()) {
      if (result.xid > ackedXid) break
      this.#byXid.delete(result.xid)
      this.#bytes -= result.bytes
    }
  }

  /** What stays when all up to `ackedXid` is forgotten. */
  beyond(ackedXid: Xid): { readonly size: number; readonly bytes: number } {
    let size = this.#byXid.size
    let bytes = this.#bytes
    for (const result of this.#byXid.values()) {
      if (result.xid > ackedXid) break
      size -= 1
      bytes -= result.bytes
    }
    return { size, bytes }
  }

  values(): IterableIterator<WriteResult> {
    return this.#byXid.values()
  }

  toEntries(): SnapshotEntryOf<'session'>['results'] {
    return [...this.#byXid.values()]
  }

  static fromEntries(entries: SnapshotEntryOf<'session'>['results']): Results {
    const results = new Results()
    for (const entry of entries) results.add(entry)
    return results
  }
}
