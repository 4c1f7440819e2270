import { createHash } from 'node:crypto'
import {
  Fifo,
  type ClientFrame,
  closeCodes,
  type CloseReason,
  limits,
  type ServerFrame,
  ShapeError,
} from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import type { WebSocket } from 'ws'
import { messagesOf } from './messages-of.js'
import { MessageTurns } from './message-turns.js'
import { type Holding, SharedBound } from './shared-bound.js'

/** What a socket tells the node. */
export interface ClientSocketEvents {
  frame(frame: ClientFrame, bytes: number): void
  congested(congested: boolean): void
  lost(): void
  /** It is closed for a fault of the client's. */
  refused(why: string): void
}

/** What all client sockets of a server share. */
export interface SocketBounds {
  /** What was not read by its client yet. */
  readonly unread: SharedBound
  /** What came of messages that have not ended, or that wait for their turn. */
  readonly unfinished: SharedBound
  readonly turns: MessageTurns
}

export const socketBounds = (): SocketBounds => ({
  unread: new SharedBound(limits.outboxBytesPerServerMax),
  unfinished: new SharedBound(limits.unfinishedBytesPerServerMax),
  turns: new MessageTurns(),
})

/** One client connection as bytes: the frames in it and the bounds around it. */
export class ClientSocket {
  readonly #socket: WebSocket
  readonly #stream: ByteStream
  readonly #unread: Holding
  readonly #unfinished: Holding
  readonly #turns: MessageTurns
  /** Those that wait for their turn; nothing more is read meanwhile. */
  readonly #messages = new Fifo<Message>()
  /** What the message in hand still holds: a turn acts on some of its frames. */
  #frames: readonly ClientFrame[] = []
  #frameBytes = 0
  #isWaiting = false
  /** Of the stream, when the last message that has come was acted on. */
  #bytesAtMessage: number
  readonly #events: ClientSocketEvents
  #isCongested = false
  #isPausedByCore = false
  #isClosing = false

  /** @param stream what the WebSocket is made of */
  constructor(
    socket: WebSocket,
    stream: ByteStream,
    bounds: SocketBounds,
    events: ClientSocketEvents,
  ) {
    this.#socket = socket
    this.#stream = stream
    this.#unread = bounds.unread.open()
    this.#unfinished = bounds.unfinished.open()
    this.#turns = bounds.turns
    this.#bytesAtMessage = stream.bytesRead
    this.#events = events
    stream.on('data', () => this.#onBytes())
    socket.on('message', (data, isBinary) => {
      this.#messages.push({ data: data as Buffer, isBinary })
      if (!this.#isWaiting) this.#goOn(false)
    })
    socket.on('close', () => {
      this.#isClosing = true
      this.#unread.close()
      this.#unfinished.close()
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
    for (const message of messagesOf(serverMessages, frames, limits.frameBytesMax)) {
      this.#socket.send(message, () => this.#measure())
    }
  }

  #onBytes(): void {
    // Pings count too, until a message ends; they are small.
    const unfinished = this.#stream.bytesRead - this.#bytesAtMessage
    if (this.#unfinished.set(unfinished)) return
    this.#cutOff('it has not ended its message, as too many others')
  }

  /** The server is short of memory: there is nothing to wait for. */
  #cutOff(why: string): void {
    if (!this.#isClosing) this.#events.refused(why)
    this.terminate()
  }

  /** Acts on the messages that have come, as far as it is their turn. */
  #goOn(isTurnOfFirst: boolean): void {
    let mayAct = isTurnOfFirst
    for (let bytes = this.#dueBytes(); bytes !== null; bytes = this.#dueBytes()) {
      mayAct ||= this.#isClosing || this.#turns.take(bytes, () => this.#goOn(true))
      if (!mayAct) return this.#wait(true)
      if (this.#frames.length === 0) this.#decodeNext()
      this.#actOnFrames(bytes)
      mayAct = false
    }
    this.#bytesAtMessage = this.#stream.bytesRead
    this.#wait(false)
  }

  #wait(isWaiting: boolean): void {
    if (isWaiting === this.#isWaiting) return
    this.#isWaiting = isWaiting
    this.#readOrNot()
  }

  /** @returns what acting on the next frames counts for; null when nothing is left */
  #dueBytes(): number | null {
    const { length } = this.#frames
    if (length > 0) return Math.min(length, framesPerTurn) * frameTurnBytes
    return this.#messages.at(0)?.data.length ?? null
  }

  #decodeNext(): void {
    const message = this.#messages.shift()
    if (message === undefined || this.#isClosing) return
    const { data, isBinary } = message
    if (!isBinary) return this.#refuse('a text message')
    try {
      this.#frames = clientMessages.decode(data).map(withHashedNonce)
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      return this.#refuse(error.message)
    }
    this.#frameBytes = Math.ceil(data.length / Math.max(this.#frames.length, 1))
  }

  /** @param bytes what was counted for it already */
  #actOnFrames(bytes: number): void {
    const frames = this.#frames.slice(0, framesPerTurn)
    this.#frames = this.#frames.slice(framesPerTurn)
    this.#turns.charge(frames.length * frameTurnBytes - bytes)
    for (const frame of frames) if (!this.#isClosing) this.#events.frame(frame, this.#frameBytes)
  }

  #refuse(why: string): void {
    this.#events.refused(why)
    this.send([{ frame: 'closing', reason: 'badFrame' }])
    this.close('badFrame')
  }

  /** Past the soft bound nothing more is read from a client that does not read itself. */
  #measure(): void {
    const { bufferedAmount } = this.#socket
    if (!this.#unread.set(bufferedAmount)) {
      this.#cutOff('it does not read what is sent to it, as too many others')
      return
    }
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
    if (this.#isPausedByCore || this.#isCongested || this.#isWaiting) this.#socket.pause()
    else this.#socket.resume()
  }
}

/** A frame counts for so much of a turn, however short it is. */
const frameTurnBytes = 512
const framesPerTurn = limits.messageBytesPerTurnMax / frameTurnBytes

/** As ws gives it: its other forms have to be asked for. */
interface Message {
  readonly data: Buffer
  readonly isBinary: boolean
}

/** The part of a TCP socket that matters here. */
export interface ByteStream {
  readonly bytesRead: number
  on(event: 'data', heard: () => void): unknown
}

/** How long a closed connection may take to read what was sent before. */
const closeGraceMs = 5_000

/** The core, the log and the snapshots never see the nonce itself. */
const withHashedNonce = (frame: ClientFrame): ClientFrame => {
  if (frame.frame !== 'connect') return frame
  if (frame.nonce.length !== limits.nonceBytes) {
    throw new ShapeError(`connect.nonce: expected ${limits.nonceBytes} bytes`)
  }
  const nonce = new Uint8Array(createHash('sha256').update(frame.nonce).digest())
  return { ...frame, nonce }
}
