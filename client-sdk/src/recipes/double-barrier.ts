import { checked, type Checks, wholeNumber } from '../checked.js'
import type { Client } from '../client.js'
import { NodeExistsError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import type { Guard } from '../transaction.js'
import { Lookout, type Place, within } from './waiting.js'
import { childPath, inDirectory, persistently, removeGuarded, removeLater } from './znodes.js'

export interface DoubleBarrierOptions {
  /** How many must have come before any goes on, 1 to 100,000. */
  readonly members: number
}

const doubleBarrierChecks: Checks<DoubleBarrierOptions> = { members: wholeNumber(1, 100_000) }
const readyName = 'ready'
const memberPrefix = 'member-'

/**
 * So many begin together, and leave together.
 *
 * Usage:
 *
 *     const barrier = new DoubleBarrier(client, '/jobs/42/barrier', { members: 3 })
 *     await barrier.enter({ timeoutMs: 60_000 })
 *     await compute()
 *     await barrier.leave()
 *
 * A member whose session ends has left. Dangers: all must name the same number; who comes while
 * the others are inside goes on at once; one object stands for one member.
 */
export class DoubleBarrier {
  readonly #client: Client
  readonly #path: string
  readonly #membersMin: number
  #own: Guard | null = null

  constructor(client: Client, path: string, options: DoubleBarrierOptions) {
    this.#membersMin = checked(options, doubleBarrierChecks).members
    this.#client = client
    this.#path = path
  }

  /**
   * Waits until enough have come.
   *
   * @throws the signal's reason; a `DOMException` named `TimeoutError`; then nothing is left behind
   */
  enter(options?: WaitOptions): Promise<void> {
    return within(this.#client, options, async (signal) => {
      await this.#clearStale(signal)
      const prefix = childPath(this.#path, memberPrefix)
      const kind = { kind: 'ephemeralSequential', withStat: true, signal } as const
      const { path, stat } = await inDirectory(
        this.#client,
        { path: this.#path, wait: { signal } },
        () => this.#client.create(prefix, null, kind),
      )
      const own = { path, czxid: stat.czxid }
      try {
        await this.#untilReady(signal)
        this.#own = own
      } catch (error) {
        removeLater(this.#client, own)
        throw error
      }
    })
  }

  /**
   * Waits until all have come to leave. Called by who has not entered, it only waits.
   *
   * @throws the signal's reason; a `DOMException` named `TimeoutError`; it has left all the same
   */
  leave(options?: WaitOptions): Promise<void> {
    return within(this.#client, options, async (signal) => {
      const own = this.#own
      this.#own = null
      try {
        await this.#untilEmpty(own, signal)
      } catch (error) {
        if (own !== null) removeLater(this.#client, own)
        throw error
      }
      await this.#clearStale(signal)
    })
  }

  async #untilReady(signal: AbortSignal): Promise<void> {
    const ready = childPath(this.#path, readyName)
    await using lookout = new Lookout(this.#client, signal)
    for (;;) {
      const { members, readyCzxid } = await this.#look(signal)
      if (readyCzxid !== null) return
      if (members.length >= this.#membersMin) {
        // Who creates it and dies was a member: whoever comes next makes the number full again.
        return this.#markReady(ready)
      }
      await lookout.changed({ path: ready })
    }
  }

  async #markReady(ready: string): Promise<void> {
    try {
      await persistently(this.#client, () => this.#client.create(ready))
    } catch (error) {
      if (!(error instanceof NodeExistsError)) throw error
    }
  }

  /**
   * The oldest member waits for the youngest and every other, gone itself, for the oldest: a
   * departure wakes as few as can be (the ZooKeeper recipe).
   */
  async #untilEmpty(own: Guard | null, signal: AbortSignal): Promise<void> {
    await using lookout = new Lookout(this.#client, signal)
    for (;;) {
      const { members } = await this.#look(signal)
      const [oldest, youngest] = [members[0], members.at(-1)]
      if (oldest === undefined || youngest === undefined) return
      const isOldest = own?.path === oldest
      const isIn = own !== null && members.includes(own.path)
      if (isIn && (!isOldest || youngest === oldest)) await removeGuarded(this.#client, own)
      else await lookout.changed({ path: isOldest ? youngest : oldest } satisfies Place)
    }
  }

  /** A mark without members is of a time that is over. */
  async #clearStale(signal: AbortSignal): Promise<void> {
    const { members, readyCzxid } = await this.#look(signal)
    if (members.length > 0 || readyCzxid === null) return
    await removeGuarded(this.#client, {
      path: childPath(this.#path, readyName),
      czxid: readyCzxid,
    })
  }

  /** Members and mark at one moment. */
  async #look(signal: AbortSignal): Promise<{
    readonly members: readonly string[]
    readonly readyCzxid: number | null
  }> {
    const reads = [{ list: this.#path }, { exists: childPath(this.#path, readyName) }] as const
    const [list, ready] = await this.#client.multiRead(reads, { signal })
    const names = list.ok ? list.value.children : []
    return {
      members: names
        .filter((name) => name.startsWith(memberPrefix))
        .map((name) => childPath(this.#path, name)),
      readyCzxid: ready.ok ? (ready.value?.czxid ?? null) : null,
    }
  }
}
