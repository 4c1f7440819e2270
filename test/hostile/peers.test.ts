import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type Epoch, limits, type ServerId, type Zxid } from '@conclave/protocol'
import type { GreetingFrameOf, PeerFrame, PeerRefusal } from '@conclave/protocol/peer'
import { startOn } from '#server/running-server.js'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { goodSecret, peerHost, RawPeer, startPeer, type TestPeer } from '../support/peer-kit.js'
import { captureLog, tempDirectory } from '../support/server-kit.js'

/** It still lets a server in that does everything right. */
const stillWorks = async (t: Test, { port, links }: TestPeer): Promise<void> => {
  const peer = await RawPeer.linked(t, port, { from: 2 as ServerId })
  t.equal(links.size, 1)
  peer.socket.terminate()
}

const target = await startPeer(t, 1, { ensembleId: 'mine' })

type Hello = GreetingFrameOf<'hello'>
const badHellos: readonly (readonly [string, Partial<Hello>, PeerRefusal])[] = [
  ['an unknown id', { from: 200 as ServerId }, 'unknownId'],
  ['no id', { from: 0 as ServerId }, 'unknownId'],
  ['the own id', { from: 1 as ServerId }, 'ownId'],
  ['another server', { to: 2 as ServerId }, 'wrongServer'],
  ['another ensemble', { ensembleId: 'theirs' }, 'otherEnsemble'],
  ['another list', { serversHash: new Uint8Array(32) }, 'otherServers'],
  ['another version', { version: 2 }, 'otherVersion'],
  ['a proof of nothing', { proof: new Uint8Array(32) }, 'wrongSecret'],
]
for (const [name, changes, reason] of badHellos) {
  t.test(`PEER-4 a hello of ${name} is refused`, async (t) => {
    const peer = RawPeer.open(t, target.port)
    await peer.greet(changes)
    t.equal(await peer.closed, 4_400)
    t.strictSame(peer.said[1], { frame: 'refused', reason })
    await stillWorks(t, target)
  })
}

t.test('PEER-4 a server with a lower id does not dial', async (t) => {
  const two = await startPeer(t, 2)
  const peer = RawPeer.open(t, two.port)
  await peer.greet({ from: 1 as ServerId })
  t.equal((await peer.next('refused')).reason, 'wrongDirection')
})

const hello = (...fields: readonly unknown[]): unknown => [[2, ...fields]]
const bytes = new Uint8Array(32)
const malformed: readonly (readonly [string, unknown])[] = [
  ['without an ensemble id', hello(1, 3, bytes, bytes, 1, bytes)],
  ['without a proof', hello(1, 3, bytes, null, bytes, 1)],
  ['with nil for an id', hello(1, null, bytes, null, bytes, 1, bytes)],
  ['with nil for a proof', hello(1, 3, bytes, null, bytes, 1, null)],
  ['with a short challenge', hello(1, 3, new Uint8Array(31), null, bytes, 1, bytes)],
  ['with an empty proof', hello(1, 3, bytes, null, bytes, 1, new Uint8Array())],
  ['that is a greeting', [[1, 1, 3, bytes, null, bytes]]],
  ['that is an acceptance', [[3, bytes]]],
  ['that is a peer frame', [[13, 1, 1, 1, 1]]],
  ['that is no array', 'hello'],
]
for (const [name, value] of malformed) {
  t.test(`PEER-7 a hello ${name} is refused`, async (t) => {
    const peer = RawPeer.open(t, target.port)
    await peer.next('greeting')
    peer.sendValue(value)
    t.equal(await peer.closed, 4_400)
    t.strictSame(peer.said[1], { frame: 'refused', reason: 'malformed' })
    await stillWorks(t, target)
  })
}

t.test('PEER-7 garbage and texts instead of a hello are refused', async (t) => {
  for (const data of ['hello', Buffer.from([0xc1]), Buffer.alloc(0)]) {
    const peer = RawPeer.open(t, target.port)
    await peer.next('greeting')
    peer.socket.send(data)
    t.equal(await peer.closed, 4_400)
  }
  await stillWorks(t, target)
})

