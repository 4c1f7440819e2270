import type { Clock } from '../transport/transport.js'

/** What every wait takes. Without either, a call waits as long as the session lives. */
export interface WaitOptions {
  /** When it aborts, the call rejects with its reason. A write may still be executed. */
  readonly signal?: AbortSignal | undefined
  /**
   * In ms, 0 to 2,147,483,647: after this long the call rejects with a `DOMException` named
   * `TimeoutError`. A write may still be executed.
   */
  readonly timeoutMs?: number | undefined
}

/** The waits of one client: one listener a signal, however many share it (Node warns past ten). */
export class Waits {
  readonly #timer: Clock['timer']
  readonly #bySignal = new Map<AbortSignal, SharedSignal>()

  constructor(timer: Clock['timer']) {
    this.#timer = timer
  }

  /** The caller ends it, whatever happens: until then it may hold a timer and a listener. */
  begin({ signal, timeoutMs }: WaitOptions): Wait {
    const wait = new Wait(signal !== undefined || timeoutMs !== undefined)
    if (signal?.aborted === true) wait.giveUp(signal.reason)
    else {
      if (signal !== undefined) wait.whenEnded(this.#share(signal, wait))
      if (timeoutMs !== undefined) {
        wait.whenEnded(this.#timer(timeoutMs, () => wait.giveUp(timeoutReason(timeoutMs))))
      }
    }
    return wait
  }

  #share(signal: AbortSignal, wait: Wait): () => void {
    const shared = this.#bySignal.get(signal) ?? this.#listen(signal)
    shared.waits.add(wait)
    return () => {
      shared.waits.delete(wait)
      if (shared.waits.size > 0) return
      signal.removeEventListener('abort', shared.onAbort)
      this.#bySignal.delete(signal)
    }
  }

  #listen(signal: AbortSignal): SharedSignal {
    const waits = new Set<Wait>()
    const onAbort = (): void => {
      for (const wait of waits) wait.giveUp(signal.reason)
    }
    const shared = { waits, onAbort }
    signal.addEventListener('abort', onAbort)
    this.#bySignal.set(signal, shared)
    return shared
  }
}

/** How long one caller waits, over one request or several in a row. */
export class Wait {
  /** False when nothing but its end will ever end it. */
  readonly isLimited: boolean
  readonly #endings: (() => void)[] = []
  #over: { readonly reason: unknown } | null = null
  #onOver: ((reason: unknown) => void) | null = null

  constructor(isLimited: boolean) {
    this.isLimited = isLimited
  }

  /** Why the caller has given up; null while it has not. */
  get over(): { readonly reason: unknown } | null {
    return this.#over
  }

  /** Who is told when the caller gives up, in place of who was told before. */
  set onOver(onOver: (reason: unknown) => void) {
    this.#onOver = onOver
  }

  whenEnded(run: () => void): void {
    this.#endings.push(run)
  }

  giveUp(reason: unknown): void {
    if (this.#over !== null) return
    this.#over = { reason }
    const onOver = this.#onOver
    this.end()
    onOver?.(reason)
  }

  /** What was waited for has come, or the caller has given up. */
  end(): void {
    this.#onOver = null
    for (const run of this.#endings.splice(0)) run()
  }
}

interface SharedSignal {
  readonly waits: Set<Wait>
  readonly onAbort: () => void
}

/** What `AbortSignal.timeout` gives as its reason. */
const timeoutReason = (timeoutMs: number): DOMException =>
  new DOMException(`no answer after ${timeoutMs} ms`, 'TimeoutError')
