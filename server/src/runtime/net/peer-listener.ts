import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { limits, peerSubprotocol } from '@conclave/protocol'
import { type WebSocket, WebSocketServer } from 'ws'

/** What both ends of a link are opened with. */
export const peerSocketOptions = {
  maxPayload: limits.peerMessageBytesMax,
  perMessageDeflate: false,
} as const

/** The peer port: HTTP only as far as it takes to become WebSocket. */
export class PeerListener {
  readonly #http: Server
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    ...peerSocketOptions,
    clientTracking: false,
    handleProtocols: () => peerSubprotocol,
  })
  readonly #connected: (socket: WebSocket, stream: Socket) => void
  readonly #streams = new Set<Duplex>()

  /**
   * @param connectionsMax more are not taken
   * @param connected is given every connection; whoever is behind it has proved nothing yet
   */
  constructor(connectionsMax: number, connected: (socket: WebSocket, stream: Socket) => void) {
    this.#connected = connected
    this.#http = createServer(
      {
        headersTimeout: limits.peerHandshakeMs,
        requestTimeout: limits.peerHandshakeMs,
        connectionsCheckingInterval: 1_000,
        maxHeaderSize: 8_192,
      },
      (_request, response) => {
        response.writeHead(426, { 'content-type': 'text/plain', connection: 'close' })
        response.end('Servers of Conclave speak to each other here.\n')
      },
    )
    this.#http.maxConnections = connectionsMax
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  /** @throws Error of the system (EADDRINUSE, EACCES, ...) */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject)
      this.#http.listen({ host, port }, resolve)
    })
    this.#http.removeAllListeners('error').on('error', () => undefined)
    return (this.#http.address() as AddressInfo).port
  }

  close(): void {
    this.#http.close()
    this.#http.closeAllConnections()
    for (const stream of this.#streams) stream.destroy()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    this.#streams.add(socket)
    socket.once('close', () => this.#streams.delete(socket))
    const { origin, 'sec-websocket-protocol': offered = '' } = request.headers
    // No page of a browser is a server.
    if (origin !== undefined || offered !== peerSubprotocol) {
      socket.once('finish', () => socket.destroy())
      socket.end(
        'HTTP/1.1 400 Refused\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n' +
          `Offer the WebSocket subprotocol ${peerSubprotocol}, and no Origin.\n`,
      )
      return
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#connected(webSocket, request.socket)
    })
  }
}
