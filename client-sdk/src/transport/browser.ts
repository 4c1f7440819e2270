import { clientSubprotocol } from '@conclave/protocol'
import { standardPlace } from './standard.js'
import {
  type Connection,
  type ConnectionEvents,
  type Platform,
  tooLargeCode,
  type Transport,
} from './transport.js'

/** The platform's own WebSocket. It tells no reason why a connection failed. */
const webTransport: Transport = {
  open(server: string, events: ConnectionEvents): Connection {
    const socket = new WebSocket(`ws://${server}/`, clientSubprotocol)
    socket.binaryType = 'arraybuffer'
    let isOver = false
    const lose = (reason: string, code?: number): void => {
      if (isOver) return
      isOver = true
      events.lost(reason, code === tooLargeCode)
      socket.close()
    }
    socket.addEventListener('open', () => {
      if (!isOver) events.opened()
    })
    socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (isOver) return
      if (data instanceof ArrayBuffer) events.message(new Uint8Array(data))
      else lose('the server sent text')
    })
    socket.addEventListener('close', ({ code, reason }) => {
      const why = reason === '' ? '' : `: ${reason}`
      lose(`the connection was closed (${code}${why})`, code)
    })
    return {
      send(message) {
        if (isOver || socket.readyState !== WebSocket.OPEN) return
        socket.send(message as Uint8Array<ArrayBuffer>)
      },
      close() {
        isOver = true
        socket.close(1000)
      },
    }
  },
}

export const browserPlatform: Platform = Object.freeze({
  ...standardPlace,
  transport: webTransport,
  defer: (run: () => void) => queueMicrotask(run),
})
