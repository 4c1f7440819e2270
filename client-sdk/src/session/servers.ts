import { bounds } from './bounds.js'
import type { Random } from './random.js'

/** Which server to try next, and how long to wait before: pure arithmetic on a shuffled list. */
export class Servers {
  readonly #list: readonly string[]
  readonly #random: Random
  #next = 0
  /** Attempts that failed since a server was last of use. */
  #failures = 0

  constructor(servers: readonly string[], random: Random) {
    this.#random = random
    this.#list = random.shuffle(servers)
  }

  take(): string {
    const server = this.#list[this.#next % this.#list.length] as string
    this.#next = (this.#next + 1) % this.#list.length
    return server
  }

  /** Attaching alone is no proof: a server might do that and then fall over, again and again. */
  served(): void {
    this.#failures = 0
  }

  /** @returns how long to wait before the next attempt */
  failed(): number {
    const round = Math.floor(this.#failures / this.#list.length)
    this.#failures += 1
    if (round === 0) return this.#random.next() * bounds.firstRetryMsMax
    const full = Math.min(bounds.retryMsMax, bounds.retryMsMin * 2 ** Math.min(round - 1, 16))
    return full * (0.5 + this.#random.next() / 2)
  }
}
