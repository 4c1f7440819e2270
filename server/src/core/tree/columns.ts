/**
 * One field of all rows. It lies in chunks, so that growing copies nothing, and a chunk is made by
 * the first value in it that is not the empty one: a field that few rows have costs the others
 * nothing.
 */
export class Column<T> {
  readonly #empty: T
  readonly #newChunk: () => Chunk<T>
  readonly #chunks: (Chunk<T> | undefined)[] = []

  /** @param newChunk makes room for {@link chunkRows} values, each the empty one */
  constructor(empty: T, newChunk: () => Chunk<T>) {
    this.#empty = empty
    this.#newChunk = newChunk
  }

  get(row: number): T {
    const chunk = this.#chunks[row >>> chunkBits]
    return chunk === undefined ? this.#empty : (chunk[row & chunkMask] as T)
  }

  set(row: number, value: T): void {
    const index = row >>> chunkBits
    let chunk = this.#chunks[index]
    if (chunk === undefined) {
      if (value === this.#empty) return
      while (this.#chunks.length <= index) this.#chunks.push(undefined)
      chunk = this.#newChunk()
      this.#chunks[index] = chunk
    }
    chunk[row & chunkMask] = value
  }
}

/** Every number that the protocol can carry: all integers up to 2^53. */
export const numbers = <T extends number>(): Column<T> => ofNumbers(Float64Array)

/**
 * 32 bits, signed: lanes of a fingerprint, rows, slots, lengths. There is no narrower kind, and no
 * unsigned one: what V8 finds more than four kinds of chunks in, it reads on a slow path.
 */
export const words = (): Column<number> => ofNumbers(Int32Array)

/** Things that are no numbers. */
export const things = <T>(): Column<T | null> => new Column<T | null>(null, () => nothings.slice())

const ofNumbers = <T extends number>(
  Numbers: new (length: number) => { [row: number]: number },
): Column<T> => new Column(0 as T, () => new Numbers(chunkRows) as Chunk<T>)

interface Chunk<T> {
  [row: number]: T
}

/** A chunk of the widest numbers has 64 KiB. */
const chunkBits = 13
export const chunkRows = 1 << chunkBits
const chunkMask = chunkRows - 1

/** Copied: that takes a hundredth of the time of making another one. */
const nothings: readonly null[] = Array.from({ length: chunkRows }, () => null)
