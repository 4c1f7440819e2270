import type { Client } from '../client.js'
import { NodeExistsError, NoNodeError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { Lookout, within } from './waiting.js'
import { inDirectory } from './znodes.js'

/**
 * Somebody closes it, and whoever comes waits until somebody opens it.
 *
 * Usage:
 *
 *     const barrier = new Barrier(client, '/maintenance')
 *     await barrier.close()
 *     await barrier.pass({ timeoutMs: 60_000 })     // in the others
 *     await barrier.open()
 *
 * Dangers: it stays closed when the one who closed it is gone, unless closed `whileAlive`. Opening
 * wakes all who wait: that is what it is for.
 */
export class Barrier {
  readonly #client: Client
  readonly #path: string

  constructor(client: Client, path: string) {
    this.#client = client
    this.#path = path
  }

  /**
   * @param options `whileAlive`: opens by itself when this session ends
   * @returns false when it was closed already
   */
  async close(options: WaitOptions & { readonly whileAlive?: boolean } = {}): Promise<boolean> {
    const { whileAlive = false, ...given } = options
    const path = this.#path.slice(0, this.#path.lastIndexOf('/')) || '/'
    return within(this.#client, given, async (signal) => {
      const kind = whileAlive ? 'ephemeral' : 'persistent'
      try {
        await inDirectory(this.#client, { path, wait: { signal } }, () =>
          this.#client.create(this.#path, null, { kind, signal }),
        )
        return true
      } catch (error) {
        if (error instanceof NodeExistsError) return false
        throw error
      }
    })
  }

  /** @returns false when it was open already */
  async open(options?: WaitOptions): Promise<boolean> {
    try {
      await this.#client.delete(this.#path, options)
      return true
    } catch (error) {
      if (error instanceof NoNodeError) return false
      throw error
    }
  }

  /**
   * Waits until it is open.
   *
   * @throws the signal's reason; a `DOMException` named `TimeoutError`
   */
  pass(options?: WaitOptions): Promise<void> {
    return within(this.#client, options, async (signal) => {
      await using lookout = new Lookout(this.#client, signal)
      while ((await this.#client.exists(this.#path, { signal })) !== null) {
        await lookout.changed({ path: this.#path })
      }
    })
  }
}
