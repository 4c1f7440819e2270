import type { Zxid } from '@conclave/protocol'

/** Items that snapshots can pass over while they go on changing. */
export interface Freezable<Item, Entry> {
  /** All items; one that is deleted before it is reached is not given. */
  values(): Iterator<Item>
  /** The zxid that created it. */
  bornAt(item: Item): Zxid
  /** Names the last snapshot that has it; 0 for none. Written by {@link FrozenTable} alone. */
  snapshotMark(item: Item): number
  setSnapshotMark(item: Item, id: number): void
  entry(item: Item): Entry
}

/**
 * A table as it was at one zxid, read in slices while the live table goes on: an item changed or
 * deleted since is copied on its first touch, one created since is skipped. An item may be used
 * again for another thing after it was deleted: that one is born later.
 */
export class FrozenTable<Item, Entry> {
  readonly #id: number
  readonly #zxid: Zxid
  readonly #table: Freezable<Item, Entry>
  readonly #live: Iterator<Item>
  /** Given first, so that there are never more than were touched between two slices. */
  readonly #copies: Entry[] = []

  /** @param id grows with each snapshot of this process */
  constructor(id: number, zxid: Zxid, table: Freezable<Item, Entry>) {
    this.#id = id
    this.#zxid = zxid
    this.#table = table
    this.#live = table.values()
  }

  /** Must be called before the item changes or goes. */
  touch(item: Item): void {
    this.#take(item, this.#copies)
  }

  /** At most `max` more entries, in no order; empty when all have been given. */
  next(max: number): Entry[] {
    const entries = this.#copies.splice(0, max)
    while (entries.length < max) {
      const { value: item, done } = this.#live.next()
      if (done === true) break
      this.#take(item, entries)
    }
    return entries
  }

  #take(item: Item, entries: Entry[]): void {
    const table = this.#table
    if (table.snapshotMark(item) === this.#id || table.bornAt(item) > this.#zxid) return
    table.setSnapshotMark(item, this.#id)
    entries.push(table.entry(item))
  }
}
