import { LRUCache } from 'lru-cache'
import { anything, checked, type Checks, duration, isSignal, wholeNumber } from '../checked.js'
import type { Client } from '../client.js'
import { type As, type Codec, codecOf } from '../codecs.js'
import { BadArgumentsError, ClosedError, NoNodeError } from '../errors.js'
import type { WatchStream } from '../watch.js'
import { type CacheEntry, entryOf } from './tree-entry.js'
import { orAborted } from './waiting.js'

export interface NearCacheOptions<T> {
  /** What the data is decoded by; bytes by default. */
  readonly as?: As<T> | undefined
  /** How many answers it holds at most, 1 to 10,000,000; 1,000 by default. */
  readonly entriesMax?: number | undefined
  /** How many bytes of data and paths they have at most; 16 MiB by default. */
  readonly bytesMax?: number | undefined
  /**
   * Answers from memory while a server has confirmed, no more than so many ms ago, that nothing
   * else has changed; see `WatchStream.currentAtMs`. By default while the session is certainly
   * alive: past its deadline a read waits for a server.
   */
  readonly staleMsMax?: number | undefined
}

export interface NearReadOptions {
  /** Gives up waiting, with its reason. */
  readonly signal?: AbortSignal | undefined
}

const cacheChecks: Checks<NearCacheOptions<unknown>> = {
  as: anything,
  entriesMax: wholeNumber(1, 10_000_000),
  bytesMax: wholeNumber(1, Number.MAX_SAFE_INTEGER),
  staleMsMax: duration,
}
const readChecks: Checks<NearReadOptions> = { signal: isSignal }
const bytesMaxDefault = 16_777_216
/** Of an answer, besides its path and data; about what it takes. */
const overheadBytes = 256

/**
 * Remembers what was read below a path until it changes.
 *
 * Usage:
 *
 *     await using settings = new NearCache(client, '/settings', { as: json<Setting>() })
 *     const limit = (await settings.get('/settings/limit'))?.value
 *
 * One stream tells of every change below the path, and what was remembered of that znode is
 * forgotten: it is for subtrees that are read much more than written. Reads of one znode that is
 * not remembered share one request. No state is older than any answer that this client has been
 * given: it reads what it has written.
 *
 * Dangers: what others have written may be answered as it was before until the stream says so, and
 * without a server until the deadline of the session, or for `staleMsMax`. All who read a znode are
 * given the same object, and must not change it. It ends with the session of its client.
 */
export class NearCache<T = Uint8Array> implements AsyncDisposable {
  readonly #client: Client
  readonly #root: string
  readonly #codec: Codec<T>
  readonly #staleMsMax: number | null
  readonly #answers: LRUCache<string, Answer<T>>
  readonly #loads = new Map<string, Load<T>>()
  readonly #over = new AbortController()
  readonly #stream: WatchStream
  readonly #following: Promise<void>
  #end: { readonly error: unknown } | null = null

