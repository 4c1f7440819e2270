import type { Ending, OneShotEvent, Settlement, StreamItem } from './effect.js'

/** Who the machine's effects are for: its tokens. */
export interface Caller {
  settled(settlement: Settlement): void
  /** A one-shot watch that the call has set. */
  fired(event: OneShotEvent): void
  watchLost(why: Ending): void
  /** Something of a stream. */
  item(item: StreamItem): void
}

/** What every wait takes. Without either, a call waits as long as the session lives. */
export interface WaitOptions {
  /** When it aborts, the call rejects with its reason. A write may still be executed. */
  readonly signal?: AbortSignal | undefined
  /** After this long the call rejects with a `TimeoutError`. A write may still be executed. */
  readonly timeoutMs?: number | undefined
}

/** Who is told when a one-shot watch that a call has set fires, or never will. */
export interface WatchObserver {
  fired(event: OneShotEvent): void
  lost(why: Ending): void
}

/** One call, from submit to settlement; the watch it may have set lives on. */
export class Call implements Caller {
  readonly #resolve: (settlement: Settlement & { readonly settled: 'done' }) => void
  readonly #reject: (failed: Settlement & { readonly settled: 'failed' }) => void
  readonly #observer: WatchObserver | null
  #stop: (() => void) | null = null

  constructor(
    resolve: (settlement: Settlement & { readonly settled: 'done' }) => void,
    reject: (failed: Settlement & { readonly settled: 'failed' }) => void,
    observer: WatchObserver | null,
  ) {
    this.#resolve = resolve
    this.#reject = reject
    this.#observer = observer
  }

  settled(settlement: Settlement): void {
    this.#stop?.()
    if (settlement.settled === 'done') this.#resolve(settlement)
    else this.#reject(settlement)
  }

  fired(event: OneShotEvent): void {
    this.#observer?.fired(event)
  }

  watchLost(why: Ending): void {
    this.#observer?.lost(why)
  }

  item(): void {}

  /** Calls `giveUp` with the reason when the wait is over before the call is settled. */
  limit({ signal, timeoutMs }: WaitOptions, giveUp: (reason: unknown) => void): void {
    const stop = (): void => {
      this.#stop = null
      signal?.removeEventListener('abort', onAbort)
      clearTimeout(timer)
    }
    const end = (reason: unknown): void => {
      stop()
      giveUp(reason)
    }
    const onAbort = (): void => end(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => end(timeoutReason(timeoutMs)), timeoutMs)
    this.#stop = stop
  }
}

/** What `AbortSignal.timeout` gives as its reason. */
export const timeoutReason = (timeoutMs: number): DOMException =>
  new DOMException(`no answer after ${timeoutMs} ms`, 'TimeoutError')
