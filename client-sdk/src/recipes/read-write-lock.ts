import type { Client } from '../client.js'
import { Lock, type LockOptions } from './lock.js'

/**
 * Many readers or one writer, in the order of arrival: a reader waits for the last writer before
 * it, a writer for whoever is before it, so that neither starves.
 *
 * Usage:
 *
 *     const lock = new ReadWriteLock(client, '/locks/schema')
 *     await using reading = await lock.read.acquire()
 *     await using writing = await lock.write.acquire({ timeoutMs: 5_000 })
 *
 * Dangers: as of `Mutex`. There is no upgrade: who holds `read` and asks for `write` waits for
 * itself. When a writer leaves, all readers behind it wake at once, for all of them are let in.
 */
export class ReadWriteLock {
  readonly read: Lock
  readonly write: Lock

  constructor(client: Client, path: string, options: LockOptions = {}) {
    this.read = new Lock(client, path, { ...options, kind: 'read' })
    this.write = new Lock(client, path, { ...options, kind: 'write' })
  }
}
