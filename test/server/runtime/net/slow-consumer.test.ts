import { EventEmitter } from 'node:events'
import { ClientSocket, type SocketBounds, socketBounds } from '#server/runtime/net/client-socket.js'
import {
  type EventDetail,
  limits,
  type Op,
  type ServerFrame,
  type StreamEvent,
  type StreamPosition,
} from '@conclave/protocol'
import { serverMessages } from '@conclave/protocol/codec'
import t from 'tap'
import type { WebSocket } from 'ws'
import {
  attachRaw,
  createOp,
  existsOp,
  openRaw,
  type RawClient,
} from '../../../support/raw-client.js'
import { captureLog, startTestServer } from '../../../support/server-kit.js'

const watchOp = (from: StreamPosition | null): Op<'watch'> => ({
  op: 'watch',
  streamId: 1,
  path: '/hot',
  recursive: false,
  withDetail: true,
  from,
})

const eventsOf = ({ frames }: RawClient): readonly StreamEvent[] =>
  frames.flatMap((frame) => (frame.frame === 'streamEvents' ? frame.events : []))

t.test('STREAM-15 WIRE-11 who never reads is closed and resumes without loss', async (t) => {
  const captured = captureLog()
  const { log } = captured
  const server = await startTestServer(t, { log, historyBytesMax: 0 })
  const writer = await attachRaw(t, server.clientPort)
  await writer.result(createOp('/hot'))
  const nonce = new Uint8Array(16).fill(5)
  const reader = await attachRaw(t, server.clientPort, { nonce })
  const { position } = await reader.result(watchOp(null))
  reader.socket.pause()
  let isClosed = false
  const closing = captured.next(({ why }) => /does not read/.test(String(why)))
  void closing.then(() => (isClosed = true))
  const data = new Uint8Array(limits.dataBytesMax)
  let version = 0
  const write = async (): Promise<void> => {
    await writer.result({ op: 'setData', path: '/hot', data, version: -1 })
    version += 1
  }
  while (!isClosed) await write()
  reader.socket.resume()
  await write()
  t.strictSame(await reader.closed, { code: 4408, reason: 'slowConsumer' })
  t.strictSame(reader.frames.at(-1), { frame: 'closing', reason: 'slowConsumer' })
  const before = eventsOf(reader)
  t.ok(before.length < version, 'what came behind the bound was not kept for it')
  const { sessionId, ensembleId } = reader.connected
  const again = await attachRaw(t, server.clientPort, { nonce, sessionId, ensembleId, attach: 2 })
  const last = before.at(-1)
  const from = last === undefined ? position : { ...position, zxid: last.zxid, index: last.index }
  void again.ask(watchOp(from))
  await again.next('streamCaughtUp')
  const versions = [...before, ...eventsOf(again)].map(
    ({ detail }) => (detail as EventDetail).version,
  )
  t.strictSame(
    versions,
    Array.from({ length: version }, (_, i) => i + 1),
  )
  t.notOk(again.frames.some(({ frame }) => frame === 'streamGap'))
})

/** Takes everything and delivers nothing. */
class DeafSocket extends EventEmitter {
  bufferedAmount = 0
  bytesRead = 0
  isGone = false
  isPaused = false
  closedWith: number | null = null
  readonly sent: ServerFrame[] = []

