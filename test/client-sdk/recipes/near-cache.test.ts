import {
  BadArgumentsError,
  type Client,
  ClosedError,
  json,
  SessionExpiredError,
} from '#client/index.js'
import { NearCache } from '#client/recipes/index.js'
import { failure, type Zxid } from '@conclave/protocol'
import t from 'tap'
import { answer, fakeStat, type FakeServer } from '../../support/fake-server.js'
import { startTestServer, tempDirectory } from '../../support/server-kit.js'
import { isOp, opsOf, rejection, startPair } from '../client-kit.js'
import { connectTo, startReal, StateLog } from '../real-kit.js'
import { CuttingTransport } from './cutting.js'

interface Limit {
  readonly limit: number
}

const put = (client: Client, path: string, limit: number) =>
  client.set(path, { limit }, { as: json })

/** A client that counts what passes on its wire. */
const counted = async (url: string) => {
  const wire = new CuttingTransport()
  const client = await wire.connect(url)
  let reads = 0
  wire.armWhen((frame) => {
    if (frame.frame === 'request' && frame.op.op === 'getData') reads += 1
    return false
  }, 'cutAfter')
  return { client, wire, reads: () => reads }
}

t.test('RECIPE-120 what was read is remembered until it changes', async (t) => {
  const { server, client } = await startReal(t)
  const near = await counted(server.url)
  t.teardown(() => near.client.close())
  await client.create('/s')
  await client.create('/s/a', { limit: 1 }, { as: json })
  await using cache = new NearCache(near.client, '/s', { as: json<Limit>() })
  const limit = async (): Promise<unknown> => (await cache.get('/s/a'))?.value?.limit
  for (let i = 0; i < 10; i += 1) t.equal(await limit(), 1)
  t.equal(await cache.get('/s/none'), null)
  t.equal(await cache.get('/s/none'), null)
  t.equal(near.reads(), 2)
  t.equal(await cache.get('/s/a'), await cache.get('/s/a'), 'one object for all')
  for (let i = 2; i < 50; i += 1) {
    // What others did is heard of before any answer that shows it.
    if (i % 2 === 0) await put(near.client, '/s/a', i)
    else {
      await put(client, '/s/a', i)
      await near.client.sync()
    }
    t.equal(await limit(), i)
    t.equal(await limit(), i)
  }
  t.equal(near.reads(), 50)
  await near.client.create('/s/none')
  t.match(await cache.get('/s/none'), { path: '/s/none', value: null, version: 0 })
  await near.client.delete('/s/a')
  t.equal(await cache.get('/s/a'), null)
  t.ok((await rejection(cache.get('/elsewhere'))) instanceof BadArgumentsError)
})

t.test(
  'RECIPE-120 a client reads what it has written, however much it has not heard yet',
  async (t) => {
    const { client } = await startReal(t)
    await client.create('/s')
    await using cache = new NearCache(client, '/s')
    for (let round = 1; round <= 20; round += 1) {
      await cache.get('/s')
      const sets = Array.from({ length: 200 }, () => client.set('/s', null))
      const versions = sets.map(async (set) => {
        const { version } = await set
        return ((await cache.get('/s'))?.version ?? 0) >= version
      })
      t.notOk((await Promise.all(versions)).includes(false))
    }
  },
)

t.test('RECIPE-121 reads of one znode share a request', async (t) => {
  const { server, client } = await startReal(t)
  const near = await counted(server.url)
  t.teardown(() => near.client.close())
  await client.create('/s')
  await using cache = new NearCache(near.client, '/s')
  t.equal(await cache.get('/s/none'), null)
  const reason = new Error('enough')
  const over = new AbortController()
  const impatient = cache.get('/s', { signal: over.signal })
  const patient = Array.from({ length: 100 }, () => cache.get('/s'))
  over.abort(reason)
  t.equal(await rejection(impatient), reason)
  t.equal(new Set(await Promise.all(patient)).size, 1)
  t.equal(near.reads(), 2)
})

