import { anything, type Check, checked, type Checks, isSignal, wholeNumber } from '../checked.js'
import type { Client } from '../client.js'
import type { Clock } from '../clock.js'
import { type As, codecOf } from '../codecs.js'
import { BadArgumentsError, ClosedError } from '../errors.js'
import type { WatchPosition, WatchStream } from '../watch.js'
import type { KeyedIndex } from './keyed-index.js'
import { SessionScope } from './session-scope.js'
import type { CacheEntry, CacheEvent } from './tree-entry.js'
import { listTree } from './tree-listing.js'
import { type IndexFunction, TreeStore } from './tree-store.js'
import { orAborted } from './waiting.js'

export type { CacheEntry, CacheEvent } from './tree-entry.js'
export type { IndexFunction } from './tree-store.js'

export interface TreeCacheOptions<T, I extends string> {
  /** What the data is decoded by; bytes by default. */
  readonly as?: As<T> | undefined
  /** What {@link TreeCache.byIndex} finds entries by. */
  readonly indexes?: Readonly<Record<I, IndexFunction<T>>> | undefined
  /** How many znodes it holds at most, 1 to 10,000,000; 100,000 by default. More end it. */
  readonly entriesMax?: number | undefined
}

export interface CacheEventsOptions {
  /** When it aborts, the loop throws its reason. */
  readonly signal?: AbortSignal | undefined
  /** How many events wait for a slow loop before they are summed up, 1 to 100,000; 1,000. */
  readonly bufferEvents?: number | undefined
}

const isObject: Check = {
  fits: (value) => typeof value === 'object' && value !== null,
  says: 'an object of functions by name',
}
const cacheChecks: Checks<TreeCacheOptions<unknown, string>> = {
  as: anything,
  indexes: isObject,
  entriesMax: wholeNumber(1, 10_000_000),
}
const eventsChecks: Checks<CacheEventsOptions> = {
  signal: isSignal,
  bufferEvents: wholeNumber(1, 100_000),
}
const entriesMaxDefault = 100_000
const bufferEventsDefault = 1_000

/**
 * A local copy of a subtree that follows every change: what client-go calls an informer.
 *
 * Usage:
 *
 *     await using cache = new TreeCache(client, '/services', {
 *       as: json<Service>(),
 *       indexes: { zone: ({ value }) => value?.zone ?? null },
 *     })
 *     await cache.ready
 *     const nearby = cache.byIndex('zone', 'a')
 *     for await (const { type, path, entry } of cache.events({ signal })) apply(type, path, entry)
 *
 * It lists the tree once and then follows a stream, over lost connections and servers, and, given a
 * `SessionScope` in place of a client, over the ends of sessions. Each committed change is told
 * once, in the order of the zxids; where the servers no longer know what happened it lists again
 * and tells the differences. While no server can be reached it goes on answering, and `staleMs`
 * says how old that is.
 *
 * Dangers: it is always a little behind, so what must be true when it is acted on is checked in the
 * transaction that acts. Changes of one transaction are applied one after another. A change of ACL
 * is no event: what this client may not read any more stays as it was, and what it may read from
 * now on comes with its next change; below a znode that it may not read nothing is listed.
 */
export class TreeCache<T = Uint8Array, I extends string = never> implements AsyncDisposable {
  /**
   * Resolves when the whole tree has been read; rejects with what ended the cache before. Not
   * awaiting it is fine.
   */
  readonly ready: Promise<void>
  /** Resolves once the cache, its client or its scope is closed; rejects with other ends. */
  readonly ended: Promise<void>
  readonly #path: string
  readonly #entriesMax: number
  readonly #clock: Clock
  readonly #store: TreeStore<T>
  readonly #over = new AbortController()
  /** False before the first listing, and from a gap until the listing after it. */
  #isWhole = false
  #end: { readonly error: unknown } | null = null
  #toldReady!: () => void
  #stream: WatchStream | null = null
  /** Where a next session goes on. */
  #position: WatchPosition | null = null
  /** How fresh it was when it last was whole; null until it is ready. */
  #currentAtMs: number | null = null

