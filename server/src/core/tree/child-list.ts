/**
 * The children of one znode in creation order. Each has an ordinal, the number of creates under
 * this parent before it, so that a page can go on after any of them, present or not.
 *
 * Two arrays with holes cost a tenth of a Map and are compacted when half of them is holes.
 */
export class ChildList {
  #ordinals: number[] = []
  #names: (string | null)[] = []
  #live = 0

  get size(): number {
    return this.#live
  }

  /** Ordinals only grow, except while a snapshot is loaded; {@link sort} ends that. */
  add(ordinal: number, name: string): void {
    this.#ordinals.push(ordinal)
    this.#names.push(name)
    this.#live += 1
  }

  remove(ordinal: number): void {
    const index = this.#indexAfter(ordinal - 1)
    this.#names[index] = null
    this.#live -= 1
    if (this.#names.length > 32 && this.#live * 2 < this.#names.length) this.#compact()
  }

  /** The children with an ordinal above `ordinal`, in order; -1 for all. */
  *after(ordinal: number): Generator<{ readonly name: string; readonly ordinal: number }> {
    for (let i = this.#indexAfter(ordinal); i < this.#names.length; i++) {
      const name = this.#names[i]
      if (name !== null && name !== undefined) {
        yield { name, ordinal: this.#ordinals[i] as number }
      }
    }
  }

  sort(): void {
    const order = [...this.#ordinals.keys()]
    order.sort((a, b) => (this.#ordinals[a] as number) - (this.#ordinals[b] as number))
    const ordinals = this.#ordinals
    const names = this.#names
    this.#ordinals = order.map((i) => ordinals[i] as number)
    this.#names = order.map((i) => names[i] as string | null)
  }

  /** Index of the first entry above `ordinal`. */
  #indexAfter(ordinal: number): number {
    let low = 0
    let high = this.#ordinals.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ordinals[middle] as number) <= ordinal) low = middle + 1
      else high = middle
    }
    return low
  }

  #compact(): void {
    const keep = (_: unknown, i: number): boolean => this.#names[i] !== null
    this.#ordinals = this.#ordinals.filter(keep)
    this.#names = this.#names.filter(keep)
  }
}
