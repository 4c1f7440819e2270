import { createHash } from 'node:crypto'
import {
  type ClientFrame,
  closeCodes,
  type CloseReason,
  limits,
  type ServerFrame,
  ShapeError,
} from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import type { RawData, WebSocket } from 'ws'

/** What a socket tells the node. */
export interface ClientSocketEvents {
  frame(frame: ClientFrame, bytes: number): void
  congested(congested: boolean): void
  lost(): void
  /** It is closed for a fault of the client's. */
  refused(why: string): void
}

/** One client connection as bytes: the frames in it and the bounds around it. */
export class ClientSocket {
  readonly #socket: WebSocket
  readonly #events: ClientSocketEvents
  #isCongested = false
  #isPausedByCore = false
  #isClosing = false

  constructor(socket: WebSocket, events: ClientSocketEvents) {
    this.#socket = socket
    this.#events = events
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary))
    socket.on('close', () => {
      this.#isClosing = true
      events.lost()
    })
    // The close that follows says all there is to say.
    socket.on('error', () => undefined)
  }

  send(frames: readonly ServerFrame[]): void {
    if (this.#isClosing) return
    this.#write(frames)
    if (this.#socket.bufferedAmount <= limits.outboxBytesHard) return this.#measure()
    this.#events.refused('it does not read what is sent to it')
    this.#write([{ frame: 'closing', reason: 'slowConsumer' }])
    this.close('slowConsumer')
  }

  /** What was sent before is still delivered, if the client reads it within the grace. */
  close(reason: CloseReason): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#socket.resume()
    this.#socket.close(closeCodes[reason], reason)
    setTimeout(() => this.#socket.terminate(), closeGraceMs).unref()
  }

  terminate(): void {
    this.#isClosing = true
    this.#socket.terminate()
  }

  pause(paused: boolean): void {
    this.#isPausedByCore = paused
    this.#readOrNot()
  }

  #write(frames: readonly ServerFrame[]): void {
    for (const message of split(frames)) this.#socket.send(message, () => this.#measure())
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#isClosing) return
    if (!isBinary || !(data instanceof Buffer)) {
      this.#refuse('a text message')
      return
    }
    let frames: readonly ClientFrame[]
    try {
      frames = clientMessages.decode(data).map(withHashedNonce)
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      this.#refuse(error.message)
      return
    }
    const bytes = Math.ceil(data.length / Math.max(frames.length, 1))
    for (const frame of frames) this.#events.frame(frame, bytes)
  }

  #refuse(why: string): void {
    this.#events.refused(why)
    this.send([{ frame: 'closing', reason: 'badFrame' }])
    this.close('badFrame')
  }

  /** Past the soft bound nothing more is read from a client that does not read itself. */
  #measure(): void {
    const { bufferedAmount } = this.#socket
    const isCongested = this.#isCongested
      ? bufferedAmount > limits.outboxBytesSoft / 2
      : bufferedAmount > limits.outboxBytesSoft
    if (isCongested === this.#isCongested || this.#isClosing) return
    this.#isCongested = isCongested
    this.#readOrNot()
    this.#events.congested(isCongested)
  }

  #readOrNot(): void {
    if (this.#isClosing) return
    if (this.#isPausedByCore || this.#isCongested) this.#socket.pause()
    else this.#socket.resume()
  }
}

/** How long a closed connection may take to read what was sent before. */
const closeGraceMs = 5_000

/** One message, or as many as the limit on a message's size asks for. */
const split = (frames: readonly ServerFrame[]): readonly Uint8Array[] => {
  const fits = frames.length <= limits.framesPerMessageMax
  const message = fits ? serverMessages.encode(frames) : null
  if (message !== null && (message.length <= limits.frameBytesMax || frames.length === 1)) {
    return [message]
  }
  const half = frames.length >>> 1
  return [...split(frames.slice(0, half)), ...split(frames.slice(half))]
}

/** The core, the log and the snapshots never see the nonce itself. */
const withHashedNonce = (frame: ClientFrame): ClientFrame => {
  if (frame.frame !== 'connect') return frame
  if (frame.nonce.length !== limits.nonceBytes) {
    throw new ShapeError(`connect.nonce: expected ${limits.nonceBytes} bytes`)
  }
  const nonce = new Uint8Array(createHash('sha256').update(frame.nonce).digest())
  return { ...frame, nonce }
}
