import { BadVersionError, json, NoNodeError, UndecodableError } from '#client/index.js'
import { ConfigStore } from '#client/recipes/index.js'
import { differencesOf } from '#client/recipes/config/difference.js'
import t from 'tap'
import { rejection } from '../client-kit.js'
import { connectTo, startReal } from '../real-kit.js'
import { runUntil, type Settings, settings, storeOf } from './config-kit.js'
import { namesAt } from './recipe-kit.js'

t.test('RECIPE-160 an edit is made on what counts, and no update is lost', async (t) => {
  const { server, client } = await startReal(t)
  const store = storeOf(client)
  t.equal(await store.get(), null)
  t.equal(await store.compareAndSet(1, { shards: 1 }), null)
  t.equal(await store.compareAndSet(0, { shards: 1 }), 1)
  t.equal(await store.compareAndSet(0, { shards: 2 }), null)
  const clients = await Promise.all([1, 2, 3, 4].map(() => connectTo(t, server.url)))
  const versions = await Promise.all(
    clients.map((one) => storeOf(one).update((now) => ({ shards: (now?.shards ?? 0) + 1 }))),
  )
  t.strictSame(
    versions.toSorted((a, b) => a - b),
    [2, 3, 4, 5],
  )
  t.match(await store.get({ consistency: 'linearizable' }), { version: 5, document: { shards: 5 } })
  t.equal(await store.compareAndSet(4, { shards: 9 }), null)
})

t.test('RECIPE-160 an update that others outrun 100 times gives up', async (t) => {
  const { client } = await startReal(t)
  const store = storeOf(client)
  await store.update(() => ({ shards: 0 }))
  let attempts = 0
  const outrun = store.update((now) => {
    attempts += 1
    // On its way before the edit that this one leads to.
    void client.set('/config/head', { version: 1, rollout: null }, { as: json })
    return { shards: (now?.shards ?? 0) + 1 }
  })
  t.ok((await rejection(outrun)) instanceof BadVersionError)
  t.equal(attempts, 100)
  t.strictSame(await namesAt(client, '/config/versions'), ['0000000001'], 'and leaves nothing')
})

t.test('RECIPE-161 what the schema refuses is neither written nor read', async (t) => {
  const { client } = await startReal(t)
  const store = storeOf(client)
  const wrong = { shards: 'many' } as unknown as Settings
  t.match(await rejection(store.update(() => wrong)), {
    code: 'badArguments',
    message: /shards: is a whole number/,
  })
  t.match(await rejection(store.compareAndSet(0, wrong)), { code: 'badArguments' })
  t.strictSame(await namesAt(client, '/config'), [])
  const later = {
    '~standard': { version: 1, vendor: 'test', validate: async () => ({ value: 1 }) },
  }
  const late = new ConfigStore(client, '/late', { schema: later as never })
  t.match(await rejection(late.update(() => 1)), { code: 'badArguments' })
  const parsed = new ConfigStore(client, '/parsed', { schema: { parse: (value) => Number(value) } })
  await parsed.update((now) => (now ?? 6) + 1)
  t.match(await parsed.get(), { document: 7 })
  t.throws(() => new ConfigStore(client, '/c', { schema: {} as never }), { code: 'badArguments' })
  await store.update(() => ({ shards: 1 }))
  const strict = storeOf(client, {
    schema: { parse: () => Promise.reject(new Error('late')) as never },
  })
  t.match(await rejection(strict.get()), { code: 'badArguments', message: /gave a promise/ })
  const before = { parse: () => assertNever() }
  const refusing = new ConfigStore(client, '/config', { schema: before })
  t.match(await rejection(refusing.get()), { code: 'undecodable', path: /0000000001$/ })
  t.match(await rejection(refusing.update(() => 1 as never)), { code: 'undecodable' })
})

const assertNever = (): never => {
  throw new Error('nothing will do')
}

t.test(
  'RECIPE-162 versions only rise, the latest are kept, and say who, when and why',
  async (t) => {
    const { client } = await startReal(t)
    const store = storeOf(client, { id: 'alice', historyMax: 3 })
    for (const shards of [1, 2, 3, 4, 5])
      await store.update(() => ({ shards }), { note: `${shards}` })
    const stat = await client.exists('/config/versions/0000000005')
    const history = await store.history()
    t.match(history[0], {
      version: 5,
      by: 'alice',
      note: '5',
      restores: null,
      abandons: null,
      atMs: stat?.ctime,
    })
    t.strictSame(
      history.map(({ version }) => version),
      [5, 4, 3],
    )
    t.match(await store.at(3), { version: 3, document: { shards: 3 } })
    t.ok((await rejection(store.at(2))) instanceof NoNodeError)
    await storeOf(client, { historyMax: 2 }).update(() => ({ shards: 6 }))
    t.strictSame(await namesAt(client, '/config/versions'), ['0000000005', '0000000006'])
    await client.delete('/config/head')
    t.equal(await store.get(), null)
    t.equal(await store.update(() => ({ shards: 7 })), 7)
    await client.set('/config/versions/0000000007', new TextEncoder().encode('{'))
    t.match(await store.history(), [{ version: 6 }, { version: 5 }])
    await client.delete('/config/versions/0000000007')
    t.match(await rejection(store.get()), { code: 'undecodable' }, 'what counts is gone')
    t.equal(await store.compareAndSet(7, { shards: 8 }), 8)
  },
)

