import { once } from 'node:events'
import { connect as dial, type Socket } from 'node:net'
import {
  type ClientFrame,
  closeCodes,
  type CloseReason,
  limits,
  type Op,
  type SessionId,
} from '@conclave/protocol'
import { clientMessages } from '@conclave/protocol/codec'
import t, { type Test } from 'tap'
import {
  attachRaw,
  connectFrame,
  createOp,
  existsOp,
  openRaw,
  type RawClient,
  requestFrame,
} from '../../../support/raw-client.js'
import { startTestServer } from '../../../support/server-kit.js'

/** The last word and the close code agree. */
const farewell = async (t: Test, client: RawClient, reason: CloseReason): Promise<void> => {
  const closed = await client.closed
  t.strictSame(closed, { code: closeCodes[reason], reason }, reason)
  t.strictSame(client.frames.at(-1), { frame: 'closing', reason })
}

t.test('LIMIT-3 WIRE-11 one connection too many is closed, the others stay', async (t) => {
  const { clientPort } = await startTestServer(t, { connectionsMax: 2 })
  const first = await attachRaw(t, clientPort)
  const second = await openRaw(t, clientPort)
  const third = await openRaw(t, clientPort)
  await farewell(t, third, 'tooManyConnections')
  t.equal(third.frames.length, 1)
  second.send(connectFrame())
  await second.next('connected')
  t.equal((await first.ask(createOp('/a'))).failure, null)
  first.socket.close()
  await first.closed
  // The server may hear of it later than this client; then a place is free again.
  for (let code = 0; code !== 1000;) {
    const next = await openRaw(t, clientPort)
    next.send(connectFrame())
    const connected = next.next('connected').then(
      () => next.socket.close(1000),
      () => undefined,
    )
    code = (await next.closed).code === 4429 ? 0 : 1000
    await connected
  }
  t.equal((await second.ask(existsOp('/a'))).failure, null)
})

t.test('LIMIT-5 WIRE-12 a message of the limit is acted on, one byte more is not', async (t) => {
  const { clientPort } = await startTestServer(t)
  const witness = await attachRaw(t, clientPort)
  const message = (bytes: number, names: readonly [string, string]): Uint8Array => {
    const frames = (size: number): readonly ClientFrame[] => [
      requestFrame(1, createOp(names[0], new Uint8Array(400_000))),
      requestFrame(2, createOp(names[1], new Uint8Array(size))),
    ]
    const others = clientMessages.encode(frames(100_000)).length - 100_000
    return clientMessages.encode(frames(bytes - others))
  }
  const good = await attachRaw(t, clientPort)
  const full = message(limits.frameBytesMax, ['/a', '/b'])
  t.equal(full.length, limits.frameBytesMax)
  good.socket.send(full)
  t.equal((await good.next('reply', ({ xid }) => xid === 2)).failure, null)
  const bad = await attachRaw(t, clientPort)
  const over = message(limits.frameBytesMax + 1, ['/c', '/d'])
  t.equal(over.length, limits.frameBytesMax + 1)
  bad.socket.send(over)
  t.equal((await bad.closed).code, 1009)
  for (const [path, exists] of [
    ['/a', true],
    ['/b', true],
    ['/c', false],
    ['/d', false],
  ] as const) {
    const { stat } = await witness.result<'exists'>(existsOp(path))
    t.equal(stat !== null, exists, path)
  }
})

