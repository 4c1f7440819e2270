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
  #dead = false
  #givenUp = false
  /** How many actions have found no room and are tried again: space for another is not theirs. */
  #short = 0
  /** Of those that wait for their next try: what becomes of them when nobody waits any more. */
  readonly #givingUp = new Set<() => void>()
  #onDeath: () => void = () => undefined
  /** Resolves once no action completes any more: nobody may wait for one beyond it. */
  readonly died: Promise<void> = new Promise((resolve) => {
    this.#onDeath = resolve
  })

  constructor(timers: Timers, onDiskSpace: (ok: boolean) => void, onFatal: (error: Error) => void) {
    this.#timers = timers
    this.#onDiskSpace = onDiskSpace
    this.#onFatal = onFatal
  }

  /** True once nothing may be acknowledged any more. */
  get dead(): boolean {
    return this.#dead
  }

  /** `done` is called once the action has succeeded, or never. */
  attempt<T>(action: (done: Completion<T>) => void, done: (result: T) => void): void {
    this.#attempt(action, done, () => this.#die())
  }

  /** {@link attempt} as a promise, which stays pending for ever after a failure. */
  attempted<T>(action: (done: Completion<T>) => void): Promise<T> {
    return new Promise((resolve) => this.attempt(action, resolve))
  }

  /** {@link attempted} for an action of several steps, which must be safe to begin again. */
  attemptedSteps<T>(action: () => Promise<T>): Promise<T> {
    return this.attempted((settle) => settled(action(), settle))
  }

  /**
   * The same, for what nobody waits for yet. A disk that lacks room for it is full: it is better
   * said while what was taken still fits than by a write that cannot be completed.
   * @returns false when it was given up
   */
  foreseen(action: () => Promise<void>): Promise<boolean> {
    return new Promise((resolve) => {
      const giveUp = (): void => resolve(false)
      void this.died.then(giveUp)
      this.#attempt<void>(
        (settle) => settled(action(), settle),
        () => resolve(true),
        giveUp,
      )
    })
  }

  fail(error: Error): void {
    if (this.#dead) return
    this.#die()
    this.#onFatal(error)
  }

  /** Waits for no more space: what does not fit now is never acknowledged. */
  giveUp(): void {
    this.#givenUp = true
    for (const giveUp of this.#givingUp) giveUp()
    this.#givingUp.clear()
  }

  #attempt<T>(
    action: (done: Completion<T>) => void,
    done: (result: T) => void,
    giveUp: () => void,
  ): void {
    let delayMs = retryMsMin
    let isShort = false
    const attemptOnce = (): void => {
      if (this.#dead) return
      action((error, result) => {
        if (this.#dead) return
        if (error === null) {
          if (isShort) this.#found()
          done(result)
        } else if (isOutOfSpace(error)) {
          if (!isShort) this.#lack()
          isShort = true
          if (this.#givenUp) return giveUp()
          this.#givingUp.add(giveUp)
          this.#timers.after(delayMs, () => {
            if (this.#givingUp.delete(giveUp)) attemptOnce()
          })
          delayMs = Math.min(delayMs * 2, retryMsMax)
        } else {
          this.fail(error)
        }
      })
    }
    attemptOnce()
  }

  #die(): void {
    this.#dead = true
    this.#onDeath()
  }

  #lack(): void {
    this.#short += 1
    if (this.#short === 1) this.#onDiskSpace(false)
  }

  #found(): void {
    this.#short -= 1
    if (this.#short === 0) this.#onDiskSpace(true)
  }
}

const settled = <T>(steps: Promise<T>, settle: Completion<T>): void => {
  steps.then(
    (result) => settle(null, result),
    (error: Error) => settle(error, undefined as T),
  )
}

const retryMsMin = 50
const retryMsMax = 2_000
