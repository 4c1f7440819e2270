import { type Check, checked, type Checks, duration, timerMsMax, wholeNumber } from '../checked.js'
import { processClock } from '../clock.js'
import { ClosedError, TooLargeError } from '../errors.js'
import { backoffMs, TokenBucket } from './retry-delays.js'

/** Brings one key into the state it shall have; its signal aborts when the queue is closed. */
export type Work = (key: string, signal: AbortSignal) => unknown

export interface WorkFailure {
  readonly key: string
  readonly error: unknown
  /** In a row, from 1. */
  readonly failures: number
}

export interface WorkQueueOptions {
  /** How many keys are worked on at a time, 1 to 10,000; 1 by default. */
  readonly concurrency?: number | undefined
  /** How many keys it holds at most, 1 to 10,000,000; 100,000 by default. */
  readonly keysMax?: number | undefined
  /** What a key waits after its first failure, in ms; doubled with each next; 10 by default. */
  readonly backoffMsMin?: number | undefined
  /** What it waits at most, in ms; 60,000 by default. */
  readonly backoffMsMax?: number | undefined
  /** How many retries of all keys there are a second, on average; 10 by default. */
  readonly retriesPerSecond?: number | undefined
  /** How many there may be at once after a calm; 100 by default. */
  readonly retriesBurst?: number | undefined
  /** Told of each failure; when it returns false the key is given up until it is added again. */
  readonly onFailure?: ((failure: WorkFailure) => boolean | void) | undefined
}

const isFunction: Check = { fits: (value) => typeof value === 'function', says: 'a function' }
const queueChecks: Checks<WorkQueueOptions> = {
  concurrency: wholeNumber(1, 10_000),
  keysMax: wholeNumber(1, 10_000_000),
  backoffMsMin: duration,
  backoffMsMax: duration,
  retriesPerSecond: wholeNumber(1, 1_000_000),
  retriesBurst: wholeNumber(1, 1_000_000),
  onFailure: isFunction,
}

/**
 * Keys whose state has to be looked at: client-go's work queue. It is level-triggered: a key says
 * that something is to be done, not what, so that many changes of it are worked on once, and what
 * to do is decided by what there is by then.
 *
 * Usage:
 *
 *     await using queue = new WorkQueue(async (path) => converge(path, cache.get(path)))
 *     for await (const { path } of cache.events({ signal })) queue.add(path)
 *
 * A key is worked on by one at a time; added meanwhile, it is worked on once more afterwards. Work
 * that throws is done again, later and later; only `onFailure` is told why. Dangers: the work may
 * run again after it has succeeded, and runs for a deleted znode too. It has to heed its signal:
 * `close` waits for it.
 */
export class WorkQueue implements AsyncDisposable {
  readonly #work: Work
  readonly #concurrency: number
  readonly #keysMax: number
  readonly #backoff: { readonly minMs: number; readonly maxMs: number }
  readonly #retries: TokenBucket
  readonly #onFailure: (failure: WorkFailure) => boolean | void
  readonly #items = new Map<string, Item>()
  readonly #over = new AbortController()
  /** Those whose turn it is, in their order, and those who come after them. */
  #batch: readonly Item[] = []
  #begun = 0
  #waiting: Item[] = []
  #running = 0
  #takesMore = true
  #drained: (() => void)[] = []

  /** @throws `BadArgumentsError` */
  constructor(work: Work, options?: WorkQueueOptions) {
    const given = checked(options, queueChecks)
    const { concurrency = 1, keysMax = 100_000, backoffMsMin = 10, backoffMsMax = 60_000 } = given
    const { retriesPerSecond = 10, retriesBurst = 100, onFailure = () => true } = given
    this.#work = work
    this.#concurrency = concurrency
    this.#keysMax = keysMax
    this.#backoff = { minMs: backoffMsMin, maxMs: backoffMsMax }
    this.#retries = new TokenBucket({ perSecond: retriesPerSecond, burst: retriesBurst })
    this.#onFailure = onFailure
  }

  /** How many keys wait, are worked on, or were put off after a failure. */
  get size(): number {
    return this.#items.size
  }