  /**
   * @param source a client, with whose session the cache ends, or a scope of sessions
   * @throws `BadArgumentsError`. What else goes wrong ends the cache, see {@link ended}: besides
   *   the end of the session, `NoAuthError` when the path may not be read, `TooLargeError` for a
   *   larger tree than `entriesMax`, and what a function of an index throws.
   */
  constructor(source: Client | SessionScope, path: string, options?: TreeCacheOptions<T, I>) {
    const checks: Checks<TreeCacheOptions<T, I>> = cacheChecks
    const { as, indexes, entriesMax = entriesMaxDefault } = checked(options, checks)
    const functions = new Map(Object.entries<IndexFunction<T>>(indexes ?? {}))
    this.#path = path
    this.#entriesMax = entriesMax
    this.#store = new TreeStore({ codec: codecOf(as), indexes: functions, entriesMax })
    const listed = new Promise<void>((resolve) => (this.#toldReady = resolve))
    this.#clock = source.clock
    this.ended = this.#run(source)
    this.ready = Promise.race([listed, this.ended.then(() => Promise.reject(closed(path)))])
    this.ready.catch(() => {})
    this.ended.catch(() => {})
  }

  /** @returns the entry of a znode; null when there is none */
  get(path: string): CacheEntry<T> | null {
    return this.#whole.get(path)
  }

  /** All entries, in no particular order. The danger: a loop that awaits sees a changing tree. */
  entries(): IterableIterator<CacheEntry<T>> {
    return this.#whole.entries()
  }

  /** The entries right below a path, in no particular order. */
  children(path: string): readonly CacheEntry<T>[] {
    return this.#whole.children(path)
  }

  /** The entries that the index has under the key, in no particular order. */
  byIndex(name: I, key: string): readonly CacheEntry<T>[] {
    return this.#whole.indexed(this.#index(name), key)
  }

  /** All keys under which the index has entries. */
  keysOf(name: I): readonly string[] {
    return [...this.#index(name).keys()]
  }

  get size(): number {
    return this.#whole.size
  }

  /** Up to where the changes are in it; 0 before it is ready. */
  get zxid(): number {
    return this.#store.zxid
  }

  /** Rises with each change: what was made of the entries is good for as long as it has not. */
  get revision(): number {
    return this.#store.revision
  }

  /**
   * How long ago it certainly held all that its server knew, in ms of the monotonic clock: up to a
   * third of the session timeout while all is well, since a quiet server confirms by its answers to
   * pings; growing while there is none. Infinity before it is ready.
   */
  get staleMs(): number {
    const fresh = this.#isWhole ? this.#stream?.currentAtMs : null
    const currentAtMs = fresh ?? this.#currentAtMs
    return currentAtMs === null ? Infinity : Math.max(0, this.#clock.nowMs() - currentAtMs)
  }

  /**
   * What is in the cache now, as if it were just created, and then each change. A loop that is too
   * slow for its buffer is told the differences in place of what it missed.
   *
   * @returns ends quietly when the cache is closed; the loop throws what else ended it, the
   *   signal's reason, `BadArgumentsError`
   */
  async *events(options?: CacheEventsOptions): AsyncGenerator<CacheEvent<T>, void, undefined> {
    const { signal: given, bufferEvents = bufferEventsDefault } = checked(options, eventsChecks)
    // A signal of its own: many loops may share one, and Node warns past ten listeners.
    const signal = AbortSignal.any(given === undefined ? [] : [given])
    const reader = this.#store.join(bufferEvents)
    const stir = (): void => reader.stir()
    signal.addEventListener('abort', stir)
    try {
      for (;;) {
        signal.throwIfAborted()
        const event = reader.take()
        if (event !== undefined) yield event
        else if (this.#end === null) await reader.stirred()
        else if (this.#end.error === null) return
        else throw this.#end.error
      }
    } finally {
      signal.removeEventListener('abort', stir)
      this.#store.leave(reader)
    }
  }

  /** Stops following. What it holds can still be read. */
  async close(): Promise<void> {
    this.#over.abort(closed(this.#path))
    await this.ended.catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @throws BadArgumentsError before it is ready: an empty answer would be a wrong one */
  get #whole(): TreeStore<T> {
    if (this.#currentAtMs !== null) return this.#store
    const message = 'the cache has not read the tree yet; await `ready` first'
    throw new BadArgumentsError({ path: this.#path, message })
  }

  #index(name: I): KeyedIndex {
    const index = this.#whole.index(name)
    if (index !== undefined) return index
    throw new BadArgumentsError({ message: `the cache has no index ${name}` })
  }

  async #run(source: Client | SessionScope): Promise<void> {
    const { signal } = this.#over
    try {
      const following =
        source instanceof SessionScope
          ? source.run((client, ending) => this.#follow(client, ending), { signal })
          : this.#follow(source, signal)
      // A scope that waits for a server does not look at it.
      await orAborted(following, signal)
    } catch (error) {
      if (!(error instanceof ClosedError)) {
        this.#end = { error }
        throw error
      }
    } finally {
      this.#end ??= { error: null }
      this.#store.end()
    }
  }

  /** In one session, from where the last one ended. */
  async #follow(client: Client, signal: AbortSignal): Promise<void> {
    const reading = { path: this.#path, entriesMax: this.#entriesMax, signal }
    const from = this.#isWhole ? this.#position : null
    // To a server that is behind, a position of the last session would be none of its history.
    if (from !== null) await client.sync(this.#path, { signal })
    await using stream = client.watch(this.#path, { recursive: true, detail: true, from, signal })
    this.#stream = stream
    try {
      for (;;) {
        if (!this.#isWhole) {
          const listing = await listTree(client, stream, reading)
          if (listing === null) return
          this.#store.replace(listing)
          this.#isWhole = true
          this.#toldReady()
        }
        this.#currentAtMs = stream.currentAtMs ?? this.#currentAtMs
        const { value: event } = await stream.next()
        if (event === undefined) return
        if (event.type === 'gap') this.#isWhole = false
        else if (event.type !== 'caughtUp') this.#store.apply(event)
      }
    } finally {
      this.#position = stream.position
      if (this.#isWhole) this.#currentAtMs = stream.currentAtMs ?? this.#currentAtMs
      this.#stream = null
    }
  }
}

const closed = (path: string): Error => new ClosedError({ path, message: 'the cache is closed' })
