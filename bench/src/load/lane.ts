import type { Done, LoadConnection } from './connection.js'
import type { Load } from './load.js'

/** One connection and a znode of its own. */
export class Lane {
  inFlight = 0
  readonly #connection: LoadConnection
  readonly #path: string
  readonly #onFault: (error: Error) => void
  #value: Buffer = Buffer.alloc(0)
  #stamp = -1
  #calls = 0
  #created = 0

  constructor(connection: LoadConnection, path: string, onFault: (error: Error) => void) {
    this.#connection = connection
    this.#path = path
    this.#onFault = onFault
  }

  /** Its znode is there, and has as much data. */
  prepare(valueBytes: number): Promise<void> {
    if (this.#value.length === valueBytes) return Promise.resolve()
    const isNew = this.#value.length === 0
    this.#value = Buffer.alloc(valueBytes, 'conclave ')
    return new Promise((resolve) => {
      if (isNew) this.#connection.create(this.#path, this.#value, () => resolve())
      else this.set(() => resolve())
    })
  }

  call({ operation }: Load, done: LaneDone): void {
    this.#calls += 1
    const settle: Done = (stamp) => done(stamp !== null)
    if (operation === 'ping') this.#connection.ping(settle)
    else if (operation === 'create') {
      this.#created += 1
      this.#connection.create(`${this.#path}-${this.#created}`, this.#value, settle)
    } else if (operation === 'set' || (operation === 'mixed' && this.#calls % writeEvery === 0)) {
      this.set(done)
    } else {
      this.#connection.get(this.#path, operation === 'linearizableGet', settle)
    }
  }

  set(done: LaneDone): void {
    this.#connection.set(this.#path, this.#value, this.#onWritten(done))
  }

  /** Resolves when it is told from now on of all that happens to the other's znode. */
  watch(other: Lane, onEvent: () => void): Promise<void> {
    return this.#connection.watch(other.#path, onEvent)
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  #onWritten(done: LaneDone): Done {
    const before = this.#stamp
    return (stamp) => {
      if (stamp !== null && stamp <= before) {
        this.#onFault(new Error(`${this.#path}: ${stamp} was answered after ${before}`))
        return
      }
      if (stamp !== null) this.#stamp = Math.max(this.#stamp, stamp)
      done(stamp !== null)
    }
  }
}

/** @param isDone false when a server over a limit refused it */
export type LaneDone = (isDone: boolean) => void

const writeEvery = 10
