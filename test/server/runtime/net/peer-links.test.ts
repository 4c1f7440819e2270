import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { mock } from 'node:test'
import { inspect } from 'node:util'
import { type Epoch, limits, type ServerId, type Zxid, Secret } from '@conclave/protocol'
import type { GreetingFrame, PeerFrame, PeerRefusal } from '@conclave/protocol/peer'
import { proofOf, serversHash } from '#server/runtime/net/peer-identity.js'
import { PeerLink } from '#server/runtime/net/peer-link.js'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import {
  goodSecret,
  greetings,
  listOf,
  peerHost,
  type PeerChanges,
  RawPeer,
  startPeer,
  type TestPeer,
} from '../../../support/peer-kit.js'
import type { LogLine } from '../../../support/server-kit.js'

const commit = (zxid: number): PeerFrame => ({
  frame: 'commit',
  epoch: 1 as Epoch,
  join: 1,
  zxid: zxid as Zxid,
})

/** Server 1 listens, server 2 dials it. */
const pair = async (
  t: Test,
  ofOne: PeerChanges = {},
  ofTwo: PeerChanges = {},
): Promise<{ readonly one: TestPeer; readonly two: TestPeer }> => {
  const one = await startPeer(t, 1, ofOne)
  const two = await startPeer(t, 2, { servers: listOf(one.port, 1, 1), ...ofTwo })
  return { one, two }
}

t.test('PEER-1 the server with the higher id dials, and both have one link', async (t) => {
  const { one, two } = await pair(t)
  await Promise.all([
    one.host.until(() => one.host.opens.length === 1),
    two.host.until(() => two.host.opens.length === 1),
  ])
  t.equal(one.host.opens[0]?.peer, 2)
  t.equal(two.host.opens[0]?.peer, 1)
  t.equal(one.links.size, 1)
  t.equal(two.links.size, 1)
})

t.test('PEER-1 a link that is lost is opened again, under another number', async (t) => {
  const { one, two } = await pair(t)
  await one.host.until(() => one.host.opens.length === 1)
  one.links.detach()
  await two.host.until(() => two.host.losses.length === 1)
  t.strictSame(two.host.losses, two.host.opens, 'that link is the one that was lost')
  one.links.attach(one.host)
  await two.host.until(() => two.host.opens.length === 2)
  t.not(two.host.opens[0]?.link, two.host.opens[1]?.link)
})

t.test('PEER-2 each side knows that the other one knows the secret', async (t) => {
  const { port } = await startPeer(t, 1)
  const peer = RawPeer.open(t, port)
  const hello = await peer.greet()
  const greeting = await peer.next('greeting')
  const { proof } = await peer.next('accepted')
  const expected = proofOf('dialled', new Secret(goodSecret), greeting, hello)
  t.ok(Buffer.from(expected).equals(proof))
  t.notOk(Buffer.from(expected).equals(hello.proof), 'one proof is not the other')
  const one = proofOf('dialler', new Secret(goodSecret), greeting, hello)
  for (const changed of [
    { ...hello, from: 2 as ServerId },
    { ...hello, to: 2 as ServerId },
    { ...hello, version: 2 },
    { ...hello, ensembleId: 'other' },
    { ...hello, challenge: greeting.challenge },
    { ...hello, serversHash: greeting.challenge },
  ]) {
    t.notSame(proofOf('dialler', new Secret(goodSecret), greeting, changed), one)
  }
})

t.test('PEER-2 whoever does not know the secret is given no proof', async (t) => {
  const { port, host } = await startPeer(t, 1)
  const peer = RawPeer.open(t, port)
  await peer.greet({}, 'another secret of many letters')
  await peer.closed
  t.strictSame(peer.said[1], { frame: 'refused', reason: 'wrongSecret' })
  t.equal(host.opens.length, 0)
})

