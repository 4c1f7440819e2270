import type { Client } from '../client.js'
import { Lock, type LockOptions } from './lock.js'

/**
 * A lock that one holds at a time, in the order of arrival.
 *
 * Usage:
 *
 *     const mutex = new Mutex(client, '/locks/compaction')
 *     {
 *       await using lock = await mutex.acquire({ timeoutMs: 5_000 })
 *       await client.transaction().add(lock.guard).set('/shards/7', data).commit()
 *     }
 *
 * Dangers: the lock goes with the session, so work that takes long listens to `lock.signal`, and
 * what must never happen twice carries `lock.guard` or `lock.token`. A mutex of its own waits for
 * itself: `acquire` inside `acquire` never ends, unless the object is `reentrant`.
 */
export class Mutex extends Lock {
  constructor(client: Client, path: string, options: LockOptions = {}) {
    super(client, path, { ...options, kind: 'lock' })
  }
}
