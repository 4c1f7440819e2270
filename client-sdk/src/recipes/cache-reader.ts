import { type CacheEntry, type CacheEvent, differences } from './tree-entry.js'

/** What a reader has to look at when it sums up. */
export interface CacheView<T> {
  readonly zxid: number
  get(path: string): CacheEntry<T> | null
}

/**
 * What one loop over the events of a cache has not taken yet. Past its bound the events that wait
 * are forgotten but for what the loop was last told of each path, and become the differences to
 * what is there when it has time again; so it never holds more than the cache a few times.
 */
export class CacheReader<T> {
  readonly #view: CacheView<T>
  readonly #bufferEventsMax: number
  /** Is being told; what waits comes after it. */
  #telling: readonly CacheEvent<T>[] = []
  #told = 0
  #waiting: CacheEvent<T>[] = []
  /** What the loop knows of the paths that have changed since, once it fell behind. */
  #known: Map<string, CacheEntry<T> | null> | null
  #wake: () => void = () => undefined

  /** @param present the paths of what is there now, to be told first */
  constructor(view: CacheView<T>, present: Iterable<string>, bufferEventsMax: number) {
    this.#view = view
    this.#bufferEventsMax = bufferEventsMax
    this.#known = new Map(Array.from(present, (path) => [path, null]))
  }

  offer(event: CacheEvent<T>): void {
    if (this.#known !== null) this.#forget(event, this.#known)
    else if (this.#waiting.length < this.#bufferEventsMax) this.#waiting.push(event)
    else this.#fallBehind(event)
    this.#wake()
  }

  take(): CacheEvent<T> | undefined {
    if (this.#told === this.#telling.length) {
      this.#telling = this.#next()
      this.#told = 0
    }
    const event = this.#telling[this.#told]
    if (event !== undefined) this.#told += 1
    return event
  }

  /** Resolves at the next event, or {@link stir}. */
  stirred(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  stir(): void {
    this.#wake()
  }

  #next(): readonly CacheEvent<T>[] {
    const known = this.#known
    if (known === null) {
      const waiting = this.#waiting
      this.#waiting = []
      return waiting
    }
    this.#known = null
    const pairs = Array.from(known, ([path, previous]) => {
      return { path, previous, entry: this.#view.get(path) }
    })
    return differences(pairs, this.#view.zxid)
  }

  #fallBehind(last: CacheEvent<T>): void {
    const known = new Map<string, CacheEntry<T> | null>()
    for (const event of this.#waiting) this.#forget(event, known)
    this.#forget(last, known)
    this.#waiting = []
    this.#known = known
  }

  #forget(
    { path, previous, entry }: CacheEvent<T>,
    known: Map<string, CacheEntry<T> | null>,
  ): void {
    if (!known.has(path)) known.set(path, previous)
    // Came and went unseen.
    else if (entry === null && known.get(path) === null) known.delete(path)
  }
}
