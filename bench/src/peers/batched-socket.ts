import { connect, type Socket } from 'node:net'
import type { OnFault } from '../load/connection.js'

/** A TCP connection that writes all that is ready at once, and gives whole pieces to a parser. */
export class BatchedSocket {
  readonly opened: Promise<void>
  readonly #socket: Socket
  readonly #parse: (bytes: Buffer) => number
  #ready: Buffer[] = []
  #rest: Buffer | null = null
  #isOver = false

  /**
   * @param address `host:port`
   * @param parse takes the pieces that are whole; returns how many bytes they were
   */
  constructor(address: string, parse: (bytes: Buffer) => number, onFault: OnFault) {
    this.#parse = parse
    const [host, port] = address.split(':') as [string, string]
    this.#socket = connect({ host, port: Number(port), noDelay: true })
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once('connect', resolve)
      this.#socket.once('error', reject)
    })
    this.#socket.on('data', (bytes) => this.#onData(bytes))
    this.#socket.on('close', () => {
      if (!this.#isOver) onFault(new Error(`${address} closed the connection`))
    })
  }

  /** Sent with all that is pushed in the same turn. */
  push(bytes: Buffer): void {
    if (this.#ready.length === 0) process.nextTick(() => this.#flush())
    this.#ready.push(bytes)
  }

  /** Nothing that comes from now on is a fault. */
  async close(): Promise<void> {
    this.#isOver = true
    if (this.#socket.destroyed) return
    const closed = new Promise((resolve) => this.#socket.once('close', resolve))
    this.#flush()
    this.#socket.destroySoon()
    await closed
  }

  #flush(): void {
    const ready = this.#ready
    this.#ready = []
    if (ready.length > 0 && this.#socket.writable) this.#socket.write(Buffer.concat(ready))
  }

  #onData(bytes: Buffer): void {
    const all = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes])
    const taken = this.#parse(all)
    this.#rest = taken === all.length ? null : all.subarray(taken)
  }
}
