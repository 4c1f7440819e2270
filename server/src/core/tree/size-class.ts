import { passingCopies } from '../owned-bytes.js'

/**
 * Slots of one size, in pages. They are kept dense: the slot that is given back is filled with the
 * last one. So the pages in use are as many as the data needs, whatever was deleted where, and
 * there is no list of free slots to keep.
 */
export class SizeClass {
  readonly #slotBytes: number
  readonly #pageSlots: number
  readonly #pages: Page[] = []
  #used = 0

  /** @param slotBytes at most {@link pageBytes} */
  constructor(slotBytes: number) {
    this.#slotBytes = slotBytes
    this.#pageSlots = Math.floor(pageBytes / slotBytes)
  }

  get pages(): number {
    return this.#pages.length
  }

  /** @returns the slot that `owner` has until it gives it back or is told of another */
  take(owner: number): number {
    const slot = this.#used
    this.#used += 1
    if (this.#pageOf(slot) === undefined) {
      this.#pages.push({
        bytes: new Uint8Array(this.#pageSlots * this.#slotBytes),
        owners: new Uint32Array(this.#pageSlots),
      })
    }
    this.#setOwner(slot, owner)
    return slot
  }

  /** @returns the owner whose data now lies in `slot`; null when nothing was moved */
  giveBack(slot: number): number | null {
    this.#used -= 1
    const last = this.#used
    const owner = this.#page(last).owners[last % this.#pageSlots] as number
    if (last !== slot) {
      this.#room(slot).set(this.#room(last))
      this.#setOwner(slot, owner)
    }
    // One empty page is kept, for who goes back and forth over its edge.
    if (this.#pages.length - Math.ceil(last / this.#pageSlots) > 1) this.#pages.pop()
    return last === slot ? null : owner
  }

  write(slot: number, bytes: Uint8Array): void {
    this.#room(slot).set(bytes)
  }

  /** @returns a copy, to be forgotten soon */
  read(slot: number, length: number): Uint8Array {
    const start = this.startOf(slot)
    return copyForReader(this.pageOf(slot).subarray(start, start + length))
  }

  /** The page that a slot lies in, for who reads it before the next change. */
  pageOf(slot: number): Uint8Array {
    return this.#page(slot).bytes
  }

  /** Where in its page a slot begins. */
  startOf(slot: number): number {
    return (slot % this.#pageSlots) * this.#slotBytes
  }

  #setOwner(slot: number, owner: number): void {
    this.#page(slot).owners[slot % this.#pageSlots] = owner
  }

  #room(slot: number): Uint8Array {
    const start = this.startOf(slot)
    return this.pageOf(slot).subarray(start, start + this.#slotBytes)
  }

  #page(slot: number): Page {
    return this.#pageOf(slot) as Page
  }

  #pageOf(slot: number): Page | undefined {
    return this.#pages[Math.floor(slot / this.#pageSlots)]
  }
}

const copyForReader = passingCopies()

interface Page {
  readonly bytes: Uint8Array
  /** Of each slot. */
  readonly owners: Uint32Array
}

export const pageBytes = 65_536