t.test('WIRE-3 WIRE-11 a text message and bytes that are no message are refused', async (t) => {
  const { clientPort } = await startTestServer(t)
  const good = clientMessages.encode([connectFrame()])
  const cases: readonly (readonly [string, Uint8Array | string])[] = [
    ['text', 'hello'],
    ['text that would be a message', '\u0090'],
    ['nothing', new Uint8Array(0)],
    ['garbage', new Uint8Array(64).fill(0xc1)],
    ['a message and a byte', Buffer.concat([good, Buffer.of(0xc0)])],
    ['a message without its end', good.subarray(0, -1)],
    ['a value that is no list', Buffer.of(0x05)],
    ['a length beyond the message', Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
  ]
  for (const [name, bytes] of cases) {
    const client = await openRaw(t, clientPort)
    client.socket.send(bytes)
    await farewell(t, client, 'badFrame')
    t.equal(client.frames.length, 1, name)
  }
})

t.test('WIRE-11 every reason is said before the connection is closed with its code', async (t) => {
  const server = await startTestServer(t)
  const { clientPort } = server
  const open = () => openRaw(t, clientPort)
  const badFrame = await open()
  badFrame.send({ frame: 'probe', id: 1 })
  await farewell(t, badFrame, 'badFrame')
  const shortNonce = await open()
  shortNonce.send(connectFrame({ nonce: new Uint8Array(15) }))
  await farewell(t, shortNonce, 'badFrame')
  const badVersion = await open()
  badVersion.send(connectFrame({ version: 99 }))
  await farewell(t, badVersion, 'badVersion')
  const unknown = await open()
  unknown.send(connectFrame({ sessionId: 4_711 as SessionId }))
  await farewell(t, unknown, 'sessionEnded')
  const nonce = new Uint8Array(16).fill(7)
  const older = await attachRaw(t, clientPort, { nonce })
  const { sessionId, ensembleId } = older.connected
  await attachRaw(t, clientPort, { nonce, sessionId, ensembleId, attach: 2 })
  await farewell(t, older, 'sessionMoved')
  const over = await attachRaw(t, clientPort)
  const closeSession: Op = { op: 'closeSession' }
  over.send(requestFrame(1, closeSession))
  await farewell(t, over, 'sessionEnded')
  const last = await attachRaw(t, clientPort)
  await Promise.all([server.stop(), farewell(t, last, 'shutdown')])
})

t.test('WIRE-12 what breaks WebSocket itself costs no other connection anything', async (t) => {
  const { clientPort } = await startTestServer(t)
  const nonce = new Uint8Array(16).fill(9)
  const witness = await attachRaw(t, clientPort, { nonce })
  await witness.result({ ...createOp('/mine'), kind: 'ephemeral' })
  const masked = (first: number, second: number, rest: readonly number[] = []): Buffer =>
    Buffer.from([first, second | 0x80, ...rest, 0, 0, 0, 0])
  const attacks: Readonly<Record<string, Buffer>> = {
    'a frame that is not masked': Buffer.from([0x82, 1, 0x90]),
    'reserved bits': masked(0xf2, 0),
    'an unknown opcode': masked(0x83, 0),
    'a continuation of nothing': masked(0x80, 0),
    'a ping of 126 bytes': masked(0x89, 126, [0, 126]),
    'a ping in pieces': masked(0x09, 0),
    'a length of 2^63': masked(0x82, 127, [0x80, 0, 0, 0, 0, 0, 0, 0]),
    'a close code that nobody may use': Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed]),
    'a million pieces of one byte': Buffer.concat([
      Buffer.from([0x02, 0x80, 0, 0, 0, 0]),
      Buffer.alloc(7_000_000, Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x90])),
    ]),
  }
  for (const [name, bytes] of Object.entries(attacks)) {
    const socket = await upgradedSocket(t, clientPort)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(bytes)
    await closed
    t.equal((await witness.ask(existsOp('/mine'))).failure, null, name)
  }
  for (const bytes of [Buffer.of(0xc1), Buffer.alloc(60_000, Buffer.of(0xdc, 0x27, 0x10))]) {
    const client = await openRaw(t, clientPort)
    client.socket.send(bytes)
    await client.closed
  }
  const { stat } = await witness.result<'exists'>(existsOp('/mine'))
  t.equal(stat?.ephemeralOwner, witness.connected.sessionId)
})

/** A TCP connection that has become a WebSocket, and takes any bytes. */
const upgradedSocket = async (t: Test, port: number): Promise<Socket> => {
  const socket = dial({ host: '127.0.0.1', port })
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  socket.write(
    [
      'GET / HTTP/1.1',
      'Host: 127.0.0.1',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Protocol: conclave.v1',
      '',
      '',
    ].join('\r\n'),
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /)
  socket.resume()
  return socket
}