t.test('PEER-7 whoever says too much before a proof is cut off', async (t) => {
  const peer = RawPeer.open(t, target.port)
  await peer.next('greeting')
  const stream = (peer.socket as unknown as { readonly _socket: Socket })._socket
  // A message that never ends, of a length that a peer may send.
  stream.write(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4]))
  stream.write(Buffer.alloc(2 * (limits.peerHandshakeBytesMax + 8_192)))
  await peer.closed
  t.ok(target.log.lines.some(({ why }) => /said too much/.test(String(why))))
  await stillWorks(t, target)
})

t.test('PEER-7 only so many may try at one time', async (t) => {
  const crowd: RawPeer[] = []
  for (let i = 0; i < limits.peerHandshakesMax; i++) {
    const peer = RawPeer.open(t, target.port)
    await peer.next('greeting')
    crowd.push(peer)
  }
  const late = RawPeer.open(t, target.port)
  await late.closed
  t.strictSame(late.said, [])
  crowd[0]?.socket.terminate()
  await target.log.next(({ why }) => /connection was closed/.test(String(why)))
  await stillWorks(t, target)
})

t.test('PEER-7 browsers and clients have no business on the peer port', async (t) => {
  const open = async (subprotocol: string, origin?: string): Promise<string> => {
    const headers = origin === undefined ? {} : { origin }
    const socket = new WebSocket(`ws://${peerHost}:${target.port}`, subprotocol, { headers })
    const [error] = (await once(socket, 'error')) as [Error]
    return error.message
  }
  t.match(await open('conclave.v1'), /400/)
  t.match(await open('conclave-peer.v1', 'https://evil.example'), /400/)
})

const frames: readonly (readonly [string, unknown])[] = [
  ['an epoch out of bounds', [[13, limits.epochMax + 1, 1, 1, 1]]],
  ['a zxid out of bounds', [[12, 1, 1, limits.zxidMax + 1]]],
  ['a field too few', [[12, 1, 1]]],
  ['an unknown frame', [[99]]],
  ['a map', [{ a: 1 }]],
  ['a float', [[12, 1, 1, 1.5]]],
]
for (const [name, value] of frames) {
  t.test(`PEER-10 ${name} closes the link and nothing else`, async (t) => {
    const peer = await RawPeer.linked(t, target.port, { ensembleId: 'mine' })
    const { length } = target.host.losses
    const good: PeerFrame = { frame: 'commit', epoch: 1 as Epoch, join: 1, zxid: 1 as Zxid }
    peer.send(good)
    peer.sendValue(value)
    t.equal(await peer.closed, 4_401)
    t.equal(target.host.losses.length, length + 1)
    t.strictSame(target.host.frames.at(-1), good, 'what came before it counts')
    await stillWorks(t, target)
  })
}

t.test('PEER-10 a frame that says it is 4 GiB long is not waited for', async (t) => {
  const peer = await RawPeer.linked(t, target.port)
  const stream = (peer.socket as unknown as { readonly _socket: Socket })._socket
  stream.write(Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]))
  t.equal(await peer.closed, 1_009)
  await stillWorks(t, target)
})

t.test('PEER-10 a real server goes on whatever a linked peer sends', async (t) => {
  const log = captureLog()
  const port = target.port
  const servers = [1, 2, 3].map((id) => ({
    id,
    host: peerHost,
    clientPort: 20_000 + id,
    peerPort: id === 1 ? 20_010 : port,
    adminPort: 20_020 + id,
  }))
  const server = await startOn(null, {
    serverId: 1,
    servers,
    secret: goodSecret,
    data: tempDirectory(t),
    log: log.log,
  })
  t.teardown(() => server.stop())
  for (const [, value] of frames) {
    const peer = await RawPeer.linked(t, 20_010)
    peer.sendValue(value)
    t.equal(await peer.closed, 4_401)
  }
  const vote: PeerFrame = {
    frame: 'notification',
    epoch: limits.epochMax as Epoch,
    state: 'leading',
    vote: 255 as ServerId,
    currentEpoch: limits.epochMax as Epoch,
    lastZxid: limits.zxidMax as Zxid,
    rejoining: false,
    bootstrap: false,
    hasSpace: true,
  }
  const liar = await RawPeer.linked(t, 20_010)
  liar.send(vote, { ...vote, state: 'looking', vote: 3 as ServerId })
  await liar.until(() => liar.frames.length > 3)
  t.equal(server.status().role, 'looking')
  t.notOk(log.lines.some(({ level }) => level >= 60))
})
