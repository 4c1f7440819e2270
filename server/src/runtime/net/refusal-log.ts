import type { Logger } from 'pino'

/**
 * What is said of clients that were turned away. It is bounded, because they decide how often it
 * happens, and whoever reads the log may be slow.
 */
export class RefusalLog {
  readonly #log: Logger
  readonly #nowMs: () => number
  #sinceMs = 0
  #said = 0
  #unsaid = 0

  /** @param nowMs a clock that never goes back */
  constructor(log: Logger, nowMs: () => number = () => performance.now()) {
    this.#log = log
    this.#nowMs = nowMs
  }

  warn(fields: Readonly<Record<string, unknown>>, message: string): void {
    const nowMs = this.#nowMs()
    if (nowMs - this.#sinceMs >= 1_000) {
      this.#sinceMs = nowMs
      this.#said = 0
    }
    if (this.#said === linesPerSecondMax) {
      this.#unsaid += 1
      return
    }
    this.#said += 1
    this.#log.warn(this.#unsaid === 0 ? fields : { ...fields, unsaid: this.#unsaid }, message)
    this.#unsaid = 0
  }
}

const linesPerSecondMax = 100
