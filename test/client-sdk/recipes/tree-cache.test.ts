import { BadArgumentsError, connect, json, SessionExpiredError, text } from '#client/index.js'
import { SessionScope, TreeCache } from '#client/recipes/index.js'
import type { Zxid } from '@conclave/protocol'
import t from 'tap'
import { answer, fakeStat, startFakeServer } from '../../support/fake-server.js'
import { startTestServer, tempDirectory } from '../../support/server-kit.js'
import { startProxy } from '../../support/tcp-proxy.js'
import { isOp, opsOf, rejection } from '../client-kit.js'
import { connectTo, startReal, StateLog } from '../real-kit.js'
import { briefly, Follower, makeServices, pathsOf, put, type Service } from './cache-kit.js'
import { CuttingTransport } from './cutting.js'

t.test(
  'RECIPE-100 a tree cache that is ready holds the whole tree, and answers no sooner',
  async (t) => {
    const { client } = await startReal(t)
    await makeServices(client)
    await using cache = new TreeCache(client, '/s', { as: json<Service>() })
    t.equal(cache.staleMs, Infinity)
    for (const ask of [() => cache.get('/s'), () => cache.size, () => cache.children('/s')]) {
      t.throws(ask, BadArgumentsError)
    }
    await cache.ready
    t.strictSame(pathsOf(cache.entries()), ['/s', '/s/a', '/s/a/deep', '/s/b', '/s/c'])
    t.equal(cache.size, 5)
    t.strictSame(pathsOf(cache.children('/s')), ['/s/a', '/s/b', '/s/c'])
    t.strictSame(pathsOf(cache.children('/s/a')), ['/s/a/deep'])
    const { stat, data } = await client.get('/s/b', { as: json<Service>() })
    const { czxid, mzxid, version, mtime, ephemeralOwner } = stat
    t.strictSame(cache.get('/s/b'), {
      path: '/s/b',
      czxid,
      mzxid,
      version,
      mtime,
      ephemeralOwner,
      value: data,
      error: null,
    })
    t.equal(cache.get('/elsewhere'), null)
  },
)

t.test('RECIPE-100 a tree of many and large znodes is read whole', async (t) => {
  const { client } = await startReal(t)
  await client.create('/s')
  await client.create('/s/large')
  const large = Array.from({ length: 20 }, (_, i) =>
    client.create(`/s/large/${i}`, new Uint8Array(i === 7 ? 1_048_576 : 100_000)),
  )
  const wide = Array.from({ length: 2_500 }, (_, i) => client.create(`/s/${i}`, new Uint8Array(1)))
  await Promise.all([...large, ...wide])
  await using cache = new TreeCache(client, '/')
  await cache.ready
  t.equal(cache.children('/s').length, 2_501)
  t.equal(cache.get('/s/large/7')?.value?.length, 1_048_576)
  t.equal(cache.children('/s/large').length, 20)
})

t.test('RECIPE-101 each change is told once, as it was committed', async (t) => {
  const { client } = await startReal(t)
  await makeServices(client)
  await using cache = new TreeCache(client, '/s', { as: json<Service>() })
  const follower = new Follower(cache)
  t.strictSame(await follower.told(5), [
    'difference created /s',
    'difference created /s/a',
    'difference created /s/a/deep',
    'difference created /s/b',
    'difference created /s/c',
  ])
  const { mzxid } = await put(client, '/s/b', 'z')
  const [set] = await follower.take(1)
  t.match(set, {
    type: 'dataChanged',
    zxid: mzxid,
    entry: { version: 1, value: { zone: 'z' } },
    previous: { version: 0, value: { zone: 'y' } },
  })
  const [, , again] = await client
    .transaction()
    .delete('/s/a/deep')
    .delete('/s/a')
    .create('/s/a', { zone: 'w' }, { as: json })
    .set('/s/a', { zone: 'v' }, { as: json })
    .commit()
  t.ok(again)
  const events = await follower.take(4)
  t.strictSame(events.map(briefly), [
    'stream deleted /s/a/deep',
    'stream deleted /s/a',
    'stream created /s/a',
    'stream dataChanged /s/a',
  ])
  t.strictSame(
    events.map(({ entry }) => entry?.value?.zone ?? null),
    [null, null, 'w', 'v'],
  )
  t.strictSame([...new Set(events.map(({ zxid }) => zxid))], [cache.zxid])
})