  send(message: Uint8Array): void {
    if (this.closedWith !== null) throw new Error('sent after the close')
    this.bufferedAmount += message.length
    this.sent.push(...serverMessages.decode(message))
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  close(code: number): void {
    this.closedWith = code
  }

  terminate(): void {
    this.isGone = true
    this.emit('close')
  }
}

const replyOf = (bytes: number): ServerFrame => ({
  frame: 'reply',
  xid: 1 as never,
  zxid: 1 as never,
  failure: null,
  result: new Uint8Array(bytes),
})

const nobody = { frame() {}, congested() {}, lost() {}, refused() {} }

const deafCrowd = (
  count: number,
  bounds: SocketBounds,
): readonly (readonly [DeafSocket, ClientSocket])[] =>
  Array.from({ length: count }, () => {
    const deaf = new DeafSocket()
    return [deaf, new ClientSocket(deaf as unknown as WebSocket, deaf, bounds, nobody)] as const
  })

t.test(
  'LIMIT-15 what nobody reads is bounded in all, and costs those that hold most',
  async (t) => {
    const bounds = socketBounds()
    const crowd = deafCrowd(100, bounds)
    const [[reading, reader]] = deafCrowd(1, bounds) as [(typeof crowd)[0]]
    for (let round = 0; round < 7; round++) {
      for (const [, socket] of crowd) socket.send([replyOf(1_000_000)])
      reader.send([replyOf(10)])
    }
    const alive = crowd.filter(([deaf]) => !deaf.isGone)
    const held = alive.reduce((sum, [deaf]) => sum + deaf.bufferedAmount, 0)
    t.ok(held <= limits.outboxBytesPerServerMax)
    t.equal(bounds.unread.bytes, held + reading.bufferedAmount)
    t.ok(alive.length > 0 && alive.length < 100)
    t.notOk(reading.isGone, 'who holds little stays')
    for (const [deaf] of alive) deaf.emit('close')
    t.equal(bounds.unread.bytes, reading.bufferedAmount, 'nothing is left of who has gone')
  },
)

t.test('LIMIT-15 messages that do not end are bounded in all', async (t) => {
  const bounds = socketBounds()
  const crowd = deafCrowd(400, bounds)
  const honest = crowd.at(-1)?.[0]
  for (let round = 0; round < 16; round++) {
    for (const [deaf] of crowd) {
      deaf.bytesRead += deaf === honest ? 1_000_000 : 65_536
      if (deaf === honest) deaf.emit('message', Buffer.of(0x90), true)
      deaf.emit('data')
    }
  }
  const alive = crowd.filter(([deaf]) => !deaf.isGone)
  t.ok(bounds.unfinished.bytes <= limits.unfinishedBytesPerServerMax)
  t.ok(alive.length > 1 && alive.length < 400)
  t.equal(honest?.isGone, false, 'who ends messages stays')
})

t.test('STREAM-15 what is buffered for one connection is bounded', async (t) => {
  const deaf = new DeafSocket()
  const congested: boolean[] = []
  const socket = new ClientSocket(deaf as unknown as WebSocket, deaf, socketBounds(), {
    frame() {},
    lost() {},
    refused() {},
    congested: (is) => congested.push(is),
  })
  const frame = replyOf(524_288)
  socket.send([frame])
  t.notOk(deaf.isPaused)
  for (let i = 0; i < 2; i++) socket.send([frame])
  t.ok(deaf.isPaused, 'past the soft bound nothing more is read from it')
  for (let i = 0; i < 100; i++) socket.send([frame])
  t.equal(deaf.closedWith, 4408)
  t.ok(deaf.bufferedAmount < limits.outboxBytesHard + 2 * 524_288)
  t.strictSame(congested, [true])
})

t.test('SERVER-5 pings are answered, but not without end to who does not read', async (t) => {
  const { clientPort } = await startTestServer(t)
  const witness = await attachRaw(t, clientPort)
  const client = await openRaw(t, clientPort)
  const ponged = new Promise((resolve) => client.socket.once('pong', resolve))
  client.socket.ping('hello')
  t.equal(String(await ponged), 'hello')
  client.socket.pause()
  const payload = new Uint8Array(125)
  let isOver = false
  void client.closed.then(() => (isOver = true))
  const flood = (): void => {
    if (isOver) return
    for (let i = 0; i < 200; i++) client.socket.ping(payload, true, () => undefined)
    client.socket.ping(payload, true, () => setImmediate(flood))
  }
  flood()
  await client.closed
  t.equal((await witness.ask(existsOp('/'))).failure, null)
})
