import { limits, ShapeError } from '@conclave/protocol'
import type { PeerFrame } from '@conclave/protocol/peer'
import type { WebSocket } from 'ws'
import type { ByteStream } from './client-socket.js'
import { messagesOf } from './messages-of.js'
import { peerMessages } from './peer-messages.js'

export interface PeerLinkEvents {
  frame(frame: PeerFrame): void
  /** Said once and last. */
  lost(why: string): void
}

/** One open link to another server that has proved who it is. */
export class PeerLink {
  readonly #socket: WebSocket
  readonly #events: PeerLinkEvents
  readonly #timer: NodeJS.Timeout
  readonly #probes: (() => void)[] = []
  #hasHeard = true
  #silentMs = 0
  #isOpen = true

  constructor(socket: WebSocket, stream: ByteStream, events: PeerLinkEvents) {
    this.#socket = socket
    this.#events = events
    stream.on('data', () => this.#heard())
    socket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary))
    socket.on('close', (_code, reason) => {
      this.#end(reason.length === 0 ? 'the connection was lost' : 'the other server closed it')
    })
    this.#timer = setInterval(() => this.#listen(), limits.heartbeatMs)
  }

  send(frames: readonly PeerFrame[]): void {
    if (!this.#isOpen) return
    for (const message of messagesOf(peerMessages, frames, limits.peerMessageBytes)) {
      this.#socket.send(message)
    }
    if (this.#socket.bufferedAmount > limits.peerOutboxBytesMax) {
      this.close('it does not read what is sent to it')
    }
  }

  close(why: string): void {
    if (!this.#isOpen) return
    this.#socket.close(closedByLink, 'link closed')
    // What waits to be sent must not keep it.
    setTimeout(() => this.#socket.terminate(), closeGraceMs).unref()
    this.#end(why)
  }

  /** Asks whether the other side still lives; `answered` is called once, with what came of it. */
  probe(answered: (isAlive: boolean) => void): void {
    if (!this.#isOpen) return answered(false)
    const timer = setTimeout(() => settle(false), limits.peerProbeMs)
    const heard = (): void => settle(true)
    const settle = (isAlive: boolean): void => {
      clearTimeout(timer)
      const at = this.#probes.indexOf(heard)
      if (at >= 0) this.#probes.splice(at, 1)
      answered(isAlive && this.#isOpen)
    }
    this.#probes.push(heard)
    this.#socket.ping()
  }

  #heard(): void {
    this.#hasHeard = true
    for (const heard of this.#probes.slice()) heard()
  }

  /** Counted in turns of a timer: after a stall of this server's own nobody else was silent. */
  #listen(): void {
    this.#silentMs = this.#hasHeard ? 0 : this.#silentMs + limits.heartbeatMs
    this.#hasHeard = false
    if (this.#silentMs >= limits.peerSilenceMsMax) {
      return this.close(`nothing was heard of it for ${limits.peerSilenceMsMax} ms`)
    }
    if (this.#silentMs > 0) this.#socket.ping()
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (!this.#isOpen) return
    let frames: readonly PeerFrame[]
    try {
      if (!isBinary) throw new ShapeError('a text message')
      frames = peerMessages.decode(data)
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      return this.close(`what it sent is not the peer protocol: ${error.message}`)
    }
    for (const frame of frames) this.#events.frame(frame)
  }

  #end(why: string): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    clearInterval(this.#timer)
    for (const heard of this.#probes.slice()) heard()
    this.#events.lost(why)
  }
}

const closedByLink = 4_401
const closeGraceMs = 1_000