const event = (zxid: number, path = '/s') =>
  ({
    frame: 'streamEvents',
    streamId: 1,
    events: [{ type: 'dataChanged', zxid: zxid as Zxid, index: 0, path, detail: null }],
  }) as const

const answerWatch = (server: FakeServer): void =>
  server.answerWith((op) => {
    if (op.op === 'sync' || op.op === 'unwatch') return answer(op.op, {})
    if (op.op !== 'watch') return null
    return answer('watch', { position: { ensembleId: 'e1', zxid: 100 as Zxid, index: 0 } })
  })

const reply = (xid: number, version: number, mzxid: number) => {
  const said = answer('getData', { data: null, stat: fakeStat({ version, mzxid }) })
  const result = said !== null && 'result' in said ? said.result : null
  return { frame: 'reply', xid: xid as never, zxid: mzxid as Zxid, failure: null, result } as const
}

const xidOf = (frame: { readonly frame: string }): number =>
  'xid' in frame ? Number(frame.xid) : 0

t.test('RECIPE-122 an answer that a change has overtaken is neither given nor kept', async (t) => {
  const { server, client } = await startPair(t)
  answerWatch(server)
  await using cache = new NearCache(client, '/s')
  await server.seen(isOp('watch'))
  server.push({ frame: 'streamCaughtUp', streamId: 1, zxid: 100 as Zxid })
  const reading = cache.get('/s')
  const first = await server.seen(isOp('getData'))
  const seen = server.frames.length
  server.push(reply(xidOf(first), 1, 90), event(110))
  const second = await server.seen(isOp('getData'), seen)
  server.push(reply(xidOf(second), 2, 110))
  t.equal((await reading)?.version, 2)
  t.equal((await cache.get('/s'))?.version, 2)
  // A change that the answer has in it already is no reason to read again.
  server.push(event(110))
  await client.sync()
  t.equal((await cache.get('/s'))?.version, 2)
  t.equal(opsOf(server).filter(({ op }) => op === 'getData').length, 2)
})

t.test('RECIPE-120 who has written does not share a read that was asked for before', async (t) => {
  const { server, client } = await startPair(t)
  answerWatch(server)
  await using cache = new NearCache(client, '/s')
  await server.seen(isOp('watch'))
  server.push({ frame: 'streamCaughtUp', streamId: 1, zxid: 100 as Zxid })
  const before = cache.get('/s')
  const reading = await server.seen(isOp('getData'))
  const written = client.set('/s', null)
  const writing = await server.seen(isOp('setData'))
  const seen = server.frames.length
  const said = answer('setData', { stat: fakeStat({ version: 2, mzxid: 210 }) })
  const result = said !== null && 'result' in said ? said.result : null
  const xid = xidOf(writing) as never
  server.push(
    reply(xidOf(reading), 1, 90),
    // Much that comes before what it has done itself.
    ...Array.from({ length: 100 }, (_, i) => event(101 + i, '/s/other')),
    event(210),
    { frame: 'reply', xid, zxid: 210 as Zxid, failure: null, result },
  )
  await written
  const after = Promise.all([cache.get('/s'), cache.get('/s')])
  const second = await Promise.race([server.seen(isOp('getData'), seen), after])
  if ('frame' in second) server.push(reply(xidOf(second), 2, 210))
  t.strictSame(
    (await after).map((entry) => entry?.version),
    [2, 2],
  )
  t.ok((await before)?.version)
  t.equal(opsOf(server).filter(({ op }) => op === 'getData').length, 2)
})

