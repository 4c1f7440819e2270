import { type Completion, isOutOfSpace } from './files.js'
import type { Timers } from './timers.js'

/**
 * Carries out what must reach the disk. A full disk is waited for, the same action tried again; any
 * other failure is final: after a failed fsync nobody knows what the disk holds, and a second one
 * may succeed without having written anything. After it no action completes any more.
 */
export class DiskSpace {
  readonly #timers: Timers
  readonly #onDiskSpace: (ok: boolean) => void
  readonly #onFatal: (error: Error) => void
  #ok = true
  #dead = false
  #givenUp = false
  /** How many actions wait for their next attempt. */
  #waiting = 0
  #whenDead: () => void = () => undefined

  constructor(timers: Timers, onDiskSpace: (ok: boolean) => void, onFatal: (error: Error) => void) {
    this.#timers = timers
    this.#onDiskSpace = onDiskSpace
    this.#onFatal = onFatal
  }

  /** True once nothing may be acknowledged any more. */
  get dead(): boolean {
    return this.#dead
  }

  get ok(): boolean {
    return this.#ok
  }

  /** `done` is called once the action has succeeded, or never. */
  attempt<T>(action: (done: Completion<T>) => void, done: (result: T) => void): void {
    let delayMs = retryMsMin
    const attemptOnce = (): void => {
      if (this.#dead) return
      action((error, result) => {
        if (this.#dead) return
        if (error === null) {
          this.#report(true)
          done(result)
        } else if (isOutOfSpace(error)) {
          this.#report(false)
          if (this.#givenUp) return this.#die()
          this.#waiting += 1
          this.#timers.after(delayMs, () => {
            this.#waiting -= 1
            attemptOnce()
          })
          delayMs = Math.min(delayMs * 2, retryMsMax)
        } else {
          this.fail(error)
        }
      })
    }
    attemptOnce()
  }

  /** {@link attempt} as a promise, which stays pending for ever after a failure. */
  attempted<T>(action: (done: Completion<T>) => void): Promise<T> {
    return new Promise((resolve) => this.attempt(action, resolve))
  }

  /** {@link attempted} for an action of several steps, which must be safe to begin again. */
  attemptedSteps<T>(action: () => Promise<T>): Promise<T> {
    return this.attempted<T>((settle) => {
      action().then(
        (result) => settle(null, result),
        (error: Error) => settle(error, undefined as T),
      )
    })
  }

  fail(error: Error): void {
    if (this.#dead) return
    this.#die()
    this.#onFatal(error)
  }

  /** Waits for no more space: what does not fit now is never acknowledged. */
  giveUp(whenDead: () => void): void {
    this.#givenUp = true
    this.#whenDead = whenDead
    if (this.#dead || this.#waiting > 0) this.#die()
  }

  #die(): void {
    this.#dead = true
    this.#whenDead()
  }

  #report(ok: boolean): void {
    if (ok === this.#ok) return
    this.#ok = ok
    this.#onDiskSpace(ok)
  }
}

const retryMsMin = 50
const retryMsMax = 2_000
