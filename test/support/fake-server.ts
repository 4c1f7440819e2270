import type { AddressInfo } from 'node:net'
import {
  type ClientFrame,
  type ClientFrameOf,
  clientSubprotocol,
  encodeResult,
  type Failure,
  type Op,
  type OpName,
  type OpResult,
  type ServerFrame,
  type Epoch,
  type ServerId,
  type SessionId,
  type Stat,
  type Zxid,
} from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import { type WebSocket, WebSocketServer } from 'ws'

/** What a request is answered with; null leaves it unanswered. */
export type FakeAnswer = { readonly result: unknown } | { readonly failure: Failure } | null

export const answer = <N extends OpName>(name: N, result: OpResult<N>): FakeAnswer => ({
  result: encodeResult(name, result),
})

export interface FakeServer {
  /** `host:port` */
  readonly address: string
  /** Every frame that came, in order, over all connections. */
  readonly frames: readonly ClientFrame[]
  /** How many messages they came in. */
  readonly messages: number
  /** Decides every request from now on. */
  answerWith(handler: (op: Op, frame: ClientFrameOf<'request'>) => FakeAnswer): void
  /** What `connect` is answered with; null leaves it unanswered. */
  connectWith(reply: (frame: ClientFrameOf<'connect'>) => ServerFrame | null): void
  /** Frames for the latest connection. */
  push(...frames: readonly ServerFrame[]): void
  pushBytes(bytes: Uint8Array | string): void
  /** Cuts the latest connection without a word. */
  cut(): void
  /** Resolves when a frame that fits has come, or has come already after `from` frames. */
  seen(fits: (frame: ClientFrame) => boolean, from?: number): Promise<ClientFrame>
  close(): Promise<void>
}

export const fakeStat = (fields: Partial<Record<keyof Stat, number>> = {}): Stat =>
  ({
    czxid: 1,
    mzxid: 1,
    pzxid: 1,
    ctime: 0,
    mtime: 0,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeralOwner: 0,
    dataLength: 0,
    numChildren: 0,
    kind: 'persistent',
    ttlMs: 0,
    ...fields,
  }) as Stat

/**
 * A server of one connection at a time on loopback: it speaks the real codec, and says what it is
 * told.
 */
export const startFakeServer = async (): Promise<FakeServer> => {
  const listener = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: () => clientSubprotocol,
  })
  await new Promise((resolve) => listener.once('listening', resolve))
  const fake = new Fake(`127.0.0.1:${(listener.address() as AddressInfo).port}`, listener)
  listener.on('connection', (socket) => fake.accept(socket))
  return fake
}

class Fake implements FakeServer {
  readonly address: string
  readonly frames: ClientFrame[] = []
  readonly #listener: WebSocketServer
  readonly #waiting = new Set<() => void>()
  messages = 0
  #zxid = 100
  #socket: WebSocket | null = null
  #handler: Parameters<FakeServer['answerWith']>[0] = () => null
  #connect: Parameters<FakeServer['connectWith']>[0] = ({ sessionId, sessionTimeoutMs }) => ({
    frame: 'connected',
    sessionId: (sessionId === 0 ? 7 : sessionId) as SessionId,
    sessionTimeoutMs,
    ensembleId: 'e1',
    zxid: this.#zxid as Zxid,
    serverId: 1 as ServerId,
    resumed: sessionId !== 0,
    role: 'following',
    epoch: 4 as Epoch,
  })

  constructor(address: string, listener: WebSocketServer) {
    this.address = address
    this.#listener = listener
  }

  accept(socket: WebSocket): void {
    this.#socket = socket
    socket.on('message', (data) => {
      this.messages += 1
      const replies: ServerFrame[] = []
      for (const frame of clientMessages.decode(data as Buffer)) {
        this.frames.push(frame)
        const reply = this.#replyTo(frame)
        if (reply !== null) replies.push(reply)
      }
      if (replies.length > 0) socket.send(serverMessages.encode(replies))
      for (const look of this.#waiting) look()
    })
  }

  answerWith(handler: Parameters<FakeServer['answerWith']>[0]): void {
    this.#handler = handler
  }

  connectWith(reply: Parameters<FakeServer['connectWith']>[0]): void {
    this.#connect = reply
  }

  push(...frames: readonly ServerFrame[]): void {
    this.#socket?.send(serverMessages.encode(frames))
  }

  pushBytes(bytes: Uint8Array | string): void {
    this.#socket?.send(bytes)
  }

  cut(): void {
    this.#socket?.terminate()
  }

  seen(fits: (frame: ClientFrame) => boolean, from = 0): Promise<ClientFrame> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.frames.slice(from).find(fits)
        if (found === undefined) return
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
    })
  }

  async close(): Promise<void> {
    for (const socket of this.#listener.clients) socket.terminate()
    await new Promise((resolve) => this.#listener.close(resolve))
  }

  #replyTo(frame: ClientFrame): ServerFrame | null {
    if (frame.frame === 'connect') return this.#connect(frame)
    if (frame.frame === 'probe') return { frame: 'probed', id: frame.id }
    if (frame.frame === 'ping') {
      return { frame: 'pong', id: frame.id, zxid: this.#zxid as Zxid }
    }
    if (frame.frame !== 'request') return null
    const said =
      this.#handler(frame.op, frame) ??
      (frame.op.op === 'closeSession' ? answer('closeSession', {}) : null)
    if (said === null) return null
    this.#zxid += 1
    const { xid } = frame
    const zxid = this.#zxid as Zxid
    return 'failure' in said
      ? { frame: 'reply', xid, zxid, failure: said.failure, result: null }
      : { frame: 'reply', xid, zxid, failure: null, result: said.result }
  }
}
