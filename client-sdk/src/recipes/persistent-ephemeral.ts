import type { Stat } from '@conclave/protocol'
import type { Client } from '../client.js'
import { NodeExistsError } from '../errors.js'
import type { Guard } from '../transaction.js'
import { Lookout } from './waiting.js'
import { inDirectory, removeGuarded, unlessGone } from './znodes.js'

export interface PersistentEphemeralOptions {
  /** Ends it: the znode goes. */
  readonly signal?: AbortSignal | undefined
  /** Called each time the znode is there again. */
  readonly onMade?: ((guard: Guard) => void) | undefined
}

/**
 * Keeps an ephemeral alive: made again when somebody deletes it, and, run by a `SessionScope`, by
 * each next session.
 *
 * Usage:
 *
 *     const alive = new PersistentEphemeral('/alive/db-3', address)
 *     await scope.run((client) => alive.keep(client, { signal }))
 *
 * Dangers: it is gone from the end of one session until the next begins. Where another session has
 * an ephemeral of that name, it waits until that one is gone; the name should be its own.
 */
export class PersistentEphemeral {
  readonly #path: string
  #data: Uint8Array | null
  /** Where it is there, with the present data. */
  readonly #kept = new Map<Client, Guard>()

  constructor(path: string, data: Uint8Array | null = null) {
    this.#path = path
    this.#data = copyOf(data)
  }

  /**
   * Keeps the znode until the signal aborts.
   *
   * @throws the signal's reason, once the znode is gone; `SessionExpiredError` or `ClosedError`
   *   when the session has ended; `NoAuthError`, `NoChildrenForEphemeralsError`
   */
  async keep(client: Client, options: PersistentEphemeralOptions = {}): Promise<never> {
    const signal = options.signal ?? new AbortController().signal
    let own: Guard | null = null
    try {
      await using lookout = new Lookout(client, signal)
      for (;;) {
        const stat = await client.exists(this.#path, { signal })
        if (stat === null || stat.czxid !== own?.czxid) {
          own = await this.#made(client, { stat, signal })
          if (own !== null) options.onMade?.(own)
        }
        await lookout.changed({ path: this.#path })
      }
    } catch (error) {
      this.#kept.delete(client)
      if (own !== null) await removeGuarded(client, own)
      throw error
    }
  }

  /**
   * What it holds from now on, also when it is made again.
   *
   * @returns once it holds that, wherever it is kept now
   * @throws `NoAuthError`, `TooLargeError`
   */
  async update(data: Uint8Array | null): Promise<void> {
    this.#data = copyOf(data)
    const kept = [...this.#kept]
    await Promise.all(kept.map(([client, guard]) => this.#write(client, guard)))
  }

  /** Null when another session has the name. */
  async #made(
    client: Client,
    { stat, signal }: { readonly stat: Stat | null; readonly signal: AbortSignal },
  ): Promise<Guard | null> {
    const data = this.#data
    const isOwn = stat?.ephemeralOwner === client.sessionId
    const guard = isOwn ? guardOf(this.#path, stat.czxid) : await this.#create(client, signal)
    if (guard === null) return null
    this.#kept.set(client, guard)
    // Who said something else meanwhile did not find it here.
    if (isOwn || data !== this.#data) await this.#write(client, guard)
    return guard
  }

  async #create(client: Client, signal: AbortSignal): Promise<Guard | null> {
    const parent = this.#path.slice(0, this.#path.lastIndexOf('/')) || '/'
    const options = { kind: 'ephemeral', withStat: true, signal } as const
    try {
      const { path, stat } = await inDirectory(client, { path: parent, wait: { signal } }, () =>
        client.create(this.#path, this.#data, options),
      )
      return guardOf(path, stat.czxid)
    } catch (error) {
      if (error instanceof NodeExistsError) return null
      throw error
    }
  }

  /** When it is gone, it will be made with the present data. */
  #write(client: Client, guard: Guard): Promise<void> {
    const data = this.#data
    return unlessGone(client, () => client.transaction().add(guard).set(guard.path, data).commit())
  }
}

const guardOf = (path: string, czxid: number): Guard => ({ path, czxid })

const copyOf = (data: Uint8Array | null): Uint8Array | null =>
  data === null ? null : new Uint8Array(data)
