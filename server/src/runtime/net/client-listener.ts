import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { clientSubprotocol, type CloseReason, limits } from '@conclave/protocol'
import type { Logger } from 'pino'
import { type WebSocket, WebSocketServer } from 'ws'
import type { ConnectionId } from '../../core/input.js'
import { ClientSocket, socketBounds } from './client-socket.js'
import { type HandshakePolicy, judgeHandshake } from './handshake.js'
import type { ClientSocketEvents } from './client-socket.js'
import { RefusalLog } from './refusal-log.js'
import type { SocketRoom } from './socket-room.js'

interface ListenAddress {
  readonly host: string
  readonly port: number
}

interface ListenerPolicy extends HandshakePolicy, SocketRoom {}

/** Called for each new connection: says who gets its frames, or why nobody does. */
export type Accept = (id: ConnectionId, address: string) => ClientSocketEvents | CloseReason

/** The client port: HTTP only as far as it takes to become WebSocket. */
export class ClientListener {
  readonly #http: Server
  readonly #sockets = new Map<ConnectionId, ClientSocket>()
  readonly #webSockets: WebSocketServer
  readonly #policy: ListenerPolicy
  readonly #bounds = socketBounds()
  readonly #accept: Accept
  readonly #log: Logger
  readonly #refusals: RefusalLog
  #lastId = 0
  #onEmpty: () => void = () => undefined

  constructor(policy: ListenerPolicy, accept: Accept, log: Logger) {
    this.#policy = policy
    this.#accept = accept
    this.#log = log
    this.#refusals = new RefusalLog(log)
    this.#http = createServer(
      {
        headersTimeout: limits.firstFrameMs,
        requestTimeout: limits.firstFrameMs,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: 8_192,
      },
      (_request, response) => {
        response.writeHead(426, { 'content-type': 'text/plain', connection: 'close' })
        response.end(`Conclave speaks WebSocket here, subprotocol ${clientSubprotocol}.\n`)
      },
    )
    this.#http.maxConnections = policy.socketsMax
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: limits.frameBytesMax,
      perMessageDeflate: false,
      clientTracking: false,
      handleProtocols: () => clientSubprotocol,
    })
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  /** @throws Error of the system (EADDRINUSE, EACCES, ...) */
  async listen({ host, port }: ListenAddress): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject)
      this.#http.listen({ host, port }, resolve)
    })
    this.#http.on('error', (error) => this.#log.error({ error: error.message }, 'client port'))
    return (this.#http.address() as AddressInfo).port
  }

  /** How many connections are open. */
  get size(): number {
    return this.#sockets.size
  }

  get(id: ConnectionId): ClientSocket | undefined {
    return this.#sockets.get(id)
  }

  /** Takes no new connections; resolves when those that are open have gone. */
  async stopListening(): Promise<void> {
    this.#http.close()
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      this.#checkEmpty()
    })
  }

  /** Every connection is told why it ends; new ones may come. */
  closeAll(reason: CloseReason): void {
    for (const socket of this.#sockets.values()) leave(socket, reason)
  }

  terminate(): void {
    this.#http.close()
    this.#http.closeAllConnections()
    for (const socket of this.#sockets.values()) socket.terminate()
  }

  #checkEmpty(): void {
    if (this.#sockets.size === 0) this.#onEmpty()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const refusal = judgeHandshake(request, this.#policy)
    if (refusal !== null) {
      this.#refusals.warn(
        { address: request.socket.remoteAddress, why: refusal.why },
        'handshake refused',
      )
      // Half a connection would stay as long as the other side likes.
      socket.once('finish', () => socket.destroy())
      socket.end(refusalText(refusal))
      return
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#connected(webSocket, request.socket)
    })
  }

  #connected(webSocket: WebSocket, stream: Socket): void {
    this.#lastId += 1
    const id = this.#lastId as ConnectionId
    const isFull = this.#sockets.size >= this.#policy.connectionsMax
    const events = isFull ? 'tooManyConnections' : this.#accept(id, stream.remoteAddress ?? '')
    if (typeof events === 'string') {
      const nobody = { frame() {}, congested() {}, lost() {}, refused() {} }
      const refused = new ClientSocket(webSocket, stream, this.#bounds, nobody)
      return leave(refused, events)
    }
    const socket = new ClientSocket(webSocket, stream, this.#bounds, {
      ...events,
      lost: () => {
        this.#sockets.delete(id)
        events.lost()
        this.#checkEmpty()
      },
    })
    this.#sockets.set(id, socket)
  }
}

const leave = (socket: ClientSocket, reason: CloseReason): void => {
  socket.send([{ frame: 'closing', reason }])
  socket.close(reason)
}

const refusalText = ({ status, why }: { status: number; why: string }): string =>
  [
    `HTTP/1.1 ${status} Refused`,
    'Connection: close',
    'Content-Type: text/plain',
    '',
    `${why}\n`,
  ].join('\r\n')
