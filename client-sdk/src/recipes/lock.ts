import { anything, checked, type Checks, isBoolean } from '../checked.js'
import type { Client } from '../client.js'
import type { ReadOptions, WaitOptions } from '../options.js'
import { contend, type Contender, type ContenderKind, listContenders } from './contenders.js'
import type { Grant } from './grant.js'
import { orAborted, within } from './waiting.js'
import { idOf } from './znodes.js'

export interface LockOptions {
  /** Who this is, for those who list holders and waiters. */
  readonly id?: string | undefined
  /**
   * Who holds it through this very object gets it again, and gives it back with the last release.
   * The danger: whoever shares the object shares the lock.
   */
  readonly reentrant?: boolean | undefined
}

const lockChecks: Checks<LockOptions> = { id: anything, reentrant: isBoolean }

/**
 * What mutex, semaphore and both sides of a read-write lock have in common: they differ only in
 * what a contender waits for. See `contenders.ts`.
 */
export class Lock {
  /** The directory of its contenders. */
  readonly path: string
  /** @internal */
  readonly clock: Client['clock']
  readonly #client: Client
  readonly #kind: ContenderKind
  readonly #id: string | null
  readonly #shared: SharedGrant | null

  /** @internal */
  constructor(client: Client, path: string, about: LockOptions & { kind: ContenderKind }) {
    const { kind, ...options } = about
    const { id = null, reentrant = false } = checked(options, lockChecks)
    this.#client = client
    this.clock = client.clock
    this.path = path
    this.#kind = kind
    this.#id = idOf(id)
    this.#shared = reentrant ? new SharedGrant() : null
  }

  /**
   * Waits, in the order of arrival, until it is granted.
   *
   * @returns the grant; `await using` gives it back at the end of the block
   * @throws the signal's reason; a `DOMException` named `TimeoutError`; `FencedError` when somebody
   *   deleted its place in the queue; whatever it throws, nothing is left behind
   * @example await using lock = await mutex.acquire({ timeoutMs: 5_000 })
   */
  async acquire(options?: WaitOptions): Promise<Grant> {
    const grant = await this.#take(options, true)
    if (grant !== null) return grant
    throw new Error('a patient contender was turned away')
  }

  /**
   * As {@link acquire}, without waiting for others.
   *
   * @returns null when somebody holds it or waits for it
   */
  tryAcquire(options?: WaitOptions): Promise<Grant | null> {
    return this.#take(options, false)
  }

  /** Who holds it. The danger: true for the moment of the answer only. */
  async holders(options?: ReadOptions): Promise<readonly Contender[]> {
    const all = await listContenders(this.#client, this.path, options)
    return all.filter(({ isHolder }) => isHolder)
  }

  /** Who waits for it, the next one first. */
  async waiters(options?: ReadOptions): Promise<readonly Contender[]> {
    const all = await listContenders(this.#client, this.path, options)
    return all.filter(({ isHolder }) => !isHolder)
  }

  #take(options: WaitOptions | undefined, isPatient: boolean): Promise<Grant | null> {
    return within(this, options, async (signal) => {
      const ask = (): Promise<Grant | null> =>
        contend(
          this.#client,
          { directory: this.path, kind: this.#kind },
          { owner: { id: this.#id, data: null }, signal, isPatient },
        )
      if (this.#shared === null) return ask()
      return this.#shared.enter({ signal, isPatient }, ask)
    })
  }
}

/** One grant for all who use one object, counted. */
class SharedGrant {
  #grant: Grant | null = null
  #count = 0
  #asking: Promise<unknown> | null = null

  /** The first asks; who comes meanwhile waits for its answer. */
  async enter(
    { signal, isPatient }: { readonly signal: AbortSignal; readonly isPatient: boolean },
    ask: () => Promise<Grant | null>,
  ): Promise<Grant | null> {
    while (this.#asking !== null) {
      if (!isPatient) return null
      await orAborted(
        this.#asking.catch(() => {}),
        signal,
      )
    }
    if (this.#grant?.isHeld !== true) {
      const asking = ask()
      this.#asking = asking
      try {
        this.#grant = await asking
        this.#count = 0
      } finally {
        this.#asking = null
      }
    }
    return this.#grant === null ? null : this.#share(this.#grant)
  }

  /** The same grant; its end is the end of the last who has it. */
  #share(grant: Grant): Grant {
    this.#count += 1
    let released: Promise<void> | null = null
    const leave = async (): Promise<void> => {
      if (this.#grant !== grant) return grant.release()
      this.#count -= 1
      if (this.#count === 0) await grant.release()
    }
    const release = (): Promise<void> => (released ??= leave())
    const { path, token, guard, signal } = grant
    return {
      path,
      token,
      guard,
      signal,
      get isHeld() {
        return released === null && grant.isHeld
      },
      release,
      [Symbol.asyncDispose]: release,
    }
  }
}
