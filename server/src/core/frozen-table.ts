import type { Zxid } from '@conclave/protocol'

/** A thing that snapshots can pass over while it goes on changing. */
export interface Freezable {
  /** The zxid that created it. */
  readonly bornAt: Zxid
  /** Names the last snapshot that has it; written by {@link FrozenTable} alone. */
  snapshotMark: number
}

/**
 * A table as it was at one zxid, read in slices while the live table goes on: an item changed or
 * deleted since is copied on its first touch, one created since is skipped.
 */
export class FrozenTable<Item extends Freezable, Entry> {
  readonly #id: number
  readonly #zxid: Zxid
  readonly #live: Iterator<Item>
  readonly #encode: (item: Item) => Entry
  readonly #copies = new Map<Item, Entry>()
  #leftovers: Iterator<Entry> | null = null

  /**
   * @param id grows with each snapshot of this process
   * @param live an iterator of a Map: deleted items not yet reached are not given
   */
  constructor(id: number, zxid: Zxid, live: Iterator<Item>, encode: (item: Item) => Entry) {
    this.#id = id
    this.#zxid = zxid
    this.#live = live
    this.#encode = encode
  }

  /** Must be called before the item changes or goes. */
  touch(item: Item): void {
    if (item.snapshotMark === this.#id || item.bornAt > this.#zxid) return
    item.snapshotMark = this.#id
    this.#copies.set(item, this.#encode(item))
  }

  /** At most `max` more entries; empty when all have been given. */
  next(max: number): Entry[] {
    const entries: Entry[] = []
    while (this.#leftovers === null && entries.length < max) {
      const { value: item, done } = this.#live.next()
      if (done === true) this.#leftovers = this.#copies.values()
      else this.#visit(item, entries)
    }
    while (this.#leftovers !== null && entries.length < max) {
      const { value: entry, done } = this.#leftovers.next()
      if (done === true) break
      entries.push(entry)
    }
    return entries
  }

  #visit(item: Item, entries: Entry[]): void {
    if (item.bornAt > this.#zxid) return
    if (item.snapshotMark !== this.#id) {
      item.snapshotMark = this.#id
      entries.push(this.#encode(item))
      return
    }
    const copy = this.#copies.get(item)
    if (copy === undefined) return
    this.#copies.delete(item)
    entries.push(copy)
  }
}
