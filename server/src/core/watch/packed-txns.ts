import type { Zxid } from '@conclave/protocol'
import { assert } from '../assert.js'

/**
 * The bytes of txns that follow each other, oldest first. They lie one behind the other in a few
 * large pieces of memory, so that what is kept of the past is no work for the garbage collector.
 */
export class PackedTxns {
  readonly #chunks: Chunk[] = []
  #firstZxid = 0 as Zxid
  #size = 0

  /** How many txns. */
  get size(): number {
    return this.#size
  }

  /** @param zxid one above that of the newest, unless there is none */
  push(zxid: Zxid, bytes: Uint8Array): void {
    if (this.#size === 0) this.#firstZxid = zxid
    assert(zxid === this.#firstZxid + this.#size, 'packed txns have no hole')
    const chunk = this.#roomFor(zxid, bytes.length)
    const start = chunk.ends.at(-1) ?? 0
    chunk.memory.set(bytes, start)
    chunk.ends.push(start + bytes.length)
    this.#size += 1
  }

  /** A view; what it shows never changes. */
  get(zxid: Zxid): Uint8Array | undefined {
    if (zxid < this.#firstZxid || zxid >= this.#firstZxid + this.#size) return undefined
    const chunk = this.#chunkOf(zxid)
    const index = zxid - chunk.firstZxid
    return chunk.memory.subarray(index === 0 ? 0 : chunk.ends[index - 1], chunk.ends[index])
  }

  /** Forgets the oldest. @returns how many bytes it had */
  shift(): number {
    const [chunk] = this.#chunks
    assert(chunk !== undefined && this.#size > 0, 'there is an oldest txn')
    const bytes = this.get(this.#firstZxid)?.length ?? 0
    this.#firstZxid = (this.#firstZxid + 1) as Zxid
    this.#size -= 1
    if (this.#firstZxid === chunk.firstZxid + chunk.ends.length) this.#chunks.shift()
    return bytes
  }

  #roomFor(zxid: Zxid, length: number): Chunk {
    const newest = this.#chunks.at(-1)
    const isOpen = newest !== undefined && (newest.ends.at(-1) ?? 0) + length <= chunkBytes
    if (isOpen) return newest
    const memory = new Uint8Array(Math.max(chunkBytes, length))
    const chunk = { firstZxid: zxid, memory, ends: [] }
    this.#chunks.push(chunk)
    return chunk
  }

  #chunkOf(zxid: Zxid): Chunk {
    let [low, high] = [0, this.#chunks.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.#chunks[middle] as Chunk).firstZxid <= zxid) low = middle
      else high = middle - 1
    }
    return this.#chunks[low] as Chunk
  }
}

interface Chunk {
  readonly firstZxid: Zxid
  readonly memory: Uint8Array
  /** Where the bytes of each txn end. */
  readonly ends: number[]
}

const chunkBytes = 65_536
