import { checked, type Checks, wholeNumber } from '../checked.js'
import type { Client } from '../client.js'
import { Lock, type LockOptions } from './lock.js'

export interface SemaphoreOptions {
  /** Who this is, for those who list holders and waiters. */
  readonly id?: string | undefined
  /** How many hold it at once, 1 to 100,000,000. */
  readonly permits: number
}

const permitsChecks: Checks<Pick<SemaphoreOptions, 'permits'>> = {
  permits: wholeNumber(1, 100_000_000),
}

/**
 * A lock that several hold at a time, in the order of arrival.
 *
 * Usage:
 *
 *     const semaphore = new Semaphore(client, '/limits/uploads', { permits: 3 })
 *     await using permit = await semaphore.acquire()
 *
 * Dangers: as of `Mutex`; and all who use one path must name the same number of permits: each goes
 * by its own. The first in the queue is told of every departure of the directory, the others of
 * one.
 */
export class Semaphore extends Lock {
  constructor(client: Client, path: string, { permits, ...options }: SemaphoreOptions) {
    checked({ permits }, permitsChecks)
    super(client, path, { ...(options satisfies LockOptions), kind: `permit-${permits}` })
  }
}
