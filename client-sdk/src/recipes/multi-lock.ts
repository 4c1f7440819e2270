import { BadArgumentsError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import type { Guard, Transaction } from '../transaction.js'
import type { Grant } from './grant.js'
import type { Lock } from './lock.js'
import { within } from './waiting.js'

/** Several grants that are held, and lost, together. */
export interface MultiGrant extends AsyncDisposable {
  /** In the order in which the locks were named. */
  readonly grants: readonly Grant[]
  readonly guards: readonly Guard[]
  /** Aborts when any of them is lost. */
  readonly signal: AbortSignal
  readonly isHeld: boolean
  /** Binds a transaction to all of them. */
  guard<R extends readonly unknown[]>(transaction: Transaction<R>): Transaction<R>
  release(): Promise<void>
}

/**
 * Several locks, all or none.
 *
 * Usage:
 *
 *     const both = new MultiLock([new Mutex(client, '/locks/a'), new Mutex(client, '/locks/b')])
 *     await using held = await both.acquire({ timeoutMs: 5_000 })
 *     await held.guard(client.transaction().set('/a', data)).commit()
 *
 * They are taken one after the other in the order of their paths, so that two multi-locks never
 * wait for each other. Dangers: as of `Mutex`; who takes single locks in another order, while
 * holding some, can still wait for ever; a lock named twice waits for itself, and is refused.
 */
export class MultiLock {
  readonly #locks: readonly Lock[]

  constructor(locks: readonly Lock[]) {
    const paths = new Set(locks.map(({ path }) => path))
    if (locks.length === 0 || paths.size < locks.length) {
      throw new BadArgumentsError({ message: 'a multi-lock is of one or more different paths' })
    }
    this.#locks = [...locks]
  }

  /**
   * @throws as `Mutex.acquire`; then none is held
   * @example await using held = await both.acquire({ signal })
   */
  async acquire(options?: WaitOptions): Promise<MultiGrant> {
    const grants = await this.#takeAll(options, (lock, wait) => lock.acquire(wait))
    if (grants !== null) return grants
    throw new Error('a patient contender was turned away')
  }

  /** As {@link acquire}, without waiting for others; null when one is not free. */
  tryAcquire(options?: WaitOptions): Promise<MultiGrant | null> {
    return this.#takeAll(options, (lock, wait) => lock.tryAcquire(wait))
  }

  #takeAll(options: WaitOptions | undefined, take: Take): Promise<MultiGrant | null> {
    return within(this.#locks[0] as Lock, options, async (signal) => {
      const taken = new Map<Lock, Grant>()
      try {
        for (const lock of this.#locks.toSorted(byPath)) {
          const grant = await take(lock, { signal })
          if (grant === null) break
          taken.set(lock, grant)
        }
      } catch (error) {
        for (const grant of taken.values()) void grant.release().catch(() => {})
        throw error
      }
      const grants = this.#locks.flatMap((lock) => taken.get(lock) ?? [])
      if (grants.length === this.#locks.length) return multiGrant(grants)
      await Promise.all(grants.map((grant) => grant.release()))
      return null
    })
  }
}

type Take = (lock: Lock, wait: WaitOptions) => Promise<Grant | null>

const byPath = (a: Lock, b: Lock): number => (a.path < b.path ? -1 : 1)

const multiGrant = (grants: readonly Grant[]): MultiGrant => {
  const guards = grants.map(({ guard }) => guard)
  const release = async (): Promise<void> => {
    await Promise.all(grants.map((grant) => grant.release()))
  }
  return {
    grants,
    guards,
    signal: AbortSignal.any(grants.map(({ signal }) => signal)),
    get isHeld() {
      return grants.every(({ isHeld }) => isHeld)
    },
    guard: (transaction) => guards.reduce((bound, guard) => bound.add(guard), transaction),
    release,
    [Symbol.asyncDispose]: release,
  }
}
