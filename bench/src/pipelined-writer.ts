import { randomBytes } from 'node:crypto'
import {
  type ClientFrame,
  clientSubprotocol,
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

/**
 * One session that keeps a window of writes in flight, as frames of the protocol: what a client
 * costs beside them is not what is measured.
 */
export class PipelinedWriter {
  readonly #socket: WebSocket
  #sent = 0
  #answered = 0
  #onAnswers: () => void = () => undefined
  #onFault: (error: Error) => void = () => undefined

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => this.#onMessage(serverMessages.decode(data as Buffer)))
    socket.on('close', (code) => this.#onFault(new Error(`the connection was closed: ${code}`)))
    socket.on('error', (error) => this.#onFault(error))
  }

  static async open(url: string): Promise<PipelinedWriter> {
    const socket = new WebSocket(url.replace('conclave:', 'ws:'), clientSubprotocol)
    const writer = new PipelinedWriter(socket)
    await new Promise<void>((resolve, reject) => {
      writer.#onFault = reject
      writer.#onAnswers = resolve
      socket.once('open', () => writer.#send([connectFrame()]))
    })
    return writer
  }

  /** Sends every op that `ops` gives and resolves when the last is answered. @returns how many */
  async write(ops: Iterator<Op>): Promise<number> {
    const before = this.#answered
    await new Promise<void>((resolve, reject) => {
      let isOver = false
      this.#onFault = reject
      this.#onAnswers = () => {
        if (!isOver) isOver = this.#fill(ops)
        if (isOver && this.#answered === this.#sent) resolve()
      }
      this.#onAnswers()
    })
    return this.#answered - before
  }

  close(): void {
    this.#onFault = () => undefined
    this.#socket.close()
  }

  /** @returns true when there are no more */
  #fill(ops: Iterator<Op>): boolean {
    if (this.#sent - this.#answered > window - messageFrames) return false
    for (;;) {
      const frames: ClientFrame[] = []
      while (frames.length < messageFrames && this.#sent - this.#answered < window) {
        const { value: op, done } = ops.next()
        if (done === true) {
          if (frames.length > 0) this.#send(frames)
          return true
        }
        frames.push(this.#request(op))
      }
      if (frames.length === 0) return false
      this.#send(frames)
    }
  }

  #request(op: Op): ClientFrame {
    this.#sent += 1
    const ackedXid = this.#answered as Xid
    return { frame: 'request', xid: this.#sent as Xid, ackedXid, refusedSeen: 0 as Xid, op }
  }

  #send(frames: readonly ClientFrame[]): void {
    this.#socket.send(clientMessages.encode(frames))
  }

  #onMessage(frames: readonly ServerFrame[]): void {
    for (const frame of frames) {
      if (frame.frame === 'reply') this.#answered = frame.xid
      if (frame.frame !== 'reply' || frame.failure === null) continue
      this.#onFault(new Error(`${frame.failure.code}: ${frame.failure.message}`))
    }
    this.#onAnswers()
  }
}

const window = 500
const messageFrames = 50

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
