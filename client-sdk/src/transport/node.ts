import { clientSubprotocol, limits } from '@conclave/protocol'
import { WebSocket } from 'ws'
import { standardPlace } from './standard.js'
import {
  type Connection,
  type ConnectionEvents,
  type Platform,
  tooLargeCode,
  type Transport,
} from './transport.js'

/** How long a server may take to answer the closing of a connection, ms. */
const closeTimeoutMs = 500

/** What `ws` calls a message over `maxPayload`. */
const overPayloadCode = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

/** WebSocket over TCP by the package `ws`. */
const wsTransport: Transport = {
  open(server: string, events: ConnectionEvents): Connection {
    const socket = new WebSocket(`ws://${server}/`, clientSubprotocol, {
      perMessageDeflate: false,
      // Twice what one message needs: servers split at about the limit, not to the byte.
      maxPayload: limits.frameBytesMax * 2,
      skipUTF8Validation: true,
    })
    let isOver = false
    const lose = (reason: string, isTooLarge = false): void => {
      if (isOver) return
      isOver = true
      events.lost(reason, isTooLarge)
      socket.terminate()
    }
    socket.on('open', () => {
      if (!isOver) events.opened()
    })
    socket.on('message', (data, isBinary) => {
      if (isOver) return
      if (isBinary) events.message(data as Buffer)
      else lose('the server sent text')
    })
    // An HTTP server that is none of ours, or one of ours that says why it refuses this client.
    socket.on('unexpected-response', (_request, response) => {
      const refusal = `HTTP ${response.statusCode} where a Conclave server was expected`
      response.once('data', (body: Buffer) => {
        const [line = ''] = body.toString('latin1', 0, 120).split('\n')
        lose(`${refusal}: ${line}`)
      })
      response.once('close', () => lose(refusal))
      response.resume()
    })
    socket.on('error', ({ message, code }: NodeJS.ErrnoException) => {
      lose(message === '' ? String(code) : message, code === overPayloadCode)
    })
    socket.on('close', (code, reason) => {
      const why = reason.length > 0 ? `: ${reason.toString()}` : ''
      lose(`the connection was closed (${code}${why})`, code === tooLargeCode)
    })
    return {
      send(message) {
        if (!isOver && socket.readyState === WebSocket.OPEN) socket.send(message)
      },
      close() {
        if (isOver) return
        isOver = true
        if (socket.readyState !== WebSocket.OPEN) return socket.terminate()
        socket.close(1000)
        // The socket itself keeps the process alive until one of the two has happened.
        setTimeout(() => socket.terminate(), closeTimeoutMs).unref()
      },
    }
  },
}

export const nodePlatform: Platform = Object.freeze({
  ...standardPlace,
  transport: wsTransport,
  defer: (run: () => void) => void setImmediate(run),
})
