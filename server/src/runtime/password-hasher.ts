import { createHash, randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { limits } from '@conclave/protocol'
import { LRUCache } from 'lru-cache'
import type { Hash } from '../core/effect.js'

/**
 * scrypt in one thread of its own: in libuv's pool a few of them slow a log write from a tenth of
 * a millisecond to tens. What waits is bounded; recent passwords are remembered by a keyed hash, so
 * that a fleet that reconnects does not queue here.
 */
export class PasswordHasher {
  readonly #key = randomBytes(32)
  readonly #recent = new LRUCache<string, string>({ max: 10_000 })
  readonly #waiting = new Map<number, { key: string; done: (hash: string | null) => void }>()
  #worker: Worker | null = null
  #asked = 0

  /** @param done gets 64 hexadecimal digits, or null when too many wait already */
  hash({ ensembleId, user, password }: Omit<Hash, 'effect' | 'ticket'>, done: Done): void {
    const salt = `conclave digest\0${ensembleId}\0${user}`
    const key = createHash('sha256').update(this.#key).update(`${salt}\0${password}`).digest('hex')
    const known = this.#recent.get(key)
    if (known !== undefined || this.#waiting.size >= limits.passwordsWaitingMax) {
      setImmediate(done, known ?? null)
      return
    }
    this.#asked += 1
    this.#waiting.set(this.#asked, { key, done })
    this.#workerThread().postMessage({ id: this.#asked, password, salt })
  }

  async stop(): Promise<void> {
    this.#waiting.clear()
    await this.#worker?.terminate()
  }

  #workerThread(): Worker {
    if (this.#worker !== null) return this.#worker
    const worker = new Worker(new URL('password-worker.js', import.meta.url))
    worker.unref()
    worker.on('message', ({ id, hash }: { id: number; hash: string }) => {
      const waiting = this.#waiting.get(id)
      if (waiting === undefined) return
      this.#waiting.delete(id)
      this.#recent.set(waiting.key, hash)
      waiting.done(hash)
    })
    this.#worker = worker
    return worker
  }
}

type Done = (hash: string | null) => void
