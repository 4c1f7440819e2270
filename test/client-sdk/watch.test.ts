import type { WatchEvent, WatchPosition } from '#client/index.js'
import type { ServerFrame, StreamPosition, Zxid } from '@conclave/protocol'
import t from 'tap'
import { answer, type FakeServer } from '../support/fake-server.js'
import { isOp, opsOf, rejection, startPair } from './client-kit.js'

const at = (zxid: number, index = 0): StreamPosition => ({
  ensembleId: 'e1',
  zxid: zxid as Zxid,
  index,
})
const answerWatches = (server: FakeServer): void =>
  server.answerWith((op) => {
    if (op.op === 'watch') return answer('watch', { position: op.from ?? at(100) })
    return op.op === 'unwatch' || op.op === 'sync' ? answer(op.op, {}) : null
  })
const events = (streamId: number, ...zxids: readonly number[]): ServerFrame => ({
  frame: 'streamEvents',
  streamId,
  events: zxids.map((zxid) => ({
    type: 'dataChanged',
    zxid: zxid as Zxid,
    index: 0,
    path: '/app/s',
    detail: null,
  })),
})
const watchesOf = (server: FakeServer): unknown =>
  opsOf(server).flatMap((op) => (op.op === 'watch' ? [op.from] : []))

t.test('SDK-47 a stream gives events with relative paths and positions to keep', async (t) => {
  const { server, client } = await startPair(t, '/app')
  answerWatches(server)
  const stream = client.watch('/s', { recursive: true, detail: true })
  t.equal(stream.position, null)
  await server.seen(isOp('watch'))
  server.push(
    {
      frame: 'streamEvents',
      streamId: 1,
      events: [
        {
          type: 'created',
          zxid: 101 as Zxid,
          index: 2,
          path: '/app/s/x',
          detail: {
            data: new Uint8Array([5]),
            czxid: 101 as Zxid,
            mzxid: 101 as Zxid,
            version: 0,
            mtime: 9,
            ephemeralOwner: 0 as never,
          },
        },
      ],
    },
    { frame: 'streamGap', streamId: 1, from: 101 as Zxid, to: 120 as Zxid },
    { frame: 'streamCaughtUp', streamId: 1, zxid: 130 as Zxid },
  )
  const seen: WatchEvent[] = []
  for await (const event of stream) {
    seen.push(event)
    if (event.type === 'caughtUp') break
  }
  t.match(seen, [
    { type: 'created', path: '/s/x', zxid: 101, detail: { data: new Uint8Array([5]) } },
    { type: 'gap', from: 101, to: 120 },
    { type: 'caughtUp' },
  ])
  t.strictSame(
    seen.map((event) => ('path' in event ? event.path : event.type)),
    ['/s/x', 'gap', 'caughtUp'],
  )
  t.strictSame(seen[0]?.position, at(101, 2))
  const kept = JSON.parse(JSON.stringify(seen[0]?.position)) as WatchPosition
  client.watch('/s', { from: kept })
  await server.seen((frame) => isOp('watch')(frame), server.frames.length)
  t.strictSame(watchesOf(server), [null, at(101, 2)])
  t.match(opsOf(server), [
    { op: 'watch', path: '/app/s', recursive: true, withDetail: true },
    { op: 'unwatch', streamId: 1 },
    { op: 'watch', recursive: false, withDetail: false },
  ])
})

t.test('SDK-48 an idle bookmark moves on with every answer, but not past what waits', async (t) => {
  const { server, client } = await startPair(t)
  answerWatches(server)
  const stream = client.watch('/s')
  await server.seen(isOp('watch'))
  server.push({ frame: 'streamCaughtUp', streamId: 1, zxid: 105 as Zxid })
  t.notOk(stream.isCaughtUp)
  t.equal(stream.currentAtMs, null)
  t.match(await stream.next(), { value: { type: 'caughtUp' } })
  t.ok(stream.isCaughtUp)
  const freshAt = stream.currentAtMs ?? Infinity
  t.ok(freshAt <= performance.now())
  server.push(events(1, 110))
  server.push({ frame: 'pong', id: 0, zxid: 150 as Zxid })
  await client.sync()
  t.equal(stream.position?.zxid, 105, 'an event waits')
  t.notOk(stream.isCaughtUp)
  t.equal(stream.currentAtMs, freshAt)
  await stream.next()
  t.equal(stream.position?.zxid, 150)
  t.ok(stream.isCaughtUp)
  await stream.return()
})

t.test('SDK-49 a slow loop stops its stream, which goes on where it stopped', async (t) => {
  const { server, client } = await startPair(t)
  answerWatches(server)
  const stream = client.watch('/s', { bufferEvents: 3 })
  await server.seen(isOp('watch'))
  server.push(events(1, 101, 102), events(1, 103, 104))
  await server.seen(isOp('unwatch'))
  server.push(events(1, 105))
  const zxids: number[] = []
  for await (const event of stream) {
    if (event.type === 'gap' || event.type === 'caughtUp') continue
    zxids.push(event.zxid)
    if (event.zxid === 104) {
      await server.seen((frame) => isOp('watch')(frame), 2)
      server.push(events(2, 105))
    }
    if (event.zxid === 105) break
  }
  t.strictSame(zxids, [101, 102, 103, 104, 105])
  t.strictSame(watchesOf(server), [null, at(104)])
})

t.test('SDK-49 a stream resumes on a new connection', async (t) => {
  const { server, client } = await startPair(t)
  answerWatches(server)
  const stream = client.watch('/s')
  await server.seen(isOp('watch'))
  server.push(events(1, 101))
  await stream.next()
  const before = server.frames.length
  server.cut()
  await server.seen(isOp('watch'), before)
  server.push(events(2, 101, 102))
  t.match(await stream.next(), { value: { zxid: 102 } }, 'nothing twice')
  t.strictSame(watchesOf(server), [null, at(101)])
  await stream.return()
})

t.test(
  'SDK-50 a signal ends a loop with its reason, closing the client ends it quietly',
  async (t) => {
    const { server, client } = await startPair(t)
    answerWatches(server)
    const controller = new AbortController()
    const aborted = client.watch('/s', { signal: controller.signal }).next()
    const reason = new Error('enough')
    controller.abort(reason)
    t.equal(await rejection(aborted), reason)
    const late = client.watch('/s', { signal: controller.signal })
    t.equal(await rejection(late.next()), reason)
    t.strictSame(await late.next(), { done: true, value: undefined })
    const closed = client.watch('/s')
    const next = closed.next()
    await client.close()
    t.strictSame(await next, { done: true, value: undefined })
    t.match(await client.watch('/s').next(), { done: true })
  },
)
