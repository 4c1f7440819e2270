import type { Client, WatchEvent, WatchPosition, WatchStream } from '#client/index.js'
import type { Zxid } from '@conclave/protocol'
import { nodeFiles } from '#server/runtime/storage/node-files.js'
import { inspectLog } from '#server/runtime/storage/index.js'
import t, { type Test } from 'tap'
import { startTestServer, tempDirectory } from '../support/server-kit.js'
import { connectTo, startReal } from './real-kit.js'

/** Sets the data of `/hot` so often, always some at one time. @returns the zxids of it */
const write = async (client: Client, count: number, bytes: number): Promise<readonly number[]> => {
  const zxids: number[] = []
  for (let left = count; left > 0; left -= 100) {
    const stats = await Promise.all(
      Array.from({ length: Math.min(left, 100) }, () => client.set('/hot', new Uint8Array(bytes))),
    )
    zxids.push(...stats.map(({ mzxid }) => mzxid))
  }
  return zxids
}

const positionOf = async (t: Test, client: Client): Promise<WatchPosition> => {
  const stream = client.watch('/hot')
  const { value } = await stream.next()
  t.equal(value?.type, 'caughtUp')
  await stream.return()
  return value?.position as WatchPosition
}

/** All up to the event with this zxid. */
const takeTo = async (stream: WatchStream, zxid: number): Promise<readonly WatchEvent[]> => {
  const taken: WatchEvent[] = []
  for await (const event of stream) {
    taken.push(event)
    if ('zxid' in event && event.zxid === zxid) return taken
  }
  throw new Error('the stream has ended')
}

const zxidsOf = (events: readonly WatchEvent[]): readonly number[] =>
  events.flatMap((event) => ('zxid' in event ? [event.zxid] : []))

t.test('STREAM-18 streams from long ago get every event once, while more come', async (t) => {
  const { server, client } = await startReal(t, { historyBytesMax: 0, segmentBytes: 262_144 })
  await client.create('/hot')
  const from = await positionOf(t, client)
  const zxids = [...(await write(client, 2_000, 4_000))]
  const readers = await Promise.all(Array.from({ length: 5 }, () => connectTo(t, server.url)))
  let isOver = false
  const writing = (async () => {
    while (!isOver) zxids.push(...(await write(client, 100, 1_000)))
  })()
  const streams = readers.map((reader, i) => reader.watch('/hot', { from, detail: i % 2 === 0 }))
  const caughtUp = streams.map(async (stream) => {
    const taken: WatchEvent[] = []
    for (;;) {
      const { value } = await stream.next()
      if (value === undefined) throw new Error('the stream has ended')
      taken.push(value)
      if (value.type === 'caughtUp') return taken
    }
  })
  const before = await Promise.all(caughtUp)
  isOver = true
  await writing
  const last = (await client.set('/hot', null)).mzxid
  zxids.push(last)
  for (const [i, stream] of streams.entries()) {
    const events = [...(before[i] ?? []), ...(await takeTo(stream, last))]
    t.strictSame(zxidsOf(events), zxids)
    t.equal(events.filter(({ type }) => type === 'gap').length, 0)
  }
})

t.test('STREAM-6 a stream from before the log of a server gets one gap', async (t) => {
  const data = tempDirectory(t)
  const options = { data, historyBytesMax: 0, segmentBytes: 65_536, snapshotTxns: 200 }
  const server = await startTestServer(t, options)
  const client = await connectTo(t, server.url)
  await client.create('/hot')
  const from = await positionOf(t, client)
  const zxids = await write(client, 2_000, 2_000)
  await client.close()
  await server.stop()
  let first = 0
  for await (const item of inspectLog(nodeFiles, data)) {
    if (item.item !== 'record') continue
    first = item.position.zxid
    break
  }
  t.ok(first > from.zxid + 1, `the log begins with ${first}`)
  const again = await startTestServer(t, options)
  const reader = await connectTo(t, again.url)
  const to = again.status().zxid
  const stream = reader.watch('/hot', { from })
  const next = reader.watch('/hot', { from: { ...from, zxid: first as Zxid } })
  const { mzxid } = await reader.set('/hot', null)
  const events = await takeTo(stream, mzxid)
  t.same(
    events.map((event) => ('zxid' in event ? event.zxid : event.type)),
    ['gap', 'caughtUp', mzxid],
  )
  t.match(events[0], { from: from.zxid })
  t.ok(events[0]?.type === 'gap' && events[0].to >= to)
  const whole = await takeTo(next, mzxid)
  t.notOk(whole.some(({ type }) => type === 'gap'))
  t.strictSame(zxidsOf(whole), [...zxids.filter((zxid) => zxid > first), mzxid])
})
