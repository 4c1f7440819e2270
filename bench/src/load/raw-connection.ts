import { randomBytes } from 'node:crypto'
import {
  type ClientFrame,
  clientSubprotocol,
  decodeResult,
  Fifo,
  limits,
  type Op,
  protocolVersion,
  type ServerFrame,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import { WebSocket } from 'ws'
import type { Done, LoadConnection, OnFault, OpenConnection } from './connection.js'

export const openRaw: OpenConnection = (address, onFault) => RawConnection.open(address, onFault)

/**
 * The frames of the protocol and nothing else, all that are ready in one message: what the servers
 * cost without the SDK.
 */
export class RawConnection implements LoadConnection {
  readonly #socket: WebSocket
  readonly #onFault: OnFault
  readonly #pending = new Fifo<Pending>()
  readonly #streams = new Map<number, Stream>()
  readonly #pongs = new Map<number, Done>()
  readonly #pinger: NodeJS.Timeout
  #onAttached: () => void = () => undefined
  #ready: ClientFrame[] = []
  #pings = 0
  #xid = 0
  #acked = 0
  #refusedSeen = 0
  #isOver = false

  private constructor(socket: WebSocket, onFault: OnFault) {
    this.#socket = socket
    this.#onFault = (error) => {
      if (!this.#isOver) onFault(error)
    }
    this.#pinger = setInterval(() => this.ping(() => undefined), pingMs)
    socket.once('open', () => this.#push(connectFrame()))
    socket.on('message', (data) => {
      for (const frame of serverMessages.decode(data as Buffer)) this.#onFrame(frame)
    })
    socket.on('error', this.#onFault)
    socket.on('close', (code) => this.#onFault(new Error(`the connection was closed: ${code}`)))
  }

  /** Resolves when it has a session of its own. @param address `host:port` */
  static async open(address: string, onFault: OnFault): Promise<RawConnection> {
    const url = `ws://${address}/`
    const socket = new WebSocket(url, clientSubprotocol, { perMessageDeflate: false })
    const connection = new RawConnection(socket, onFault)
    await new Promise<void>((resolve, reject) => {
      connection.#onAttached = resolve
      socket.once('close', () => reject(new Error('the server closed the connection')))
    })
    return connection
  }

  create(path: string, data: Buffer, done: Done): void {
    const op: Op = { op: 'create', path, data, kind: 'persistent', acl: null, ttlMs: 0 }
    this.request(
      op,
      () => done(0),
      () => done(null),
    )
  }

  set(path: string, data: Buffer, done: Done): void {
    const settle = (result: unknown): void => done(decodeResult('setData', result).stat.version)
    this.request({ op: 'setData', path, data, version: -1 }, settle, () => done(null))
  }

  get(path: string, linearizable: boolean, done: Done): void {
    const settle = (result: unknown): void => {
      const { data, stat } = decodeResult('getData', result)
      if (data !== null) done(stat.version)
      else this.#onFault(new Error(`${path} was read without data`))
    }
    this.request({ op: 'getData', path, watch: false, linearizable }, settle, () => done(null))
  }

  watch(path: string, onEvent: () => void): Promise<void> {
    const streamId = this.#streams.size + 1
    return new Promise((onCaughtUp) => {
      this.#streams.set(streamId, { onEvent, onCaughtUp })
      const op: Op = {
        op: 'watch',
        streamId,
        path,
        recursive: false,
        withDetail: false,
        from: null,
      }
      const onThrottled = (): void => this.#onFault(new Error(`no watch of ${path}: throttled`))
      this.request(op, () => undefined, onThrottled)
    })
  }

  ping(done: Done): void {
    this.#pings += 1
    this.#pongs.set(this.#pings, done)
    this.#push({ frame: 'ping', id: this.#pings, ackedXid: this.#ack() })
  }

  /** @param onThrottled called instead of `settle` when the server is over a limit */
  request(op: Op, settle: (result: unknown) => void, onThrottled: () => void): void {
    this.#xid += 1
    this.#pending.push({ xid: this.#xid, settle, onThrottled })
    this.#push({
      frame: 'request',
      xid: this.#xid as Xid,
      ackedXid: this.#ack(),
      refusedSeen: this.#refusedSeen as Xid,
      op,
    })
  }

  async close(): Promise<void> {
    this.#isOver = true
    clearInterval(this.#pinger)
    const closed = new Promise((resolve) => this.#socket.once('close', resolve))
    if (this.#socket.readyState === WebSocket.CLOSED) return
    this.#socket.close(1000)
    await closed
  }

  #ack(): Xid {
    return this.#acked as Xid
  }

  #push(frame: ClientFrame): void {
    if (this.#ready.length === 0) process.nextTick(() => this.#flush())
    this.#ready.push(frame)
  }

  #flush(): void {
    const frames = this.#ready
    this.#ready = []
    if (this.#socket.readyState !== WebSocket.OPEN) return
    for (let from = 0; from < frames.length; from += limits.framesPerMessageMax) {
      const message = frames.slice(from, from + limits.framesPerMessageMax)
      this.#socket.send(clientMessages.encode(message))
    }
  }

  #onFrame(frame: ServerFrame): void {
    if (frame.frame === 'reply') this.#onReply(frame.xid, frame)
    else if (frame.frame === 'connected') this.#onAttached()
    else if (frame.frame === 'streamCaughtUp') this.#streams.get(frame.streamId)?.onCaughtUp()
    else if (frame.frame === 'streamEvents') {
      const stream = this.#streams.get(frame.streamId)
      for (const _event of frame.events) stream?.onEvent()
    } else if (frame.frame === 'pong') {
      this.#onPong(frame.id)
    } else {
      this.#onFault(new Error(`the server sent ${frame.frame}`))
    }
  }

  /** A server remembers the last pings only (LIMIT-20): this one answers all before it. */
  #onPong(upTo: number): void {
    for (const [id, onDone] of this.#pongs) {
      if (id > upTo) return
      this.#pongs.delete(id)
      onDone(0)
    }
  }

  #onReply(xid: Xid, { failure, result }: Reply): void {
    const due = this.#pending.shift()
    if (due === undefined || due.xid !== xid) {
      this.#onFault(new Error(`the reply to ${xid} came where ${due?.xid ?? 'none'} was due`))
    } else if (failure?.code === 'throttled') {
      this.#refusedSeen = Math.max(this.#refusedSeen, xid)
      due.onThrottled()
    } else if (failure !== null) {
      this.#onFault(new Error(`${failure.code}: ${failure.message}`))
    } else {
      this.#acked = xid
      due.settle(result)
    }
  }
}

interface Pending {
  readonly xid: number
  settle(result: unknown): void
  onThrottled(): void
}

type Reply = Pick<Extract<ServerFrame, { frame: 'reply' }>, 'failure' | 'result'>

interface Stream {
  onEvent(): void
  onCaughtUp(): void
}

const pingMs = 10_000

const connectFrame = (): ClientFrame => ({
  frame: 'connect',
  version: protocolVersion,
  sessionId: 0 as SessionId,
  nonce: randomBytes(limits.nonceBytes),
  attach: 1,
  sessionTimeoutMs: limits.sessionTimeoutMsMax,
  lastZxidSeen: 0 as Zxid,
  ensembleId: null,
  ackedXid: 0 as Xid,
})
