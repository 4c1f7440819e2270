import { clientSubprotocol, limits } from '@conclave/protocol'
import { WebSocket } from 'ws'
import type { Connection, ConnectionEvents, Platform, Transport } from './transport.js'

/** How long a server may take to answer the closing of a connection, ms. */
const closeTimeoutMs = 500

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
    let fault: string | null = null
    const lose = (reason: string): void => {
      if (isOver) return
      isOver = true
      events.lost(fault ?? reason)
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
    socket.on('error', (error) => {
      fault ??= error.message === '' ? String((error as { code?: unknown }).code) : error.message
    })
    socket.on('close', (code, reason) => {
      const why = reason.length > 0 ? `: ${reason.toString()}` : ''
      lose(`the connection was closed (${code}${why})`)
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
  transport: wsTransport,
  nowMs: () => performance.now(),
  randomBytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)),
  timer(afterMs: number, run: () => void) {
    const timer = setTimeout(run, afterMs)
    return () => clearTimeout(timer)
  },
  defer: (run: () => void) => void setImmediate(run),
})
