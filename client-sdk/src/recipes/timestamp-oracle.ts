import { checked, type Checks, wholeNumber } from '../checked.js'
import type { Client } from '../client.js'
import { BadArgumentsError, FencedError, TooLargeError } from '../errors.js'
import type { Guard } from '../transaction.js'
import { wholeNumberText } from './counter.js'
import { SharedValue } from './shared-value.js'
import { persistently } from './znodes.js'

/** What the oracle must hold to answer: leadership, a lock or a lease. */
export interface Holding {
  readonly guard: Guard
  /** By the clock of this moment. */
  isHeld(): boolean
}

export interface TimestampOracleOptions {
  /** How many timestamps one write reserves, 1 to 1,000,000,000; 10,000 by default. */
  readonly window?: number | undefined
}

const oracleChecks: Checks<TimestampOracleOptions> = { window: wholeNumber(1, 1_000_000_000) }
const windowDefault = 10_000

/**
 * Numbers that only rise, whoever gives them: the oracle of Percolator, with windows as TiDB's PD
 * has them. A window is reserved by one write before any of it is given, so most calls cost none.
 *
 * Usage:
 *
 *     await election.lead(async (leadership) => {
 *       const holding = { guard: leadership.guard, isHeld: () => leadership.isLeader }
 *       const oracle = await TimestampOracle.open(client, '/timestamps', holding)
 *       serve(async () => oracle.next(), leadership.signal)
 *     })
 *
 * Over a fail-over the next oracle begins above all windows of the last, and that one gives no
 * more, because what it holds has gone first. Dangers: a timestamp is no time; those of a window
 * that was not used up are never given; an answer on its way while leadership passes may be seen
 * after a higher one of the next oracle, so what is ordered by it must also be fenced by the token.
 */
export class TimestampOracle {
  readonly #client: Client
  readonly #path: string
  readonly #holding: Holding
  readonly #window: number
  #next = 0
  #end = 0
  #reserving: Promise<void> | null = null

  private constructor(
    client: Client,
    about: { readonly path: string; readonly holding: Holding; readonly window: number },
  ) {
    this.#client = client
    this.#path = about.path
    this.#holding = about.holding
    this.#window = about.window
  }

  /**
   * @param path of the znode that holds the end of the last window
   * @throws `FencedError` when `holding` is gone; `BadArgumentsError`
   */
  static async open(
    client: Client,
    path: string,
    holding: Holding,
    options?: TimestampOracleOptions,
  ): Promise<TimestampOracle> {
    const { window = windowDefault } = checked(options, oracleChecks)
    const oracle = new TimestampOracle(client, { path, holding, window })
    // Only made, never changed: a write that no guard covers must not count.
    const kept = new SharedValue(client, path, { initial: 0, as: wholeNumberText })
    await kept.compareAndSet(-1, 0)
    await oracle.#reserve(1)
    return oracle
  }

  /**
   * @param count how many in a row, 1 by default
   * @returns the first of them; higher than all that any oracle of this path has returned
   * @throws `FencedError` when `holding` is gone, `TooLargeError` past 2^53, `BadArgumentsError`
   */
  async next(count = 1): Promise<number> {
    if (!Number.isSafeInteger(count) || count < 1 || count > 1_000_000_000) {
      throw new BadArgumentsError({ message: 'a count is a whole number from 1 to 1,000,000,000' })
    }
    while (this.#end - this.#next < count) {
      this.#reserving ??= this.#reserve(count).finally(() => {
        this.#reserving = null
      })
      await this.#reserving
    }
    // Last: nothing is given that another oracle could have passed already.
    if (!this.#holding.isHeld()) throw this.#gone()
    const first = this.#next
    this.#next += count
    return first
  }

  /** The next window, which begins above all others: written under the guard before it is used. */
  async #reserve(count: number): Promise<void> {
    const { data, stat } = await this.#client.get(this.#path, { as: wholeNumberText })
    const end = data + Math.max(this.#window, count)
    if (!Number.isSafeInteger(end)) throw new TooLargeError({ path: this.#path })
    const { version } = stat
    await persistently(this.#client, () =>
      this.#client
        .transaction()
        .add(this.#holding.guard)
        .set(this.#path, end, { as: wholeNumberText, version })
        .commit(),
    )
    // A window that follows the last one goes on with it.
    if (data !== this.#end) this.#next = data
    this.#end = end
  }

  #gone(): Error {
    const message = 'what this oracle held is gone: another may give timestamps'
    return new FencedError({ path: this.#path, message })
  }
}
