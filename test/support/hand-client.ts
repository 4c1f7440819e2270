import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'
import { packByHand, unpackByHand, type Value } from './hand-msgpack.js'

export type Frame = readonly Value[]

/** What a client keeps of its session from one connection to the next: section 8 of the page. */
export interface HandSession {
  readonly nonce: Uint8Array
  sessionId: number
  ensembleId: string | null
  attach: number
  lastXid: number
  lastZxidSeen: number
}

export const newSession = (): HandSession => ({
  nonce: new Uint8Array(randomBytes(16)),
  sessionId: 0,
  ensembleId: null,
  attach: 0,
  lastXid: 0,
  lastZxidSeen: 0,
})

/** One connection that speaks docs/PROTOCOL.md in arrays and numbers, as the page writes them. */
export class HandClient {
  /** The subprotocol that the server has chosen. */
  readonly subprotocol: string
  /** Every frame that has come, in its order. */
  readonly frames: Frame[] = []
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  readonly session: HandSession
  readonly #socket: WebSocket
  #isClosed = false
  readonly #unread: Frame[] = []
  readonly #readers: {
    readonly resolve: (frame: Frame) => void
    readonly reject: (error: Error) => void
  }[] = []

  private constructor(socket: WebSocket, session: HandSession) {
    this.#socket = socket
    this.session = session
    this.subprotocol = socket.protocol
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
    socket.once('close', (code) => {
      this.#isClosed = true
      for (const reader of this.#readers.splice(0)) reader.reject(new Error(`closed with ${code}`))
    })
    socket.on('message', (message: Buffer, isBinary) => {
      if (!isBinary) throw new Error('the server sent text')
      for (const frame of unpackByHand(message) as readonly Frame[]) this.#arrived(frame)
    })
  }

  static open(url: string, session = newSession()): Promise<HandClient> {
    const socket = new WebSocket(url.replace('conclave:', 'ws:'), 'conclave.v1', {
      perMessageDeflate: false,
    })
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(new HandClient(socket, session)))
      socket.once('error', reject)
    })
  }

  /** Opens a connection and attaches the session, or a new one, to it. */
  static async attach(url: string, session = newSession(), ackedXid = 0): Promise<HandClient> {
    const client = await HandClient.open(url, session)
    session.attach += 1
    const { sessionId, nonce, attach, lastZxidSeen, ensembleId } = session
    client.send([1, 1, sessionId, nonce, attach, 10_000, lastZxidSeen, ensembleId, ackedXid])
    const connected = await client.next()
    if (connected[0] !== 1) throw new Error(`no connected: ${JSON.stringify(connected)}`)
    session.sessionId = connected[1] as number
    session.ensembleId = connected[3] as string
    return client
  }

  /** One message. */
  send(...frames: readonly Frame[]): void {
    this.sendBytes(packByHand(frames))
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes)
  }

  sendText(text: string): void {
    this.#socket.send(text)
  }

  /** The next frame that was not read yet. */
  next(): Promise<Frame> {
    const frame = this.#unread.shift()
    if (frame !== undefined) return Promise.resolve(frame)
    if (this.#isClosed) return Promise.reject(new Error('the connection is closed'))
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }))
  }

  /** Sends a request under the next xid; @returns the next frame of all, which is its reply */
  async request(op: Frame, ackedXid = this.session.lastXid): Promise<Frame> {
    const xid = ++this.session.lastXid
    this.send([2, xid, ackedXid, 0, op])
    return this.next()
  }

  /** @returns the result of a request that must succeed */
  async result(op: Frame): Promise<Frame> {
    const [frame, xid, , failure, result] = await this.request(op)
    if (frame === 2 && xid === this.session.lastXid && failure === null) return result as Frame
    throw new Error(`no success: ${JSON.stringify([frame, xid, failure])}`)
  }

  /** @returns the failure of a request that must fail, without the message, which is for people */
  async failure(op: Frame): Promise<Frame> {
    const [frame, xid, , failure, result] = await this.request(op)
    const [code = null, message, index = null] = (failure ?? []) as Frame
    const isFailure = frame === 2 && xid === this.session.lastXid && result === null
    if (isFailure && typeof message === 'string') return [code, index]
    throw new Error(`no failure: ${JSON.stringify([frame, xid, failure, result])}`)
  }

  /** Drops the connection; the session stays. */
  async drop(): Promise<void> {
    this.#socket.terminate()
    await this.closed
  }

  /** Closes it as the page asks for, with code 1000. */
  async close(): Promise<void> {
    this.#socket.close(1000)
    await this.closed
  }

  #arrived(frame: Frame): void {
    this.frames.push(frame)
    const { session } = this
    session.lastZxidSeen = Math.max(session.lastZxidSeen, zxidIn(frame))
    const reader = this.#readers.shift()
    if (reader === undefined) this.#unread.push(frame)
    else reader.resolve(frame)
  }
}

/** Section 10: connected, replies, pongs, events and stream frames say what was seen. */
const zxidIn = (frame: Frame): number => {
  switch (frame[0]) {
    case 1:
      return frame[4] as number
    case 2:
    case 3:
    case 8:
      return frame[2] as number
    case 5:
      return frame[1] as number
    case 6:
      return Math.max(0, ...(frame[2] as readonly Frame[]).map((event) => event[1] as number))
    case 7:
      return frame[3] as number
    default:
      return 0
  }
}