  /**
   * Something about this key is new. One that was put off is worked on at once: what made it fail
   * may be gone.
   *
   * @throws `TooLargeError` past `keysMax`; `ClosedError` once the queue drains or is closed
   */
  add(key: string): void {
    if (!this.#takesMore) throw new ClosedError({ message: 'the work queue takes no more keys' })
    const item = this.#items.get(key)
    if (item === undefined) {
      if (this.size >= this.#keysMax) {
        const message = `${this.#keysMax} keys wait already; raise keysMax, or work faster`
        throw new TooLargeError({ message })
      }
      this.#wait(this.#insert(key))
    } else if (item.state === 'putOff') this.#wait(item)
    else if (item.state === 'running') item.state = 'runningAndDue'
  }

  /**
   * Takes no more keys, works once on each that is due or put off, and ends.
   *
   * @returns when no key is left
   */
  async drain(): Promise<void> {
    this.#takesMore = false
    for (const item of this.#items.values()) if (item.state === 'putOff') this.#wait(item)
    if (this.#items.size === 0) return
    await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  /** Begins nothing more, and waits for what is being worked on; its signal aborts. */
  async close(): Promise<void> {
    this.#takesMore = false
    this.#over.abort(new ClosedError({ message: 'the work queue is closed' }))
    this.#batch = []
    this.#begun = 0
    this.#waiting = []
    for (const item of this.#items.values()) {
      if (item.state === 'waiting' || item.state === 'putOff') this.#remove(item)
    }
    await this.drain()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #insert(key: string): Item {
    const item: Item = { key, state: 'waiting', failures: 0, stopTimer: null }
    this.#items.set(key, item)
    return item
  }

  #wait(item: Item): void {
    item.stopTimer?.()
    item.state = 'waiting'
    this.#waiting.push(item)
    // Not inside `add`, whose caller may be in the middle of something.
    queueMicrotask(() => this.#begin())
  }

  #begin(): void {
    while (this.#running < this.#concurrency) {
      const item = this.#next()
      if (item === undefined) return
      item.state = 'running'
      this.#running += 1
      void this.#run(item)
    }
  }

  #next(): Item | undefined {
    if (this.#begun === this.#batch.length) {
      this.#batch = this.#waiting
      this.#begun = 0
      this.#waiting = []
    }
    const item = this.#batch[this.#begun]
    if (item !== undefined) this.#begun += 1
    return item
  }

  async #run(item: Item): Promise<void> {
    let isRetried = false
    try {
      await this.#work(item.key, this.#over.signal)
      item.failures = 0
    } catch (error) {
      item.failures += 1
      isRetried = this.#isRetried({ key: item.key, error, failures: item.failures })
    }
    this.#running -= 1
    if (this.#over.signal.aborted) this.#remove(item)
    else if (item.state === 'runningAndDue') this.#wait(item)
    else if (isRetried && this.#takesMore) this.#putOff(item)
    else this.#remove(item)
    this.#begin()
  }

  #isRetried(failure: WorkFailure): boolean {
    try {
      return this.#onFailure(failure) !== false
    } catch (error) {
      // As an event target does: the listener's fault is not the queue's.
      queueMicrotask(() => {
        throw error
      })
      return true
    }
  }

  #putOff(item: Item): void {
    const ownMs = backoffMs(this.#backoff, item.failures, Math.random())
    const delayMs = Math.max(ownMs, this.#retries.reserve(processClock.nowMs()))
    item.state = 'putOff'
    item.stopTimer = processClock.timer(Math.min(delayMs, timerMsMax), () => this.#wait(item))
  }

  #remove(item: Item): void {
    item.stopTimer?.()
    this.#items.delete(item.key)
    if (this.#takesMore || this.size > 0) return
    for (const resolve of this.#drained) resolve()
    this.#drained = []
  }
}

/**
 * - `waiting`: for its turn
 * - `running`: is worked on
 * - `runningAndDue`: is worked on, and something new is known since
 * - `putOff`: has failed, and waits for its timer
 */
interface Item {
  readonly key: string
  state: 'waiting' | 'running' | 'runningAndDue' | 'putOff'
  failures: number
  stopTimer: (() => void) | null
}
