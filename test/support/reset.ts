import type { Socket } from 'node:net'

/**
 * RST in place of FIN, for a socket that has not ended its half yet: one that has can only be
 * closed, and Node would keep its handle for ever.
 */
export const reset = (socket: Socket): void => {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
