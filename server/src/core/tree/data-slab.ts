import { ownedBytes } from '../owned-bytes.js'
import { things, words } from './columns.js'
import { SizeClass } from './size-class.js'

/**
 * The data of all rows. Small data lies in slots of pages, large data in a buffer of its own.
 *
 * Who is given data may keep it: what is small is copied out of its slot, which the next change
 * writes over; what is large is never written to, a change replaces it.
 */
export class DataSlab {
  readonly #lengths = words()
  readonly #slots = words()
  readonly #large = things<Uint8Array>()
  readonly #classes = slotSizes.map((bytes) => new SizeClass(bytes))

  lengthOf(row: number): number {
    return this.#lengths.get(row)
  }

  /** @returns null when there is none */
  get(row: number): Uint8Array | null {
    const length = this.#lengths.get(row)
    if (length === 0) return null
    return this.#classOf(length)?.read(this.#slots.get(row), length) ?? this.#large.get(row)
  }

  /** Reads data where it lies: nothing is copied, and `read` keeps nothing of it. */
  inPlace<T>(row: number, read: (bytes: Uint8Array, start: number, end: number) => T): T {
    const length = this.#lengths.get(row)
    const sizeClass = this.#classOf(length)
    if (sizeClass === null) return read(this.#large.get(row) ?? noBytes, 0, length)
    const slot = this.#slots.get(row)
    const start = sizeClass.startOf(slot)
    return read(sizeClass.pageOf(slot), start, start + length)
  }

  /** Takes a copy, unless the bytes are large and have a buffer of their own. */
  set(row: number, bytes: Uint8Array | null): void {
    const length = bytes?.length ?? 0
    const [before, after] = [this.#classOf(this.#lengths.get(row)), this.#classOf(length)]
    if (before !== null && before !== after) this.#drop(before, this.#slots.get(row))
    if (after !== null && bytes !== null) {
      if (before !== after) this.#slots.set(row, after.take(row))
      after.write(this.#slots.get(row), bytes)
    }
    this.#large.set(row, after === null && bytes !== null ? ownedBytes(bytes) : null)
    this.#lengths.set(row, length)
  }

  #drop(sizeClass: SizeClass, slot: number): void {
    const moved = sizeClass.giveBack(slot)
    if (moved !== null) this.#slots.set(moved, slot)
  }

  /** @returns null for none, and for what is too large for a slot */
  #classOf(length: number): SizeClass | null {
    return length === 0 || length > slotBytesMax
      ? null
      : (this.#classes[classOfLength[length] as number] as SizeClass)
  }
}

const noBytes = new Uint8Array(0)

/** Four sizes for each doubling: of a slot at most a fifth is not used. */
export const slotSizes: readonly number[] = Array.from(
  { length: 29 },
  (_, i) => (4 + (i % 4)) * 2 ** (2 + Math.floor(i / 4)),
)
export const slotBytesMax = 2_048

const classOfLength = Uint8Array.from({ length: slotBytesMax + 1 }, (_, length) =>
  slotSizes.findIndex((bytes) => bytes >= length),
)
