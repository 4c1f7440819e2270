import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { browserPlatform } from '#client/transport/browser.js'

// The same interface as a browser's, which Node has by itself only from version 22 on.
Object.assign(globalThis, { WebSocket })

/** What the transport says of a connection that the other side ends like this. */
const endOf = async (t: Test, end: (socket: WebSocket) => void): Promise<readonly unknown[]> => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => server.close())
  await once(server, 'listening')
  server.on('connection', (socket) => {
    socket.send(Uint8Array.of(1, 2))
    end(socket)
  })
  const { port } = server.address() as AddressInfo
  const told: unknown[] = []
  await new Promise<void>((resolve) => {
    browserPlatform.transport.open(`127.0.0.1:${port}`, {
      opened: () => told.push('opened'),
      message: (message) => told.push([...message]),
      lost: (...why) => {
        told.push(why)
        resolve()
      },
    })
  })
  return told
}

t.test('SDK-70 in a browser, too, a message that is too large is told from a loss', async (t) => {
  const tooLarge = await endOf(t, (socket) => socket.close(1009, 'too large'))
  t.strictSame(tooLarge, ['opened', [1, 2], ['the connection was closed (1009: too large)', true]])
  const closed = await endOf(t, (socket) => socket.close(4503, 'noQuorum'))
  t.strictSame(closed.at(-1), ['the connection was closed (4503: noQuorum)', false])
})

t.test('SDK-70 a text ends a connection in a browser, once', async (t) => {
  const told = await endOf(t, (socket) => socket.send('text'))
  t.strictSame(told, ['opened', [1, 2], ['the server sent text', false]])
})
