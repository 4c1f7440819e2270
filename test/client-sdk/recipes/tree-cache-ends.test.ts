import {
  type Acl,
  ClosedError,
  json,
  NoAuthError,
  permissions,
  SessionExpiredError,
  text,
  TooLargeError,
  UndecodableError,
} from '#client/index.js'
import { SessionScope, TreeCache } from '#client/recipes/index.js'
import t from 'tap'
import { rejection } from '../client-kit.js'
import { connectTo, startReal } from '../real-kit.js'
import { Follower, makeServices, put, type Service } from './cache-kit.js'
import { CuttingTransport } from './cutting.js'

t.test('RECIPE-106 a cache ends with its session, or says what else ended it', async (t) => {
  const { server, client } = await startReal(t)
  await makeServices(client)
  const wire = new CuttingTransport()
  const other = await wire.connect(server.url)
  const cache = new TreeCache(other, '/s')
  const follower = new Follower(cache)
  await follower.take(5)
  const next = follower.next()
  wire.arm(1, 'expire')
  void other.whoAmI().catch(() => undefined)
  t.ok((await rejection(next)) instanceof SessionExpiredError)
  t.ok((await rejection(cache.ended)) instanceof SessionExpiredError)
  t.equal(cache.get('/s')?.path, '/s', 'what it holds can still be read')

  const small = new TreeCache(client, '/s', { entriesMax: 4 })
  t.ok((await rejection(small.ready)) instanceof TooLargeError)
  const growing = new TreeCache(client, '/s', { entriesMax: 5 })
  await growing.ready
  await client.create('/s/more')
  t.ok((await rejection(growing.ended)) instanceof TooLargeError)

  const fault = new Error('of the index')
  const throwing = (): never => {
    throw fault
  }
  const indexed = new TreeCache(client, '/s', { indexes: { broken: throwing } })
  t.equal(await rejection(indexed.ready), fault)

  const acl: Acl = [{ scheme: 'world', id: 'anyone', permissions: permissions.create }]
  await client.create('/secret', null, { acl })
  t.ok((await rejection(new TreeCache(client, '/secret').ready)) instanceof NoAuthError)
})

t.test('RECIPE-106 closing a cache, or its client, ends the loops over its events', async (t) => {
  const { client, server } = await startReal(t)
  const cache = new TreeCache(client, '/none')
  await cache.ready
  t.equal(cache.size, 0)
  const next = new Follower(cache).next()
  await cache.close()
  t.strictSame(await next, { done: true, value: undefined })
  await cache.ended

  const early = new TreeCache(client, '/none')
  await early.close()
  t.ok((await rejection(early.ready)) instanceof ClosedError)

  const scope = new SessionScope(
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      }),
  )
  const unconnected = new TreeCache(scope, '/none')
  await unconnected.close()
  t.ok((await rejection(unconnected.ready)) instanceof ClosedError)
  await scope.close()

  const other = await connectTo(t, server.url)
  const last = new TreeCache(other, '/none')
  await last.ready
  await other.close()
  await last.ended

  await using live = new TreeCache(client, '/none')
  const over = new AbortController()
  const aborted = new Follower(live, { signal: over.signal }).next()
  const reason = new Error('enough')
  over.abort(reason)
  t.equal(await rejection(aborted), reason)
})

t.test('RECIPE-107 data that cannot be decoded is an entry with an error', async (t) => {
  const { client } = await startReal(t)
  await client.create('/s', null)
  await client.create('/s/a', '{', { as: text })
  await using cache = new TreeCache(client, '/s', { as: json<Service>() })
  await cache.ready
  t.match(cache.get('/s'), { value: null, error: null })
  t.equal(cache.get('/s/a')?.value, null)
  t.ok(cache.get('/s/a')?.error instanceof UndecodableError)
  const follower = new Follower(cache)
  await follower.take(2)
  await put(client, '/s/a', 'x')
  t.match(await follower.take(1), [{ entry: { value: { zone: 'x' }, error: null } }])
})
