import { once } from 'node:events'
import { get } from 'node:http'
import { connect as dial, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { attachRaw, existsOp, handshakeStatus, openRaw } from '../../../support/raw-client.js'
import { startTestServer } from '../../../support/server-kit.js'

const tcp = (t: Test, port: number): Socket => {
  const socket = dial({ host: '127.0.0.1', port, allowHalfOpen: true })
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  return socket
}

/** All that came until the server ended its half. */
const textOf = async (socket: Socket): Promise<string> => {
  let text = ''
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
  await once(socket, 'end')
  return text
}

t.test('WIRE-13 only the subprotocol conclave.v1 is let in', async (t) => {
  const { clientPort } = await startTestServer(t)
  const cases: readonly (readonly [string, number])[] = [
    ['conclave.v1', 101],
    ['conclave.v2', 400],
    ['conclave.v11', 400],
    ['chat', 400],
  ]
  for (const [subprotocol, status] of cases) {
    t.equal((await handshakeStatus(clientPort, { subprotocol })).status, status, subprotocol)
  }
  const request = get({
    port: clientPort,
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    },
  })
  const [response] = (await once(request, 'response')) as [{ statusCode: number; resume(): void }]
  response.resume()
  t.equal(response.statusCode, 400, 'none at all')
})

t.test('WIRE-13 compression is never agreed to', async (t) => {
  const { clientPort } = await startTestServer(t)
  const client = await openRaw(t, clientPort, { perMessageDeflate: true })
  t.equal(client.socket.protocol, 'conclave.v1')
  t.equal(client.socket.extensions, '')
})

t.test('WIRE-14 a page may connect only when its origin is listed', async (t) => {
  const { clientPort } = await startTestServer(t, { allowOrigins: ['https://console.example'] })
  const cases: readonly (readonly [string | undefined, number])[] = [
    [undefined, 101],
    ['https://console.example', 101],
    ['https://console.example.evil.example', 403],
    ['http://console.example', 403],
    ['https://evil.example', 403],
    ['null', 403],
  ]
  for (const [origin, status] of cases) {
    const options = origin === undefined ? {} : { origin }
    t.equal((await handshakeStatus(clientPort, options)).status, status, origin ?? 'none')
  }
})

t.test('WIRE-15 a host that is no name of the server is refused', async (t) => {
  const { clientPort } = await startTestServer(t, { hosts: ['Conclave.Example'] })
  const cases: readonly (readonly [string, number])[] = [
    ['127.0.0.1', 101],
    [`127.0.0.1:${clientPort}`, 101],
    ['localhost:1', 101],
    ['LOCALHOST', 101],
    ['[::1]:7400', 101],
    ['conclave.example:7400', 101],
    ['evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['localhost.evil.example', 421],
    ['evil@localhost', 421],
    ['[localhost]', 421],
    ['::1', 421],
  ]
  for (const [host, status] of cases) {
    t.equal((await handshakeStatus(clientPort, { headers: { host } })).status, status, host)
  }
})

t.test('SERVER-1 a request that is no handshake is told to upgrade', async (t) => {
  const { clientPort } = await startTestServer(t)
  const witness = await attachRaw(t, clientPort)
  for (const method of ['GET', 'POST']) {
    const socket = tcp(t, clientPort)
    socket.end(`${method} /admin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n`)
    const text = await textOf(socket)
    t.match(text, /^HTTP\/1\.1 426 [^]*conclave\.v1/, method)
  }
  t.equal((await witness.ask(existsOp('/'))).failure, null)
})

t.test('SERVER-2 a handshake of more than 8 KiB of headers is refused', async (t) => {
  const { clientPort } = await startTestServer(t)
  const refused = await handshakeStatus(clientPort, { headers: { padding: 'x'.repeat(8_192) } })
  t.equal(refused.status, 431)
  const accepted = await handshakeStatus(clientPort, { headers: { padding: 'x'.repeat(7_500) } })
  t.equal(accepted.status, 101)
})

t.test('SERVER-3 a refused handshake leaves no half of a connection', async (t) => {
  const { clientPort } = await startTestServer(t)
  const socket = tcp(t, clientPort)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(
    'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n',
  )
  socket.write('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
  t.match(await textOf(socket), /^HTTP\/1\.1 421 /)
  // This half stays open: only a server that let go of the other one answers it with a reset.
  const more = (): void => {
    if (!socket.destroyed) socket.write('x', () => setImmediate(more))
  }
  more()
  await closed
})

t.test('LIMIT-6 SERVER-4 who does not come to the point in 5,000 ms is closed', async (t) => {
  const { clientPort } = await startTestServer(t)
  const silent = await openRaw(t, clientPort)
  const drip = tcp(t, clientPort)
  drip.write('GET / HTTP/1.1\r\nHost: 127.')
  const nothing = tcp(t, clientPort)
  const witness = await attachRaw(t, clientPort)
  const [{ code }] = await Promise.all([silent.closed, textOf(drip), textOf(nothing)])
  t.equal(code, 4407)
  t.strictSame(silent.frames, [{ frame: 'closing', reason: 'timeout' }])
  t.equal((await witness.ask(existsOp('/'))).failure, null, 'who has connected stays')
})