t.test('PEER-2 an impostor who gives back the proof that he got is left', async (t) => {
  const impostor = new WebSocketServer({ host: peerHost, port: 0 })
  t.teardown(() => impostor.close())
  const said: GreetingFrame[] = []
  impostor.on('connection', (socket) => {
    const challenge = new Uint8Array(limits.peerChallengeBytes)
    const introduction = { version: 1, from: 1 as ServerId, challenge, ensembleId: null }
    const serversHashOfOthers = new Uint8Array(32)
    socket.send(
      greetings.encode([{ frame: 'greeting', ...introduction, serversHash: serversHashOfOthers }]),
    )
    socket.on('message', (data) => {
      const [frame] = greetings.decode(data as Buffer)
      if (frame === undefined) return
      said.push(frame)
      if (frame.frame !== 'hello') return
      socket.send(greetings.encode([{ frame: 'accepted', proof: frame.proof }]))
    })
  })
  await once(impostor, 'listening')
  const { port } = impostor.address() as AddressInfo
  const two = await startPeer(t, 2, { servers: listOf(port, 1, 1) })
  t.match(await two.log.next(({ level }) => level === 40), { why: /different secrets/ })
  t.equal(two.host.opens.length, 0)
})

t.test('PEER-3 a hello that was recorded proves nothing on another connection', async (t) => {
  const { port, host } = await startPeer(t, 1)
  const first = RawPeer.open(t, port)
  const recorded = await first.greet()
  await first.next('accepted')
  first.socket.terminate()
  await host.until(() => host.losses.length === 1)
  const second = RawPeer.open(t, port)
  await second.greet(recorded)
  await second.closed
  t.strictSame(second.said[1], { frame: 'refused', reason: 'wrongSecret' })
  t.equal(host.opens.length, 1)
})

const refusals: readonly (readonly [PeerRefusal, PeerChanges, PeerChanges])[] = [
  ['wrongSecret', {}, { secret: 'another secret of many letters' }],
  ['otherServers', {}, { servers: [] }],
  ['otherEnsemble', { ensembleId: 'a' }, { ensembleId: 'b' }],
]
for (const [reason, ofOne, ofTwo] of refusals) {
  t.test(`PEER-4 ${reason} is said in the logs of both`, async (t) => {
    const one = await startPeer(t, 1, ofOne)
    const list = listOf(one.port, 1, 1)
    const servers = reason === 'otherServers' ? list.slice(0, 2) : list
    const two = await startPeer(t, 2, { ...ofTwo, servers })
    const sentence = sentences[reason]
    const isIt = ({ why }: LogLine): boolean =>
      typeof why === 'string' && why.includes(sentence ?? '')
    t.match(await one.log.next(isIt), { peer: 2, why: sentence, level: 40 })
    t.match(await two.log.next(isIt), { peer: 1, why: `the other server refuses: ${sentence}` })
    t.equal(one.links.size + two.links.size, 0)
  })
}

const sentences: Partial<Record<PeerRefusal, string>> = {
  wrongSecret: 'the two servers have different secrets',
  otherServers: 'the two servers have different lists of servers',
  otherEnsemble: 'the two servers hold the data of different ensembles',
}

t.test('PEER-4 the hash is of ids and roles in any order, not of addresses', async (t) => {
  const [one, two] = listOf(7501, 7502)
  if (one === undefined || two === undefined) throw new Error('two servers')
  const hash = serversHash([one, two])
  t.strictSame(serversHash([two, { ...one, host: 'elsewhere' } as typeof one]), hash)
  t.notSame(serversHash([one, { ...two, role: 'observer' }]), hash)
  t.notSame(serversHash([one, { ...two, id: 3 }]), hash)
})

t.test('PEER-5 a server that knows of no ensemble is let in, and lets in', async (t) => {
  for (const [a, b] of [
    ['x', null],
    [null, 'x'],
    ['x', 'x'],
  ] as const) {
    const { one } = await pair(t, { ensembleId: a }, { ensembleId: b })
    await one.host.until(() => one.host.opens.length === 1)
  }
})

t.test('PEER-6 a live server keeps its link against a second one of its id', async (t) => {
  const { port, host, links, log } = await startPeer(t, 1)
  const first = await RawPeer.linked(t, port)
  const second = RawPeer.open(t, port)
  await second.greet()
  await second.closed
  t.strictSame(second.said[1], { frame: 'refused', reason: 'duplicateId' })
  t.match(await log.next(({ why }) => why !== undefined), { peer: 3, why: /live server/ })
  t.equal(links.size, 1)
  t.equal(host.losses.length, 0)
  first.send(commit(1))
  await host.until(() => host.frames.length === 1)
})

t.test('PEER-6 a connection that does not answer gives way', async (t) => {
  const { port, host, links } = await startPeer(t, 1)
  const first = await RawPeer.linked(t, port)
  // It reads nothing any more, and so answers nothing.
  first.socket.pause()
  await RawPeer.linked(t, port)
  t.strictSame(host.losses, host.opens.slice(0, 1))
  t.equal(links.size, 1)
})

