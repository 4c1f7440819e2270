/**
 * The children of one znode, as rows in the order of their ordinals: the number of creates under
 * the parent before each, so that a page can go on after any of them, present or not.
 *
 * They lie in short blocks, so that no change moves more than one block and the list of blocks.
 */
export class ChildList {
  readonly #ordinalOf: (row: number) => number
  /** None is empty. */
  readonly #blocks: number[][] = []
  #size = 0

  constructor(ordinalOf: (row: number) => number) {
    this.#ordinalOf = ordinalOf
  }

  get size(): number {
    return this.#size
  }

  get blocks(): number {
    return this.#blocks.length
  }

  add(row: number): void {
    this.#size += 1
    const ordinal = this.#ordinalOf(row)
    const at = this.#blockOf(ordinal)
    const block = this.#blocks[at]
    if (block === undefined) {
      this.#blocks.push([row])
      return
    }
    const place = this.#placeAfter(block, ordinal)
    if (block.length < blockRows) block.splice(place, 0, row)
    // Children come in their order, but while a snapshot is loaded: so blocks are full.
    else if (place === block.length) this.#blocks.splice(at + 1, 0, [row])
    else {
      this.#blocks.splice(at + 1, 0, block.splice(blockRows / 2))
      this.#size -= 1
      this.add(row)
    }
  }

  remove(row: number): void {
    const ordinal = this.#ordinalOf(row)
    const at = this.#blockOf(ordinal)
    const block = this.#blocks[at]
    const place = block === undefined ? -1 : this.#placeAfter(block, ordinal) - 1
    if (block?.[place] !== row) return
    this.#size -= 1
    block.splice(place, 1)
    const next = this.#blocks[at + 1]
    if (block.length === 0) this.#blocks.splice(at, 1)
    else if (next !== undefined && block.length + next.length <= blockRows / 2) {
      block.push(...next)
      this.#blocks.splice(at + 1, 1)
    }
  }

  /** The children with an ordinal above `ordinal`, in order; -1 for all. */
  *after(ordinal: number): Generator<number> {
    let at = this.#blockOf(ordinal)
    let place = this.#placeAfter(this.#blocks[at] ?? [], ordinal)
    for (let block = this.#blocks[at]; block !== undefined; block = this.#blocks[at]) {
      for (; place < block.length; place++) yield block[place] as number
      at += 1
      place = 0
    }
  }

  /** The index of the last block that begins at or below `ordinal`, else of the first one. */
  #blockOf(ordinal: number): number {
    const begins = (block: number[]): number => this.#ordinalOf(block[0] as number)
    return Math.max(0, countUpTo(this.#blocks, begins, ordinal) - 1)
  }

  /** The index of the first row in the block above `ordinal`. */
  #placeAfter(block: readonly number[], ordinal: number): number {
    return countUpTo(block, this.#ordinalOf, ordinal)
  }
}

/** How many of the items, which ascend by `of`, are at or below `bound`. */
const countUpTo = <T>(items: readonly T[], of: (item: T) => number, bound: number): number => {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (of(items[middle] as T) <= bound) low = middle + 1
    else high = middle
  }
  return low
}

export const blockRows = 512
