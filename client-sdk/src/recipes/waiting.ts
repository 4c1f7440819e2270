import type { Stat } from '@conclave/protocol'
import { checked, type Checks } from '../checked.js'
import type { Client } from '../client.js'
import type { Clock } from '../clock.js'
import { ClosedError } from '../errors.js'
import { waitChecks, type WaitOptions } from '../options.js'
import type { WatchStream } from '../watch.js'

/**
 * Runs something that asks and waits many times, with one signal for all of it.
 *
 * @throws `BadArgumentsError` for options that make no sense; the signal's reason; a `DOMException`
 *   named `TimeoutError`
 */
export const within = async <T>(
  { clock }: Pick<Client, 'clock'>,
  options: WaitOptions | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const checks: Checks<WaitOptions> = waitChecks
  const { signal, timeoutMs } = checked(options, checks)
  signal?.throwIfAborted()
  const over = new AbortController()
  const stop =
    timeoutMs === undefined
      ? () => undefined
      : clock.timer(timeoutMs, () => over.abort(timeoutReason(timeoutMs)))
  try {
    // Not by listeners: many calls may share a signal, and Node warns past ten.
    return await run(signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]))
  } finally {
    stop()
  }
}

const timeoutReason = (timeoutMs: number): DOMException =>
  new DOMException(`not granted after ${timeoutMs} ms`, 'TimeoutError')

/** Waits no longer than until the signal; what was waited for goes on. @throws its reason */
export const orAborted = async <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> => {
  signal.throwIfAborted()
  let onAbort!: () => void
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Waits so long, in ms, or until the signal aborts: which it was, the signal says. */
export const pause = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const stop = clock.timer(ms, done)
    function done(): void {
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })

/**
 * Watches one place at a time for somebody who looks, waits, and looks again. Nothing is missed:
 * the first wait for a place only begins to watch it and returns, so that the next look is made
 * while it is watched. That look has to be a read: a write whose connection was lost is answered
 * as of its first run, which may be older than the watch. A stream, unlike a one-shot watch, can be
 * given back.
 */
export class Lookout implements AsyncDisposable {
  readonly #client: Client
  readonly #signal: AbortSignal
  #place: Place | null = null
  #stream: WatchStream | null = null

  constructor(client: Client, signal: AbortSignal) {
    this.#client = client
    this.#signal = signal
  }

  /**
   * @returns when it is worth looking again
   * @throws what ends the stream, and `ClosedError` when the client was closed
   */
  async changed(place: Place): Promise<void> {
    const stream = isSame(place, this.#place) ? this.#stream : null
    if (stream === null) {
      await this.#move(place)
      if (place.isAsSeen === undefined) return
      const stat = await this.#client.exists(place.path, { signal: this.#signal })
      return place.isAsSeen(stat) ? this.changed(place) : undefined
    }
    for (;;) {
      const { value } = await stream.next()
      if (value === undefined) throw new ClosedError({ path: place.path })
      const { type } = value
      // Said of a new stream, and after a reconnect, when nothing was missed.
      if (type === 'caughtUp') continue
      if (place.below !== 'departures' || type === 'deleted' || type === 'gap') return
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream?.return()
  }

  async #move(place: Place): Promise<void> {
    await this.#stream?.return()
    this.#place = place
    const recursive = place.below === 'departures'
    this.#stream = this.#client.watch(place.path, { recursive, signal: this.#signal })
  }
}

/** What is watched: a znode and the coming and going of its children, or who departs below it. */
export interface Place {
  readonly path: string
  readonly below?: 'departures'
  /** Tells by the stat that nothing has happened since one looked, and spares another look. */
  readonly isAsSeen?: (stat: Stat | null) => boolean
}

const isSame = (a: Place, b: Place | null): boolean => a.path === b?.path && a.below === b.below
