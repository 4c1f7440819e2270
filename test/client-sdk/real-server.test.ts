import {
  BadVersionError,
  type Client,
  type ConclaveError,
  connect,
  FencedError,
  json,
  NodeExistsError,
  NoNodeError,
  NotEmptyError,
  NoWatcherError,
  ref,
  text,
  type WatchPosition,
} from '#client/index.js'
import t from 'tap'
import { startTestServer } from '../support/server-kit.js'
import { rejection } from './client-kit.js'
import { connectTo, startReal, takeChanges } from './real-kit.js'

interface Config {
  readonly shards: number
}
const bytes = Uint8Array.of(1, 2, 3)

t.test('SDK-54 the code that users should be able to write runs', async (t) => {
  const server = await startTestServer(t)
  const admin = await connectTo(t, server.url)
  for (const path of ['/orders', '/orders/queue', '/orders/jobs', '/orders/services']) {
    await admin.create(path)
  }
  await admin.create('/orders/jobs/latest')
  await using client = await connect(`${server.url},127.0.0.1:1/orders`, {
    sessionTimeoutMs: 10_000,
    connectTimeoutMs: 10_000,
    auth: { scheme: 'digest', user: 'orders', password: 'secret' },
  })
  const states: string[] = []
  client.on('state', ({ state }) => states.push(state))

  t.equal(await client.create('/config', { shards: 16 }, { as: json }), '/config')
  const mine = await client.create('/queue/job-', bytes, { kind: 'ephemeralSequential' })
  t.equal(mine, '/queue/job-0000000000')
  const { data, stat } = await client.get('/config', { as: json<Config>() })
  t.equal(data.shards, 16)
  t.equal(
    (await client.set('/config', { shards: 32 }, { as: json, version: stat.version })).version,
    1,
  )
  const children: string[] = []
  for await (const child of client.list('/queue')) children.push(child)
  t.strictSame(children, ['job-0000000000'])
  const fresh = { consistency: 'linearizable', signal: AbortSignal.timeout(60_000) } as const
  t.equal((await client.get('/config', fresh)).stat.version, 1)

  const error = await rejection(client.create('/config'))
  t.ok(error instanceof NodeExistsError)
  t.match(error, {
    code: 'nodeExists',
    path: '/config',
    outcome: 'notExecuted',
    retry: 'afterChange',
  })
  t.equal(typeof (error as ConclaveError).zxid, 'number')

  const [job] = await client
    .transaction()
    .check('/config', { version: 1 })
    .create('/jobs/j-', bytes, { kind: 'sequential' })
    .set('/jobs/latest', ref(1))
    .commit()
  t.equal(job, '/jobs/j-0000000001', 'latest was created before it')
  t.equal((await client.get('/jobs/latest', { as: text })).data, `/orders${job}`)

  const { changed } = await client.get('/config', { watch: true })
  const { mzxid } = await client.set('/config', null)
  t.strictSame(await changed, { type: 'dataChanged', path: '/config', zxid: mzxid })

  const stream = client.watch('/services', { recursive: true })
  await client.create('/services/a')
  let bookmark: WatchPosition | null = null
  for await (const event of stream) {
    bookmark = event.position
    if (event.type === 'created') break
  }
  await client.create('/services/b')
  const from = JSON.parse(JSON.stringify(bookmark)) as WatchPosition
  const resumed = client.watch('/services', { recursive: true, from })
  t.strictSame(await takeChanges(resumed, 1), ['created /services/b'])
  t.strictSame(states, [], 'it stayed connected')
})