t.test('RECIPE-101 in a session scope it goes on where the last session ended', async (t) => {
  const { server, client } = await startReal(t)
  await client.create('/s', 'one', { as: text })
  const wires: CuttingTransport[] = []
  await using scope = new SessionScope(() => {
    const wire = new CuttingTransport()
    wires.push(wire)
    return wire.connect(server.url)
  })
  await using cache = new TreeCache(scope, '/s', { as: text })
  const follower = new Follower(cache)
  t.strictSame(await follower.told(1), ['difference created /s'])
  for (const value of ['two', 'three']) {
    const session = await scope.client()
    wires.at(-1)?.arm(1, 'expire')
    t.ok((await rejection(session.whoAmI())) instanceof SessionExpiredError)
    await client.set('/s', value, { as: text })
    await client.create(`/s/${value}`)
    t.strictSame(await follower.told(2), ['stream dataChanged /s', `stream created /s/${value}`])
    t.equal(cache.get('/s')?.value, value)
  }
})

t.test('RECIPE-101 a new session first waits for what the last one has seen', async (t) => {
  const server = await startFakeServer()
  t.teardown(() => server.close())
  const seen = { ensembleId: 'e1', zxid: 100 as Zxid, index: 0 }
  server.answerWith((op) => {
    if (op.op === 'watch') return answer('watch', { position: op.from ?? seen })
    if (op.op === 'sync') return answer('sync', {})
    if (op.op === 'getData') return answer('getData', { data: null, stat: fakeStat() })
    const none = { children: [], stat: fakeStat(), cursor: null }
    return op.op === 'getChildren' ? answer('getChildren', none) : null
  })
  await using scope = new SessionScope(() => connect(`conclave://${server.address}`))
  await using cache = new TreeCache(scope, '/s')
  await server.seen(isOp('watch'))
  server.push({ frame: 'streamCaughtUp', streamId: 1, zxid: 100 as Zxid })
  await cache.ready
  const before = opsOf(server).length
  const gone = { frame: 'sessionExpired', reason: 'expired', complete: true, outcomes: [] } as const
  server.push(gone)
  await server.seen(isOp('watch'), server.frames.length)
  const [sync, watch] = opsOf(server).slice(before)
  t.equal(sync?.op, 'sync')
  t.match(watch, { op: 'watch', recursive: true, withDetail: true, from: { ensembleId: 'e1' } })
  t.ok(watch?.op === 'watch' && (watch.from?.zxid ?? 0) >= 100)
})

t.test(
  'RECIPE-102 after a gap the exact differences are told, in an order that applies',
  async (t) => {
    const options = { historyBytesMax: 0, segmentBytes: 65_536, snapshotTxns: 200 }
    const server = await startTestServer(t, options)
    const proxy = await startProxy(t, server.clientPort)
    const writer = await connectTo(t, server.url)
    const client = await connectTo(t, `conclave://${proxy.address}`, { sessionTimeoutMs: 60_000 })
    await makeServices(writer)
    await writer.create('/noise')
    await using cache = new TreeCache(client, '/s', {
      as: json<Service>(),
      indexes: { zone: ({ value }) => value?.zone ?? null },
    })
    const follower = new Follower(cache)
    await follower.take(5)
    proxy.part()
    await put(writer, '/s/b', 'z')
    await put(writer, '/s/b', 'y')
    await writer.delete('/s/a/deep')
    await writer.delete('/s/a')
    await writer.create('/s/a', { zone: 'x' }, { as: json })
    await writer.create('/s/a/new', { zone: 'n' }, { as: json })
    await writer.delete('/s/c')
    await writer.create('/s/gone')
    await writer.delete('/s/gone')
    for (let i = 0; i < 20; i++) {
      const sets = Array.from({ length: 100 }, () => writer.set('/noise', new Uint8Array(2_000)))
      await Promise.all(sets)
    }
    proxy.heal()
    const events = await follower.take(6)
    t.strictSame(events.map(briefly), [
      'difference deleted /s/c',
      'difference deleted /s/a/deep',
      'difference deleted /s/a',
      'difference created /s/a',
      'difference created /s/a/new',
      'difference dataChanged /s/b',
    ])
    t.match(events[5], { entry: { version: 2 }, previous: { version: 0 } })
    t.strictSame([...new Set(events.map(({ zxid }) => zxid))], [cache.zxid])
    t.strictSame(pathsOf(cache.entries()), ['/s', '/s/a', '/s/a/new', '/s/b'])
    t.strictSame(pathsOf(cache.byIndex('zone', 'x')), ['/s/a'])
    await writer.delete('/s/b')
    t.strictSame(await follower.told(1), ['stream deleted /s/b'])
  },
)