  /** @throws `BadArgumentsError` */
  constructor(client: Client, root: string, options?: NearCacheOptions<T>) {
    const checks: Checks<NearCacheOptions<T>> = cacheChecks
    const given = checked(options, checks)
    const { as, entriesMax = 1_000, bytesMax = bytesMaxDefault, staleMsMax } = given
    this.#client = client
    this.#root = root
    this.#codec = codecOf(as)
    this.#staleMsMax = staleMsMax ?? null
    this.#answers = new LRUCache({
      max: entriesMax,
      maxSize: bytesMax,
      sizeCalculation: ({ bytes }, path) => bytes + path.length + overheadBytes,
    })
    this.#stream = client.watch(root, { recursive: true, signal: this.#over.signal })
    this.#following = this.#follow()
  }

  /**
   * @param path the root of the cache, or a path below it
   * @returns the entry as it is remembered or read now; null when there is no such znode
   * @throws `NoAuthError`; `SessionExpiredError` and `ClosedError` when the cache has ended with
   *   its session or was closed; what ended its stream; the signal's reason; `BadArgumentsError`
   */
  async get(path: string, options?: NearReadOptions): Promise<CacheEntry<T> | null> {
    const { signal } = checked(options, readChecks)
    signal?.throwIfAborted()
    if (!isWithin(path, this.#root)) {
      throw new BadArgumentsError({ path, message: `the cache is of ${this.#root} alone` })
    }
    const answering = this.#answer(path)
    // A signal of its own: many reads may share one, and Node warns past ten listeners.
    return signal === undefined ? answering : orAborted(answering, AbortSignal.any([signal]))
  }

  /** How many answers it remembers. */
  get size(): number {
    return this.#answers.size
  }

  /** Forgets everything. Reads that wait reject with `ClosedError`. */
  async close(): Promise<void> {
    this.#over.abort(new ClosedError({ path: this.#root, message: 'the near cache is closed' }))
    await this.#following
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #answer(path: string): Promise<CacheEntry<T> | null> {
    if (this.#end !== null) throw this.#end.error
    const hasHeardAll = this.#hasHeardAll
    const answer = hasHeardAll && this.#isFresh ? this.#answers.get(path) : undefined
    if (answer !== undefined) return answer.entry
    const load = this.#loads.get(path)
    if (load === undefined) return this.#begin(path)
    if (hasHeardAll) return load.promise
    const again = (): Promise<CacheEntry<T> | null> => this.#answer(path)
    // What was not heard yet may be about the read that is under way: one more follows it.
    return (load.next ??= load.promise.then(again, again))
  }

  /**
   * What waits in the stream may be about an answer, and about what this client has done itself;
   * while no server is there it is given no other answers.
   */
  get #hasHeardAll(): boolean {
    return this.#stream.isCaughtUp || this.#client.state === 'suspended'
  }

  get #isFresh(): boolean {
    if (this.#staleMsMax === null) return this.#client.isSafe
    const { currentAtMs } = this.#stream
    return currentAtMs !== null && this.#client.clock.nowMs() - currentAtMs <= this.#staleMsMax
  }

  #begin(path: string): Promise<CacheEntry<T> | null> {
    const load = { changedAt: 0, next: null }
    const promise = this.#load(path, load)
    // Nobody may be waiting any more.
    promise.catch(() => {})
    this.#loads.set(path, Object.assign(load, { promise }))
    return promise
  }

  async #load(path: string, load: Heard): Promise<CacheEntry<T> | null> {
    try {
      for (;;) {
        load.changedAt = 0
        const answer = await this.#read(path)
        // The change may have overtaken an answer from before it.
        if (answer.asOf < load.changedAt) continue
        this.#answers.set(path, answer)
        return answer.entry
      }
    } finally {
      this.#loads.delete(path)
    }
  }

  async #read(path: string): Promise<Answer<T>> {
    const { signal } = this.#over
    try {
      const { data, stat } = await this.#client.get(path, { signal })
      const entry = entryOf(path, { data, ...stat }, this.#codec)
      return { entry, asOf: stat.mzxid, bytes: data.length }
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error
      return { entry: null, asOf: error.zxid ?? 0, bytes: 0 }
    }
  }

  async #follow(): Promise<void> {
    try {
      for await (const event of this.#stream) {
        if (event.type === 'gap') this.#forgetAll()
        else if (event.type !== 'caughtUp') this.#forget(event.path, event.zxid)
      }
      this.#end = { error: new ClosedError({ path: this.#root }) }
    } catch (error) {
      this.#end = { error }
      this.#over.abort(error)
    }
    this.#answers.clear()
  }

  #forget(path: string, zxid: number): void {
    const answer = this.#answers.peek(path)
    if (answer !== undefined && answer.asOf < zxid) this.#answers.delete(path)
    const load = this.#loads.get(path)
    if (load !== undefined) load.changedAt = zxid
  }

  #forgetAll(): void {
    this.#answers.clear()
    for (const load of this.#loads.values()) load.changedAt = Infinity
  }
}

interface Answer<T> {
  readonly entry: CacheEntry<T> | null
  /** It is not from before this zxid. */
  readonly asOf: number
  readonly bytes: number
}

interface Heard {
  /** The zxid of the last change that was heard of while the read was under way. */
  changedAt: number
}

interface Load<T> extends Heard {
  readonly promise: Promise<CacheEntry<T> | null>
  /** For those who asked when it had begun too early for them. */
  next: Promise<CacheEntry<T> | null> | null
}

const isWithin = (path: string, root: string): boolean =>
  `${path}/`.startsWith(root === '/' ? '/' : `${root}/`)
