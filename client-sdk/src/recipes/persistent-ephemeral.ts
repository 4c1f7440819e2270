import type { Client } from '../client.js'
import { NodeExistsError } from '../errors.js'
import type { Guard } from '../transaction.js'
import { Lookout } from './waiting.js'
import { inDirectory, removeGuarded } from './znodes.js'

export interface PersistentEphemeralOptions {
  /** Ends it: the znode goes. */
  readonly signal?: AbortSignal | undefined
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
  readonly #data: Uint8Array | null

  constructor(path: string, data: Uint8Array | null = null) {
    this.#path = path
    this.#data = data === null ? null : new Uint8Array(data)
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
        if (stat?.ephemeralOwner !== client.sessionId) own = await this.#create(client, signal)
        else own ??= { path: this.#path, czxid: stat.czxid }
        await lookout.changed({ path: this.#path })
      }
    } catch (error) {
      if (own !== null) await removeGuarded(client, own)
      throw error
    }
  }

  /** Null when another session has the name. */
  async #create(client: Client, signal: AbortSignal): Promise<Guard | null> {
    const parent = this.#path.slice(0, this.#path.lastIndexOf('/')) || '/'
    const options = { kind: 'ephemeral', withStat: true, signal } as const
    try {
      const { path, stat } = await inDirectory(client, { path: parent, wait: { signal } }, () =>
        client.create(this.#path, this.#data, options),
      )
      return { path, czxid: stat.czxid }
    } catch (error) {
      if (error instanceof NodeExistsError) return null
      throw error
    }
  }
}
