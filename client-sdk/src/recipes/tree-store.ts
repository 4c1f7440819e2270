import type { Codec } from '../codecs.js'
import type { ChangedZnode } from '../watch.js'
import { CacheReader } from './cache-reader.js'
import { KeyedIndex } from './keyed-index.js'
import {
  type CacheEntry,
  type CacheEvent,
  changesBetween,
  differences,
  entryOf,
  type Pair,
} from './tree-entry.js'
import { tooMany, type TreeListing } from './tree-listing.js'

/** The keys under which an index has an entry: any number, none by null. */
export type IndexFunction<T> = (entry: CacheEntry<T>) => string | readonly string[] | null

export interface TreeStoreConfig<T> {
  readonly codec: Codec<T>
  readonly indexes: ReadonlyMap<string, IndexFunction<T>>
  readonly entriesMax: number
}

/** The entries of a tree cache, found in several ways, and who reads its changes. */
export class TreeStore<T> {
  /** Up to where the changes are in it. */
  zxid = 0
  /** How many changes there were. */
  revision = 0
  readonly #config: TreeStoreConfig<T>
  readonly #entries = new Map<string, CacheEntry<T>>()
  readonly #children = new KeyedIndex()
  readonly #indexes: ReadonlyMap<string, KeyedIndex>
  readonly #readers = new Set<CacheReader<T>>()

  constructor(config: TreeStoreConfig<T>) {
    this.#config = config
    this.#indexes = new Map(Array.from(config.indexes.keys(), (name) => [name, new KeyedIndex()]))
  }

  get size(): number {
    return this.#entries.size
  }

  get(path: string): CacheEntry<T> | null {
    return this.#entries.get(path) ?? null
  }

  entries(): IterableIterator<CacheEntry<T>> {
    return this.#entries.values()
  }

  children(path: string): readonly CacheEntry<T>[] {
    return this.#at(this.#children.pathsOf(path))
  }

  /** Undefined when there is no such index. */
  index(name: string): KeyedIndex | undefined {
    return this.#indexes.get(name)
  }

  indexed(index: KeyedIndex, key: string): readonly CacheEntry<T>[] {
    return this.#at(index.pathsOf(key))
  }

  /** One committed change. */
  apply({ type, path, zxid, detail }: ChangedZnode): void {
    const { codec } = this.#config
    const entry = type === 'deleted' || detail === null ? null : entryOf(path, detail, codec)
    this.zxid = zxid
    for (const change of changesBetween(this.get(path), entry)) {
      this.#tell({ path, zxid, origin: 'stream', ...change })
    }
  }

  /** The whole tree as it is, in place of what is not known any more. */
  replace({ znodes, zxid }: TreeListing): void {
    const pairs: Pair<T>[] = Array.from(znodes, ([path, state]) => {
      return { path, previous: this.get(path), entry: entryOf(path, state, this.#config.codec) }
    })
    for (const [path, previous] of this.#entries) {
      if (!znodes.has(path)) pairs.push({ path, previous, entry: null })
    }
    this.zxid = zxid
    for (const event of differences(pairs, zxid)) this.#tell(event)
  }

  /** Somebody who is told what there is now, and each change. */
  join(bufferEventsMax: number): CacheReader<T> {
    const reader = new CacheReader<T>(this, this.#entries.keys(), bufferEventsMax)
    this.#readers.add(reader)
    return reader
  }

  leave(reader: CacheReader<T>): void {
    this.#readers.delete(reader)
  }

  /** Nothing more will come. */
  end(): void {
    for (const reader of this.#readers) reader.stir()
  }

  #tell(event: CacheEvent<T>): void {
    const { path, entry } = event
    this.revision += 1
    if (entry === null) this.#remove(path)
    else this.#put(entry)
    for (const reader of this.#readers) reader.offer(event)
  }

  #put(entry: CacheEntry<T>): void {
    const { path } = entry
    const { indexes, entriesMax } = this.#config
    if (this.size >= entriesMax && !this.#entries.has(path)) throw tooMany(path, entriesMax)
    const keys = Array.from(indexes, ([name, keysOf]) => [name, keysOf(entry)] as const)
    this.#entries.set(path, entry)
    if (path !== '/') this.#children.put(path, [path.slice(0, path.lastIndexOf('/')) || '/'])
    for (const [name, some] of keys) {
      this.#indexes.get(name)?.put(path, typeof some === 'string' ? [some] : (some ?? []))
    }
  }

  #remove(path: string): void {
    this.#entries.delete(path)
    this.#children.delete(path)
    for (const index of this.#indexes.values()) index.delete(path)
  }

  #at(paths: Iterable<string>): readonly CacheEntry<T>[] {
    return Array.from(paths, (path) => this.#entries.get(path) as CacheEntry<T>)
  }
}
