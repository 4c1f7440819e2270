import { limits, peerSubprotocol } from '@conclave/protocol'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { peerSocketOptions } from './peer-listener.js'

/**
 * Masks protect intermediaries from what scripts in browsers send (RFC 6455, 10.3). Between two
 * servers they would cost each byte a turn of a loop at both ends.
 */
const noMask = (mask: Buffer): void => void mask.fill(0)

export interface PeerAddress {
  readonly host: string
  readonly peerPort: number
}

/**
 * Dials one server again and again, one connection at a time, until it is stopped. The pauses
 * double from 50 ms to 1,000 ms, without jitter: each pair of servers has one dialler.
 */
export class PeerDialler {
  readonly #url: string
  readonly #connected: (socket: WebSocket, stream: Socket) => void
  readonly #failed: (why: string) => void
  #pauseMs: number = limits.peerRedialMsMin
  #timer: NodeJS.Timeout | null = null
  #socket: WebSocket | null = null
  #isStopped = false

  /** @param failed told why nothing came of an attempt */
  constructor(
    { host, peerPort }: PeerAddress,
    connected: (socket: WebSocket, stream: Socket) => void,
    failed: (why: string) => void,
  ) {
    this.#url = `ws://${host.includes(':') ? `[${host}]` : host}:${peerPort}`
    this.#connected = connected
    this.#failed = failed
    this.#dial()
  }

  /** The link is open: the next pause, when it is lost, is the shortest one. */
  succeeded(): void {
    this.#pauseMs = limits.peerRedialMsMin
  }

  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#socket?.terminate()
  }

  #dial(): void {
    let stream: Socket | null = null
    const socket = new WebSocket(this.#url, peerSubprotocol, {
      ...peerSocketOptions,
      handshakeTimeout: limits.peerHandshakeMs,
      followRedirects: false,
      generateMask: noMask,
    })
    this.#socket = socket
    socket.on('upgrade', (response) => {
      stream = response.socket
    })
    socket.on('open', () => {
      if (stream !== null) this.#connected(socket, stream)
    })
    socket.on('error', (error) => {
      if (stream === null && !this.#isStopped) this.#failed(error.message)
    })
    socket.once('close', () => this.#pause())
  }

  #pause(): void {
    this.#socket = null
    if (this.#isStopped) return
    this.#timer = setTimeout(() => this.#dial(), this.#pauseMs)
    this.#pauseMs = Math.min(this.#pauseMs * 2, limits.peerRedialMsMax)
  }
}
