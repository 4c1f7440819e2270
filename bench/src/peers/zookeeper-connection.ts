import { Fifo } from '@conclave/protocol'
import type { Done, LoadConnection, OnFault, OpenConnection } from '../load/connection.js'
import { BatchedSocket } from './batched-socket.js'
import * as jute from './jute.js'

export const openZookeeper: OpenConnection = async (address, onFault) => {
  const connection = new ZookeeperConnection(address, onFault)
  await connection.attached
  return connection
}

interface Pending {
  readonly xid: number
  /** @param at where the body begins */
  settle(message: Buffer, at: number): void
}

/** A session of ZooKeeper with its requests pipelined; replies come in their order. */
class ZookeeperConnection implements LoadConnection {
  readonly attached: Promise<void>
  readonly #socket: BatchedSocket
  readonly #onFault: OnFault
  readonly #pending = new Fifo<Pending>()
  readonly #watchers = new Map<string, () => void>()
  readonly #pinger: NodeJS.Timeout
  #onAttached: (() => void) | null = null
  readonly #ping = jute.encodeHeader(jute.specialXids.ping, jute.opcodes.ping)
  #onPong: () => void = () => undefined
  #xid = 0

  constructor(address: string, onFault: OnFault) {
    this.#onFault = onFault
    this.#socket = new BatchedSocket(address, (bytes) => this.#parse(bytes), onFault)
    this.attached = new Promise((resolve, reject) => {
      this.#onAttached = resolve
      this.#socket.opened.then(
        () => this.#socket.push(jute.encodeConnect(sessionTimeoutMs)),
        reject,
      )
    })
    this.#pinger = setInterval(() => this.#socket.push(this.#ping), pingMs)
  }

  create(path: string, value: Buffer, done: Done): void {
    this.#request(jute.encodeCreate(this.#next(), path, value), () => done(0))
  }

  set(path: string, value: Buffer, done: Done): void {
    this.#request(jute.encodeSetData(this.#next(), path, value), (message, at) =>
      done(jute.versionOfStat(message, at)),
    )
  }

  get(path: string, _isLinearizable: boolean, done: Done): void {
    this.#request(jute.encodeGetData(this.#next(), path), (message, at) => {
      const length = message.readInt32BE(at)
      if (length > 0) done(jute.versionOfStat(message, at + 4 + length))
      else this.#onFault(new Error(`${path} was read without data`))
    })
  }

  watch(path: string, onEvent: () => void): Promise<void> {
    this.#watchers.set(path, onEvent)
    return new Promise((resolve) => {
      this.#request(jute.encodeAddWatch(this.#next(), path), () => resolve())
    })
  }

  /** Its answers name no ping, so one at a time. */
  ping(done: Done): void {
    this.#onPong = () => done(0)
    this.#socket.push(this.#ping)
  }

  async close(): Promise<void> {
    clearInterval(this.#pinger)
    this.#socket.push(jute.encodeHeader(this.#next(), jute.opcodes.closeSession))
    await this.#socket.close()
  }

  #next(): number {
    this.#xid += 1
    return this.#xid
  }

  #request(message: Buffer, settle: Pending['settle']): void {
    this.#pending.push({ xid: this.#xid, settle })
    this.#socket.push(message)
  }

  #parse(bytes: Buffer): number {
    let at = 0
    while (at + 4 <= bytes.length) {
      const end = at + 4 + bytes.readInt32BE(at)
      if (end > bytes.length) break
      this.#onMessage(bytes, at + 4)
      at = end
    }
    return at
  }

  #onMessage(bytes: Buffer, at: number): void {
    if (this.#onAttached !== null) {
      this.#onAttached()
      this.#onAttached = null
      return
    }
    const xid = bytes.readInt32BE(at)
    const body = at + jute.replyHeaderBytes
    if (xid === jute.specialXids.event) this.#onEvent(bytes, body)
    else if (xid === jute.specialXids.ping) this.#pong()
    else this.#onReply(xid, bytes, body)
  }

  #pong(): void {
    const onPong = this.#onPong
    this.#onPong = () => undefined
    onPong()
  }

  #onEvent(bytes: Buffer, at: number): void {
    const length = bytes.readInt32BE(at + 8)
    this.#watchers.get(bytes.toString('latin1', at + 12, at + 12 + length))?.()
  }

  #onReply(xid: number, bytes: Buffer, body: number): void {
    const due = this.#pending.shift()
    const failure = bytes.readInt32BE(body - 4)
    if (due?.xid !== xid) {
      this.#onFault(new Error(`the reply to ${xid} came where ${due?.xid ?? 'none'} was due`))
    } else if (failure !== 0) {
      this.#onFault(new Error(`ZooKeeper answered ${xid} with error ${failure}`))
    } else due.settle(bytes, body)
  }
}

const sessionTimeoutMs = 40_000
const pingMs = 10_000
