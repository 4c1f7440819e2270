import { limits } from '@conclave/protocol'
import { assert } from '../assert.js'
import type { Fingerprint } from '../fingerprint.js'
import { words } from './columns.js'
import { DataSlab } from './data-slab.js'

/**
 * The paths of all rows, and the row of each path. They lie in slots as bytes, found by their
 * hashes: a million strings in a Map are more than the collector can pass over without a stall.
 */
export class PathIndex {
  readonly #texts = new DataSlab()
  readonly #hashes = words()
  /** Many small tables, which grow one at a time. */
  readonly #tables: Uint32Array[] = Array.from({ length: tables }, () => new Uint32Array(4))
  readonly #used = new Uint32Array(tables)
  /** The path in hand, encoded: nothing is made to look one up. */
  readonly #inHand = new Uint8Array(1 + 2 * limits.storedPathBytesMax)
  #inHandLength = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  rowOf(path: string): number | undefined {
    const hash = hashOf(path)
    const table = this.#tables[hash & tableMask] as Uint32Array
    let isInHand = false
    for (let at = home(hash, table); ; at = next(at, table)) {
      const row = (table[at] as number) - 1
      if (row === -1) return undefined
      if (this.#hashes.get(row) !== hash) continue
      if (!isInHand) this.#inHandLength = encodeInto(path, this.#inHand)
      isInHand = true
      if (this.#texts.inPlace(row, this.#isInHand)) return row
    }
  }

  /** Of a row that has one. */
  pathOf(row: number): string {
    return this.#texts.inPlace(row, decode)
  }

  /** Adds the path to a fingerprint. */
  print(row: number, fingerprint: Fingerprint): Fingerprint {
    return this.#texts.inPlace(row, (bytes, start, end) => fingerprint.bytes(bytes, start, end))
  }

  add(row: number, path: string): void {
    const hash = hashOf(path)
    this.#texts.set(row, this.#inHand.subarray(0, encodeInto(path, this.#inHand)))
    this.#hashes.set(row, hash)
    const index = hash & tableMask
    const used = (this.#used[index] as number) + 1
    this.#used[index] = used
    this.#size += 1
    const table = this.#tables[index] as Uint32Array
    if (used * 4 > table.length * 3) this.#tables[index] = this.#enlarged(table)
    this.#put(row, this.#tables[index] as Uint32Array)
  }

  remove(row: number): void {
    const hash = this.#hashes.get(row)
    const table = this.#tables[hash & tableMask] as Uint32Array
    let hole = home(hash, table)
    while (table[hole] !== row + 1) {
      assert(table[hole] !== 0, 'the row that is removed has a path')
      hole = next(hole, table)
    }
    // Those behind it move up, as far as each may, so that nobody's way to its place is cut.
    for (let at = next(hole, table); table[at] !== 0; at = next(at, table)) {
      const mask = table.length - 1
      const wanted = home(this.#hashes.get((table[at] as number) - 1), table)
      if (((at - wanted) & mask) < ((at - hole) & mask)) continue
      table[hole] = table[at] as number
      hole = at
    }
    table[hole] = 0
    this.#used[hash & tableMask] = (this.#used[hash & tableMask] as number) - 1
    this.#size -= 1
    this.#texts.set(row, null)
  }

  readonly #isInHand = (bytes: Uint8Array, start: number, end: number): boolean => {
    if (end - start !== this.#inHandLength) return false
    for (let i = start; i < end; i++) if (bytes[i] !== this.#inHand[i - start]) return false
    return true
  }

  #put(row: number, table: Uint32Array): void {
    let at = home(this.#hashes.get(row), table)
    while (table[at] !== 0) at = next(at, table)
    table[at] = row + 1
  }

  #enlarged(table: Uint32Array): Uint32Array {
    const larger = new Uint32Array(2 * table.length)
    for (const entry of table) if (entry !== 0) this.#put(entry - 1, larger)
    return larger
  }
}

const tables = 256
const tableMask = tables - 1

const home = (hash: number, table: Uint32Array): number => (hash >>> 8) & (table.length - 1)
const next = (at: number, table: Uint32Array): number => (at + 1) & (table.length - 1)

/** FNV-1a over all of it: siblings differ in their last characters, cousins in others. */
const hashOf = (path: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < path.length; i++) {
    hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193)
  }
  return hash ^ (hash >>> 15)
}

/**
 * A byte for each character, or two for each; the first byte says which.
 * @returns how many bytes
 */
const encodeInto = (path: string, bytes: Uint8Array): number => {
  let wide = 0
  for (let i = 0; i < path.length; i++) {
    const unit = path.charCodeAt(i)
    wide |= unit >>> 8
    bytes[1 + i] = unit
  }
  bytes[0] = wide === 0 ? 0 : 1
  if (wide === 0) return 1 + path.length
  for (let i = 0; i < path.length; i++) bytes[1 + path.length + i] = path.charCodeAt(i) >>> 8
  return 1 + 2 * path.length
}

const decode = (bytes: Uint8Array, start: number, end: number): string => {
  const isWide = bytes[start] === 1
  const length = isWide ? (end - start - 1) / 2 : end - start - 1
  // A plain array is what a string is made of fastest, by far.
  units.length = length
  for (let i = 0; i < length; i++) {
    const unit = bytes[start + 1 + i] as number
    units[i] = isWide ? unit | ((bytes[start + 1 + length + i] as number) << 8) : unit
  }
  return String.fromCharCode.apply(null, units)
}

/** Used again for each path that is decoded. */
const units: number[] = []