t.test('SDK-33 all seven kinds are made, and live as they should', async (t) => {
  const { server, client } = await startReal(t)
  await client.create('/k')
  const owner = { ephemeralOwner: client.sessionId }
  const cases = [
    ['persistent', {}, { kind: 'persistent', ephemeralOwner: 0, ttlMs: 0 }],
    ['persistentSequential', {}, { kind: 'persistent' }],
    ['sequential', {}, { kind: 'persistent' }],
    ['ephemeral', {}, { kind: 'ephemeral', ...owner }],
    ['ephemeralSequential', {}, { kind: 'ephemeral', ...owner }],
    ['container', {}, { kind: 'container' }],
    ['ttl', { ttlMs: 60_000 }, { kind: 'ttl', ttlMs: 60_000 }],
    ['ttlSequential', { ttlMs: 60_000 }, { kind: 'ttl', ttlMs: 60_000 }],
  ] as const
  const paths: string[] = []
  for (const [i, [kind, extra, stat]] of cases.entries()) {
    const made = await client.create(`/k/${kind}-`, null, { kind, ...extra, withStat: true })
    const isSequential = /sequential/i.test(kind)
    const suffix = isSequential ? String(i).padStart(10, '0') : ''
    t.equal(made.path, `/k/${kind}-${suffix}`)
    t.match(made.stat, stat, kind)
    t.strictSame(await client.exists(made.path), made.stat)
    paths.push(made.path)
  }
  t.strictSame(await client.getEphemerals(), [paths[3], paths[4]])
  const witness = await connectTo(t, server.url)
  await client.close()
  const left = await witness.list('/k').toArray()
  t.strictSame(
    left,
    [0, 1, 2, 5, 6, 7].map((i) => (paths[i] as string).slice('/k/'.length)),
  )
})

t.test('SDK-34 data comes back as it went in', async (t) => {
  const { client } = await startReal(t)
  const large = new Uint8Array(1_048_576).map((_, i) => i % 251)
  await client.create('/large', large)
  t.ok(Buffer.from(large).equals((await client.get('/large')).data))
  await client.create('/text', 'gr\u00fc\u00dfe \u{1f600}', { as: text })
  t.equal((await client.get('/text', { as: text })).data, 'gr\u00fc\u00dfe \u{1f600}')
  await client.create('/none')
  t.strictSame((await client.get('/none')).data, new Uint8Array(0))
  const schema = { parse: (value: unknown): number => (value as Config).shards }
  await client.set('/none', { shards: 3 }, { as: json })
  t.equal((await client.get('/none', { as: schema })).data, 3)
})

t.test('SDK-35 every operation does what it says', async (t) => {
  const { server, client } = await startReal(t)
  const other = await connectTo(t, server.url)
  await client.create('/a', bytes)
  t.equal(await client.exists('/nothing'), null)
  await client.check('/a', { version: 0, consistency: 'linearizable' })
  t.ok((await rejection(client.check('/a', { version: 1 }))) instanceof BadVersionError)
  t.ok((await rejection(client.set('/a', null, { version: 1 }))) instanceof BadVersionError)
  t.ok((await rejection(client.get('/nothing'))) instanceof NoNodeError)
  t.equal(
    (await client.setAcl('/a', [{ scheme: 'world', id: 'anyone', permissions: 31 }])).aversion,
    1,
  )
  t.match(await client.getAcl('/a'), { acl: [{ id: 'anyone', permissions: 31 }] })
  for (let i = 0; i < 25; i++) await client.create(`/a/${i}`)
  for (let i = 0; i < 5; i++) await client.create(`/a/7/${i}`)
  t.ok((await rejection(client.delete('/a'))) instanceof NotEmptyError)
  t.equal(await client.countDescendants('/a'), 30)
  await client.delete('/a/24', { version: 0 })
  await other.sync()
  t.equal(await other.countDescendants('/a', { consistency: 'linearizable' }), 29)
  t.equal(await other.deleteRecursive('/a'), 30)
  t.equal(await client.exists('/a', { consistency: 'linearizable' }), null)
  t.match(await client.whoAmI(), { sessionId: client.sessionId, identities: [{ scheme: 'ip' }] })
  t.not(other.sessionId, client.sessionId)
})