t.test('PEER-8 what is sent arrives whole and in order, in pieces of a message each', async (t) => {
  const { one, two } = await pair(t)
  await one.host.until(() => one.host.opens.length === 1)
  await two.host.until(() => two.host.opens.length === 1)
  const [{ link } = { link: 0 as never }] = two.host.opens
  const why = 'x'.repeat(1_000)
  const large = Array.from({ length: 5_000 }, (_, join): PeerFrame => {
    return { frame: 'refused', epoch: 1 as Epoch, join, why }
  })
  two.links.send(1 as ServerId, link, large)
  await one.host.until(() => one.host.frames.length === large.length)
  t.strictSame(one.host.frames, large)
  two.links.send(1 as ServerId, (link + 1) as typeof link, [commit(1)])
  two.links.send(1 as ServerId, link, [commit(2)])
  await one.host.until(() => one.host.frames.length > large.length)
  const later = one.host.frames.slice(large.length)
  t.strictSame(later, [commit(2)], 'nothing is sent on a link of another number')
})

/** A socket that does nothing by itself. */
const stillSocket = () => {
  const emitter = new EventEmitter()
  const sent: Uint8Array[] = []
  const calls = { pings: 0, closes: 0 }
  const socket = Object.assign(emitter, {
    bufferedAmount: 0,
    ping: () => void (calls.pings += 1),
    close: () => void (calls.closes += 1),
    terminate() {},
    send: (message: Uint8Array) => void sent.push(message),
  })
  const stream = Object.assign(new EventEmitter(), { bytesRead: 0 })
  const lost: string[] = []
  const events = { frame() {}, lost: (why: string) => void lost.push(why) }
  const link = new PeerLink(socket as unknown as WebSocket, stream, events)
  return { link, socket, stream, sent, calls, lost }
}

t.test('PEER-8 no message is larger than 256 KiB but for one frame that is', async (t) => {
  const { link, sent } = stillSocket()
  t.teardown(() => link.close('the test ends'))
  const frameOf = (size: number): PeerFrame => {
    return { frame: 'refused', epoch: 1 as Epoch, join: 1, why: 'x'.repeat(size) }
  }
  link.send(Array.from({ length: 5_000 }, () => frameOf(200)))
  t.ok(sent.length > 1)
  t.ok(sent.every(({ length }) => length <= limits.peerMessageBytes))
  sent.splice(0)
  link.send([frameOf(10), frameOf(limits.peerMessageBytes), frameOf(10)])
  t.strictSame(
    sent.map(({ length }) => length > limits.peerMessageBytes),
    [false, true, false],
  )
})

t.test('PEER-9 a link without a sound for 3,000 ms is closed, after pings', async (t) => {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { stream, calls, lost } = stillSocket()
  for (let beat = 0; beat < 100; beat++) {
    mock.timers.tick(limits.heartbeatMs)
    stream.emit('data')
  }
  t.strictSame(lost, [])
  mock.timers.tick(limits.heartbeatMs)
  const before = calls.pings
  mock.timers.tick(limits.peerSilenceMsMax - limits.heartbeatMs)
  t.strictSame(lost, [])
  t.ok(calls.pings > before, 'it was asked')
  mock.timers.tick(limits.heartbeatMs)
  t.match(lost, [/nothing was heard of it for 3000 ms/])
  t.equal(calls.closes, 1)
})

t.test('PEER-9 a link over which 64 MiB pile up is closed', async (t) => {
  const { link, socket, calls, lost } = stillSocket()
  socket.bufferedAmount = limits.peerOutboxBytesMax
  link.send([commit(1)])
  t.strictSame(lost, [])
  socket.bufferedAmount += 1
  link.send([commit(2)])
  link.send([commit(3)])
  t.match(lost, [/does not read/])
  t.equal(calls.closes, 1)
})

t.test('PEER-11 a secret is not seen, whichever way it is printed', async (t) => {
  const secret = new Secret('canary-secret')
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => void lines.push(line) })
  log.info({ secret, deep: { secret } }, `it is ${String(secret)}`)
  const printed = [String(secret), JSON.stringify({ secret }), inspect({ secret }), ...lines]
  for (const text of printed) {
    t.notMatch(text, /canary/)
    t.match(text, /\*\*\*/)
  }
  t.equal(secret.reveal(), 'canary-secret')
})
