import type { Client } from '../client.js'
import type { As } from '../codecs.js'
import { BadVersionError, FencedError, NodeExistsError, NoNodeError } from '../errors.js'
import type { ReadOptions, WaitOptions } from '../options.js'
import { Lookout, within } from './waiting.js'
import { inDirectory } from './znodes.js'

/** A value and the version that a compare-and-set of it names. */
export interface Versioned<T> {
  readonly value: T
  readonly version: number
}

/** With what tells it from one of the same version that was made anew. */
interface Seen<T> extends Versioned<T> {
  readonly czxid: number
  readonly mzxid: number
}

/** How often an update begins again because another was faster. */
const attemptsMax = 100

/**
 * One value that many change, none of them over another.
 *
 * Usage:
 *
 *     const quota = new SharedValue<number>(client, '/quota', { initial: 0, as: json<number>() })
 *     await quota.update((value) => value + 10)
 *     for await (const { value } of quota.values({ signal })) apply(value)
 *
 * Dangers: the function of `update` may run several times; under very many writers it gives up,
 * and one of them should own the value instead. A value without a znode is the initial one, and
 * where somebody deletes that the versions begin anew.
 */
export class SharedValue<T> {
  readonly #client: Client
  readonly #path: string
  readonly #initial: T
  readonly #as: As<T>

  constructor(
    client: Client,
    path: string,
    { initial, as }: { readonly initial: T; readonly as: As<T> },
  ) {
    this.#client = client
    this.#path = path
    this.#initial = initial
    this.#as = as
  }

  /** The value; its version is -1 while nobody has written it. */
  async get(options: ReadOptions = {}): Promise<Versioned<T>> {
    const { value, version } = await this.#see(options)
    return { value, version }
  }

  /**
   * Writes only over what was read.
   *
   * @param version as {@link get} told it
   * @returns the new version; null when another has written since
   */
  async compareAndSet(version: number, value: T, options?: WaitOptions): Promise<number | null> {
    const writing = { ...options, as: this.#as }
    try {
      if (version >= 0) {
        return (await this.#client.set(this.#path, value, { ...writing, version })).version
      }
      await this.#create(value, options)
      return 0
    } catch (error) {
      if (error instanceof BadVersionError || error instanceof NodeExistsError) return null
      if (version >= 0 && error instanceof NoNodeError) return null
      throw error
    }
  }

  /**
   * Reads, computes and writes, and begins again when another was faster.
   *
   * @returns what was written
   * @throws `BadVersionError` after 100 attempts; what the function throws; the signal's reason
   */
  update(change: (value: T) => T, options?: WaitOptions): Promise<Versioned<T>> {
    return within(this.#client, options, async (signal) => {
      for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
        const seen = await this.#see({ signal })
        const next = change(seen.value)
        const written = await this.#replace(seen, next, signal)
        if (written !== null) return { value: next, version: written }
      }
      const message = `others were faster ${attemptsMax} times`
      throw new BadVersionError({ path: this.#path, message })
    })
  }

  /** The value now, and then each next one. A slow loop gets the latest. */
  async *values(
    options: Pick<WaitOptions, 'signal'> = {},
  ): AsyncGenerator<Versioned<T>, void, undefined> {
    const signal = options.signal ?? new AbortController().signal
    await using lookout = new Lookout(this.#client, signal)
    for (let last: number | null = null; ;) {
      const { value, version, mzxid } = await this.#see({ signal })
      if (mzxid !== last) yield { value, version }
      last = mzxid
      await lookout.changed({ path: this.#path })
    }
  }

  async #see(options: ReadOptions): Promise<Seen<T>> {
    try {
      const { data, stat } = await this.#client.get(this.#path, { ...options, as: this.#as })
      const { version, czxid, mzxid } = stat
      return { value: data, version, czxid, mzxid }
    } catch (error) {
      if (error instanceof NoNodeError) {
        return { value: this.#initial, version: -1, czxid: 0, mzxid: 0 }
      }
      throw error
    }
  }

  /** Null when another has written since, or made it anew. */
  async #replace(
    { version, czxid }: Seen<T>,
    value: T,
    signal: AbortSignal,
  ): Promise<number | null> {
    if (version < 0) return this.compareAndSet(version, value, { signal })
    const replacing = this.#client.transaction().add({ path: this.#path, czxid })
    try {
      const writing = replacing.set(this.#path, value, { as: this.#as, version })
      const [stat] = await writing.commit({ signal })
      return stat.version
    } catch (error) {
      if (error instanceof BadVersionError || error instanceof FencedError) return null
      throw error
    }
  }

  async #create(value: T, wait: WaitOptions = {}): Promise<void> {
    const path = this.#path.slice(0, this.#path.lastIndexOf('/')) || '/'
    await inDirectory(this.#client, { path, wait }, () =>
      this.#client.create(this.#path, value, { ...wait, as: this.#as }),
    )
  }
}