t.test('SDK-36 a list comes in pages, in creation order, and watches', async (t) => {
  const { client } = await startReal(t)
  await client.create('/q')
  const made: string[] = []
  for (const name of ['c', 'a', 'b', 'e', 'd', 'g', 'f']) {
    made.push(name)
    await client.create(`/q/${name}`)
  }
  for (const pageSize of [1, 2, 3, 7, 8]) {
    t.strictSame(await client.list('/q', { pageSize }).toArray(), made, `pages of ${pageSize}`)
  }
  const seen: string[] = []
  for await (const { name, stat } of client.list('/q', { pageSize: 2, withStat: true })) {
    seen.push(`${name} ${stat.czxid}`)
    if (name === 'a') {
      await client.delete('/q/c')
      await client.delete('/q/e')
      await client.create('/q/h')
    }
  }
  t.equal(seen.length, 7)
  t.notOk(seen.some((line) => line.startsWith('e ')))
  const listing = client.list('/q', { watch: true })
  await listing.toArray()
  await client.create('/q/i')
  t.match(await listing.changed, { type: 'childrenChanged', path: '/q' })
})

t.test('SDK-37 changed tells once, and is taken back by removeWatches', async (t) => {
  const { server, client } = await startReal(t)
  const other = await connectTo(t, server.url)
  const absent = await client.exists('/w', { watch: true })
  t.equal(absent.stat, null)
  await other.create('/w')
  t.match(await absent.changed, { type: 'created', path: '/w' })
  const [first, second] = await Promise.all([
    client.get('/w', { watch: true }),
    client.exists('/w', { watch: true }),
  ])
  await other.delete('/w')
  t.match(await first.changed, { type: 'deleted', path: '/w' })
  t.match(await second.changed, { type: 'deleted', path: '/w' })
  await other.create('/w')
  const taken = await client.get('/w', { watch: true })
  await client.removeWatches('/w')
  t.ok((await rejection(taken.changed)) instanceof NoWatcherError)
  t.ok((await rejection(client.removeWatches('/w'))) instanceof NoWatcherError)
})

t.test('SDK-38 a transaction is all or nothing, guarded and conditional', async (t) => {
  const { client } = await startReal(t)
  await client.create('/t')
  const error = await rejection(
    client.transaction().create('/t/a').set('/t', bytes).delete('/t/none').commit(),
  )
  t.match(error, { code: 'noNode', index: 2, path: '/t/none', outcome: 'notExecuted' })
  t.equal(await client.exists('/t/a'), null)
  const [made, below, stat, gone] = await client
    .transaction()
    .create('/t/s-', null, { kind: 'sequential' })
    .create(ref(0, '/below'), { shards: 1 }, { as: json })
    .set(ref(0), bytes, { version: 0 })
    .delete(ref(0, '/below'))
    .commit()
  t.strictSame([made, below, gone], ['/t/s-0000000000', '/t/s-0000000000/below', null])
  t.match(stat, { version: 1, numChildren: 1 })
  const { path, stat: lease } = await client.create('/t/lease', null, { withStat: true })
  const guard = { path, czxid: lease.czxid }
  const guarded = (c: Client) => c.transaction().add(guard).set('/t', bytes).commit()
  t.equal((await guarded(client))[0].version, 1)
  await client.delete(path)
  await client.create(path)
  t.ok((await rejection(guarded(client))) instanceof FencedError)
  const claim = () =>
    client
      .transaction()
      .if(
        [{ path: '/t/owner', exists: false }],
        (then) => then.create('/t/owner', bytes),
        (otherwise) => otherwise.set('/t/owner', null),
      )
      .commit()
  t.strictSame(await claim(), { branch: 'then', results: ['/t/owner'] })
  t.match(await claim(), { branch: 'else', results: [{ version: 1, dataLength: 0 }] })
})

t.test('SDK-39 a multi-read answers from one state', async (t) => {
  const { client } = await startReal(t)
  await client.create('/m', { shards: 2 }, { as: json })
  await client.create('/m/a')
  const [config, none, children, acl, missing] = await client.multiRead([
    { get: '/m', as: json<Config>() },
    { exists: '/none' },
    { list: '/m' },
    { getAcl: '/m' },
    { get: '/none' },
  ])
  t.match(config, { ok: true, value: { data: { shards: 2 } } })
  t.strictSame(none, { ok: true, value: null })
  t.match(children, { ok: true, value: { children: ['a'] } })
  t.match(acl, { ok: true, value: { acl: [{ scheme: 'world' }] } })
  t.ok(!missing.ok && missing.error instanceof NoNodeError)
})