t.test('RECIPE-163 two versions differ in places that JSON pointers name', async (t) => {
  const { client } = await startReal(t)
  const store = storeOf(client)
  await store.update(() => ({ shards: 1, limits: { 'a/b': [1, 2, 3], 'c~d': { deep: true } } }))
  await store.update(() => ({ shards: 2, limits: { 'a/b': [1, 9], new: null } }))
  t.strictSame(await store.diff(1, 2), [
    { op: 'replace', path: '/shards', before: 1, after: 2 },
    { op: 'replace', path: '/limits/a~1b/1', before: 2, after: 9 },
    { op: 'remove', path: '/limits/a~1b/2', before: 3 },
    { op: 'remove', path: '/limits/c~0d', before: { deep: true } },
    { op: 'add', path: '/limits/new', after: null },
  ])
  t.strictSame(await store.diff(2, 2), [])
  t.ok((await rejection(store.diff(2, 3))) instanceof NoNodeError)
  const whole = (before: unknown, after: unknown) => [{ op: 'replace', path: '', before, after }]
  t.strictSame(differencesOf([], {}), whole([], {}))
  t.strictSame(differencesOf(null, {}), whole(null, {}))
  t.strictSame(differencesOf({ toString: 1 }, {}), [{ op: 'remove', path: '/toString', before: 1 }])
})

t.test('RECIPE-164 a rollback is a new version with the old content', async (t) => {
  const { client } = await startReal(t)
  const store = storeOf(client, { id: 'bob' })
  await store.update(() => ({ shards: 1 }))
  await store.update(() => ({ shards: 2 }))
  t.equal(await store.rollback(1, { note: 'too many' }), 3)
  t.match(await store.get(), {
    version: 3,
    document: { shards: 1 },
    restores: 1,
    by: 'bob',
    note: 'too many',
  })
  t.match(await store.at(2), { document: { shards: 2 }, restores: null })
  t.ok((await rejection(store.rollback(9))) instanceof NoNodeError)
  const never = new ConfigStore(client, '/config', { schema: { parse: assertNever } })
  t.ok((await rejection(never.rollback(1))) instanceof UndecodableError)
})

t.test('RECIPE-165 a subscriber gets the newest, and never an older one', async (t) => {
  const { server, client } = await startReal(t)
  const store = storeOf(client)
  const writer = storeOf(await connectTo(t, server.url))
  const subscription = store.subscribe()
  const first = subscription.next()
  await writer.update(() => ({ shards: 1 }))
  t.match((await first).value, { version: 1, document: { shards: 1 } })
  for (const shards of [2, 3, 4]) await writer.update(() => ({ shards }))
  const seen = await runUntil(subscription, ({ shards }) => shards === 4)
  t.equal(seen.at(-1), 4)
  t.strictSame(
    seen,
    [...new Set(seen)].sort((a, b) => a - b),
    'each once, in their order',
  )
  const again = store.subscribe()
  t.match((await again.next()).value, { version: 4 })
  // Somebody turns the head back by hand.
  await client.set('/config/head', { version: 2, rollout: null }, { as: json })
  const next = again.next()
  await writer.update(() => ({ shards: 5 }))
  t.match((await next).value, { version: 5, document: { shards: 5 } })
  const end = again.next()
  await client.close()
  t.strictSame(await end, { done: true, value: undefined })
})

t.test('RECIPE-166 an invalid document is told of, and the last good one stays', async (t) => {
  const { client } = await startReal(t)
  const store = storeOf(client)
  await store.update(() => ({ shards: 1 }))
  const anything = new ConfigStore<unknown>(client, '/config', {
    schema: { parse: (value) => value },
  })
  const errors: UndecodableError[] = []
  const onInvalid = (error: UndecodableError): void => void errors.push(error)
  const lasting = store.subscribe({ onInvalid, node: { id: 'one' } })
  const throwing = store.subscribe()
  t.match((await lasting.next()).value, { version: 1 })
  t.match((await throwing.next()).value, { version: 1 })
  const next = lasting.next()
  await anything.update(() => 'nonsense')
  t.ok((await rejection(throwing.next())) instanceof UndecodableError)
  for await (const { type } of client.watch('/config/nodes/one')) {
    if (type === 'gap') throw new Error('a gap')
    const [node] = await store.drift()
    if (node?.refused === 2) break
  }
  t.match(await store.drift(), [{ id: 'one', version: 1, refused: 2, target: 2 }])
  t.match(errors, [{ code: 'undecodable', path: '/config/versions/0000000002' }])
  t.equal(await store.rollback(1), 3)
  t.match((await next).value, { version: 3, document: { shards: 1 } })
  await client.set('/config/head', new TextEncoder().encode('{'))
  const afterMend = lasting.next()
  while (errors.length < 2) await client.sync()
  t.match(errors[1], { code: 'undecodable', path: '/config/head' })
  await client.set('/config/head', { version: 3, rollout: null }, { as: json })
  await store.update(() => ({ shards: 4 }))
  t.match((await afterMend).value, { version: 4 })
  await lasting.return()
})

t.test('RECIPE-161 the SDK reads by any Standard Schema', async (t) => {
  const { client } = await startReal(t)
  await client.create('/settings', { shards: 1 }, { as: settings })
  t.match((await client.get('/settings', { as: settings })).data, { shards: 1 })
  await client.set('/settings', { shards: 'x' }, { as: json })
  t.match(await rejection(client.get('/settings', { as: settings })), {
    code: 'undecodable',
    message: /shards: is a whole number/,
  })
})