t.test('RECIPE-122 after a gap nothing is remembered', async (t) => {
  const { server, client } = await startPair(t)
  answerWatch(server)
  await using cache = new NearCache(client, '/s')
  await server.seen(isOp('watch'))
  server.push({ frame: 'streamCaughtUp', streamId: 1, zxid: 100 as Zxid })
  const reading = cache.get('/s')
  const first = await server.seen(isOp('getData'))
  const gap = { frame: 'streamGap', streamId: 1, from: 100 as Zxid, to: 150 as Zxid } as const
  let seen = server.frames.length
  server.push(reply(xidOf(first), 1, 90), gap)
  const second = await server.seen(isOp('getData'), seen)
  server.push({ frame: 'streamCaughtUp', streamId: 1, zxid: 150 as Zxid })
  server.push(reply(xidOf(second), 2, 95))
  t.equal((await reading)?.version, 2)
  t.equal(cache.size, 1)
  seen = server.frames.length
  server.push({ ...gap, from: 150 as Zxid, to: 160 as Zxid })
  server.push({ frame: 'streamCaughtUp', streamId: 1, zxid: 160 as Zxid })
  await client.sync()
  const again = cache.get('/s')
  server.push(reply(xidOf(await server.seen(isOp('getData'), seen)), 3, 96))
  t.equal((await again)?.version, 3)
})

t.test('RECIPE-123 no more is remembered than was allowed', async (t) => {
  const { client } = await startReal(t)
  await client.create('/s')
  const paths = await Promise.all(
    Array.from({ length: 20 }, (_, i) => client.create(`/s/${i}`, new Uint8Array(1_000))),
  )
  await using few = new NearCache(client, '/s', { entriesMax: 5 })
  await using small = new NearCache(client, '/s', { bytesMax: 6_000 })
  for (const path of paths) {
    await few.get(path)
    await small.get(path)
  }
  t.equal(few.size, 5)
  t.ok(small.size > 0 && small.size <= 6)
})

t.test(
  'RECIPE-124 without a server it answers until the deadline, or for as long as it may',
  async (t) => {
    const data = tempDirectory(t)
    const server = await startTestServer(t, { data })
    const client = await connectTo(t, server.url, { sessionTimeoutMs: 2_000 })
    const log = new StateLog(client)
    await client.create('/s')
    await client.create('/s/other')
    await using cautious = new NearCache(client, '/s')
    await using bold = new NearCache(client, '/s', { staleMsMax: 2_147_483_647 })
    await using strict = new NearCache(client, '/s', { staleMsMax: 0 })
    for (const cache of [cautious, bold, strict]) await cache.get('/s')
    await server.stop()
    await log.next(({ state }) => state === 'suspended')
    t.equal((await cautious.get('/s'))?.path, '/s')
    await log.next(({ deadlinePassed }) => deadlinePassed)
    t.equal((await bold.get('/s'))?.path, '/s')
    const waiting = [cautious.get('/s'), strict.get('/s'), bold.get('/s/other')]
    let settled = 0
    for (const each of waiting) void each.finally(() => (settled += 1)).catch(() => undefined)
    await bold.get('/s')
    t.equal(settled, 0)
    await startTestServer(t, { data, clientPort: server.clientPort })
    const answers = await Promise.allSettled(waiting)
    for (const settlement of answers) {
      const isOver =
        settlement.status === 'rejected' && settlement.reason instanceof SessionExpiredError
      t.ok(isOver || settlement.status === 'fulfilled')
    }
  },
)

t.test('RECIPE-125 a near cache ends with its session', async (t) => {
  const { server, client } = await startReal(t)
  await client.create('/s')
  const wire = new CuttingTransport()
  const other = await wire.connect(server.url)
  const cache = new NearCache(other, '/s')
  await cache.get('/s')
  wire.arm(1, 'expire')
  t.ok((await rejection(other.whoAmI())) instanceof SessionExpiredError)
  t.ok((await rejection(cache.get('/s'))) instanceof SessionExpiredError)
  t.equal(cache.size, 0)
  const closed = new NearCache(client, '/s')
  await closed.get('/s')
  await closed.close()
  t.ok((await rejection(closed.get('/s'))) instanceof ClosedError)
  const { server: fake, client: refused } = await startPair(t)
  fake.answerWith((op) => (op.op === 'watch' ? { failure: failure('noAuth') } : null))
  const blind = new NearCache(refused, '/s')
  await fake.seen(isOp('watch'))
  t.match(await rejection(blind.get('/s')), { code: 'noAuth' })
})