t.test('RECIPE-103 an index has each entry under the keys of its present value', async (t) => {
  const { client } = await startReal(t)
  await makeServices(client)
  await using cache = new TreeCache(client, '/s', {
    as: json<Service>(),
    indexes: {
      zone: ({ value }) => value?.zone ?? null,
      letters: ({ path }) => path.split('/'),
    },
  })
  await cache.ready
  const inZone = (zone: string) => pathsOf(cache.byIndex('zone', zone))
  t.strictSame(inZone('x'), ['/s/a', '/s/c'])
  t.strictSame(inZone('none'), [])
  t.strictSame(pathsOf(cache.byIndex('letters', 'deep')), ['/s/a/deep'])
  t.strictSame([...cache.keysOf('zone')].sort(), ['x', 'y'])
  const follower = new Follower(cache)
  await follower.take(5)
  await put(client, '/s/c', 'y')
  await follower.take(1)
  t.strictSame([inZone('x'), inZone('y')], [['/s/a'], ['/s/b', '/s/c']])
  await client.delete('/s/b')
  await client.delete('/s/c')
  await follower.take(2)
  t.strictSame([...cache.keysOf('zone')], ['x'])
  t.throws(() => cache.byIndex('other' as 'zone', 'x'), BadArgumentsError)
})

t.test('RECIPE-104 without a server it goes on answering, and says how old that is', async (t) => {
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data })
  const client = await connectTo(t, server.url, { sessionTimeoutMs: 60_000 })
  const log = new StateLog(client)
  await client.create('/s', 'one', { as: text })
  await using cache = new TreeCache(client, '/s', { as: text })
  await cache.ready
  const readyAt = performance.now() - cache.staleMs
  await server.stop()
  const stoppedAt = performance.now()
  await log.next(({ state }) => state === 'suspended')
  t.equal(cache.get('/s')?.value, 'one')
  const heldAt = performance.now() - cache.staleMs
  t.ok(heldAt >= readyAt - 1)
  t.ok(heldAt <= stoppedAt)
  await startTestServer(t, { data, clientPort: server.clientPort })
  await client.sync()
  while (performance.now() - cache.staleMs <= stoppedAt) await client.sync()
  t.equal(cache.get('/s')?.value, 'one')
})

t.test('RECIPE-105 a loop that is too slow is told the differences to what it knows', async (t) => {
  const { client } = await startReal(t)
  await client.create('/s')
  for (const name of ['kept', 'set', 'deleted']) await client.create(`/s/${name}`)
  await using cache = new TreeCache(client, '/s')
  const slow = new Follower(cache, { bufferEvents: 3 })
  const quick = new Follower(cache)
  await Promise.all([slow.take(4), quick.take(4)])
  await client.set('/s/set', null)
  t.strictSame(await slow.told(1), ['stream dataChanged /s/set'])
  await client.create('/s/gone')
  await client.delete('/s/gone')
  await client.set('/s/set', null)
  await client.set('/s/set', null)
  await client.delete('/s/deleted')
  await client.create('/s/new')
  t.equal((await quick.take(7)).length, 7)
  const differences = await slow.take(3)
  t.strictSame(differences.map(briefly), [
    'difference deleted /s/deleted',
    'difference created /s/new',
    'difference dataChanged /s/set',
  ])
  t.match(differences[2], { entry: { version: 3 }, previous: { version: 1 } })
  await client.delete('/s/new')
  t.strictSame(await slow.told(1), ['stream deleted /s/new'])
})
