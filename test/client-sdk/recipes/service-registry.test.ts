import { type Client, SessionExpiredError } from '#client/index.js'
import {
  type ServiceInstance,
  type ServiceResolver,
  type ServiceResolverOptions,
  ServiceRegistry,
  SessionScope,
} from '#client/recipes/index.js'
import t from 'tap'
import { startProxy } from '../../support/tcp-proxy.js'
import { rejection } from '../client-kit.js'
import { connectTo, startReal, StateLog } from '../real-kit.js'
import type { CuttingTransport } from './cutting.js'
import { connectCutting, expire } from './expiring.js'
import { namesAt, untilEmpty, untilNames } from './recipe-kit.js'

/** Resolves once the resolver knows them so; others tell it that something happened. */
const untilKnown = async (
  client: Client,
  resolver: ServiceResolver<unknown>,
  isWanted: (instances: readonly ServiceInstance<unknown>[]) => boolean,
): Promise<void> => {
  while (!isWanted(resolver.instances())) await client.sync()
}

const idsOf = (instances: readonly ServiceInstance<unknown>[]): string =>
  instances.map(({ id }) => id).join(' ')

const picked = (resolver: ServiceResolver<unknown>, count: number): string =>
  Array.from({ length: count }, () => resolver.pick()?.id ?? '-').join(' ')

t.test('RECIPE-140 an instance is known from its registration until it ends', async (t) => {
  const { server, client } = await startReal(t)
  const other = await connectTo(t, server.url)
  const services = new ServiceRegistry<{ readonly shard: number }>(client, '/services')
  await using resolver = services.resolver('query')
  await resolver.ready
  t.equal(resolver.pick(), null)
  const known = (wanted: string) =>
    untilKnown(client, resolver, (instances) => idsOf(instances) === wanted)
  const one = await services.register('query', { id: 'q-1', address: '10.0.0.5:9000' })
  const two = await new ServiceRegistry(other, '/services').register('query', {
    id: 'q-2',
    address: '10.0.0.6:9000',
    zone: 'a',
    weight: 3,
    metadata: { shard: 7 },
  })
  await services.register('storage', { id: 's-1', address: '10.0.0.7:9000' })
  await known('q-1 q-2')
  t.strictSame(resolver.instances(), [
    { id: 'q-1', address: '10.0.0.5:9000', zone: null, weight: 1, healthy: true, metadata: null },
    {
      id: 'q-2',
      address: '10.0.0.6:9000',
      zone: 'a',
      weight: 3,
      healthy: true,
      metadata: { shard: 7 },
    },
  ])
  await two.update({ healthy: false })
  t.equal(two.instance.healthy, false)
  t.equal(two.instance.weight, 3)
  await untilKnown(client, resolver, ([, second]) => second?.healthy === false)
  t.equal(picked(resolver, 3), 'q-1 q-1 q-1')
  await one.unregister()
  await one.ended
  await known('q-2')
  t.equal(resolver.pick(), null, 'the only one is not healthy')
  // What is no instance is passed over.
  await client.create('/services/query/junk', new Uint8Array([1, 2]))
  await client.create('/services/query/null')
  await client.create('/services/query/part', new TextEncoder().encode('{"id":"part"}'))
  await using three = await services.register('query', { id: 'q-3', address: '10.0.0.8:9000' })
  await known('q-2 q-3')
  await other.close()
  await known('q-3')
  await two.ended
  await two.unregister()
  t.equal(three.instance.id, 'q-3')
})

t.test('RECIPE-140 what makes no sense is refused, and leaves nothing', async (t) => {
  const { client } = await startReal(t)
  const services = new ServiceRegistry(client, '/services')
  const good = { id: 'q-1', address: 'a:1' }
  const wrong = [
    { ...good, id: '' },
    { ...good, id: 'a/b' },
    { id: 'q-1' },
    { ...good, weight: -1 },
    { ...good, weight: 0.5 },
    { ...good, zone: 7 },
    { ...good, healthy: 'yes' },
    { ...good, port: 1 },
  ] as unknown as readonly (typeof good)[]
  for (const one of wrong) {
    const error = await rejection(services.register('query', one))
    t.match(error, { code: 'badArguments' }, JSON.stringify(one))
  }
  t.match(await rejection(services.register('a/b', good)), { code: 'badArguments' })
  const wordy = { ...good, metadata: 'x'.repeat(16_384) }
  t.match(await rejection(services.register('query', wordy)), { code: 'tooLarge' })
  const over = AbortSignal.abort(new Error('enough'))
  t.match(await rejection(services.register('query', good, { signal: over })), {
    message: 'enough',
  })
  await untilEmpty(client, '/services')
  await using me = await services.register('query', good)
  t.match(await rejection(me.update({ weight: -1 })), { code: 'badArguments' })
  t.match(await rejection(me.update({ metadata: wordy.metadata })), { code: 'tooLarge' })
  t.strictSame(me.instance, { ...good, zone: null, weight: 1, healthy: true, metadata: null })
  const options = [{ strategy: 'best' }, { strategy: 'zoneAware' }, { zone: 7 }, { random: 7 }]
  for (const one of options as unknown as readonly ServiceResolverOptions[]) {
    t.throws(() => services.resolver('query', one), { code: 'badArguments' })
  }
})

t.test('RECIPE-141 who comes back is known at once, and its past hides nothing', async (t) => {
  const { server, client } = await startReal(t)
  const past = await connectTo(t, server.url)
  const register = (one: Client, address: string) =>
    new ServiceRegistry(one, '/services').register('query', { id: 'q-1', address })
  await using resolver = new ServiceRegistry(client, '/services').resolver('query')
  await resolver.ready
  const before = await register(past, 'before')
  await register(client, 'after')
  await untilKnown(client, resolver, ([one]) => one?.address === 'after')
  await before.update({ weight: 7 })
  await client.sync()
  t.equal((await namesAt(client, '/services/query')).length, 2)
  t.equal(picked(resolver, 2), 'q-1 q-1')
  t.equal(resolver.pick()?.address, 'after')
  await past.close()
  await untilNames(client, '/services/query', (names) => names.length === 1)
  t.equal(resolver.pick()?.address, 'after')
})

t.test(
  'RECIPE-142 a registration is made again, in each session, as it was said last',
  async (t) => {
    const { server, client } = await startReal(t)
    const wires: CuttingTransport[] = []
    const scope = new SessionScope(async () => {
      const one = await connectCutting(t, server.url)
      wires.push(one.wire)
      return one.client
    })
    const expirePresent = async (): Promise<void> =>
      expire(wires.at(-1) as CuttingTransport, await scope.client())
    await using resolver = new ServiceRegistry(client, '/services').resolver('query')
    await resolver.ready
    const services = new ServiceRegistry(scope, '/services')
    await using own = services.resolver('query')
    const me = await services.register('query', { id: 'q-1', address: 'one' })
    const known = (wanted: Partial<ServiceInstance<unknown>>) =>
      untilKnown(
        client,
        resolver,
        ([one]) => one?.address === wanted.address && one?.weight === wanted.weight,
      )
    await known({ address: 'one', weight: 1 })
    const [first = ''] = await namesAt(client, '/services/query')
    await client.delete(`/services/query/${first}`)
    await untilNames(client, '/services/query', (names) => names.length === 1)
    await me.update({ weight: 2 })
    await known({ address: 'one', weight: 2 })
    await expirePresent()
    const [second = ''] = await untilNames(
      client,
      '/services/query',
      ([name]) => name !== undefined && name !== first,
    )
    await known({ address: 'one', weight: 2 })
    // Said while there is no session, and while the next one begins.
    await expirePresent()
    const updating = me.update({ address: 'two' })
    await untilNames(client, '/services/query', ([name]) => name !== undefined && name !== second)
    await updating
    await known({ address: 'two', weight: 2 })
    t.equal(wires.length, 3)
    await own.ready
    await untilKnown(client, own, ([one]) => one?.address === 'two')
    await me.unregister()
    t.strictSame(await namesAt(client, '/services/query'), [])
    const last = await services.register('query', { id: 'q-1', address: 'three' })
    await scope.close()
    await last.ended
    await untilEmpty(client, '/services/query')
    t.match(await rejection(services.register('query', { id: 'q-1', address: 'four' })), {
      code: 'closing',
    })
  },
)

t.test('RECIPE-142 without a scope it ends with its session', async (t) => {
  const { server, client } = await startReal(t)
  const { wire, client: mortal } = await connectCutting(t, server.url)
  const services = new ServiceRegistry(mortal, '/services')
  const me = await services.register('query', { id: 'q-1', address: 'one' })
  const resolver = services.resolver('query')
  await resolver.ready
  await untilKnown(client, resolver, (instances) => instances.length === 1)
  expire(wire, mortal)
  t.ok((await rejection(me.ended)) instanceof SessionExpiredError)
  await untilEmpty(client, '/services/query')
  await me.update({ weight: 3 })
  await me.unregister()
  await resolver.close()
})

t.test('RECIPE-143 each strategy chooses as it says', async (t) => {
  const { client } = await startReal(t)
  const services = new ServiceRegistry(client, '/services')
  const register = (id: string, weight: number) =>
    services.register('query', { id, address: id, weight })
  const known = (resolver: ServiceResolver<unknown>, wanted: string) =>
    untilKnown(client, resolver, (instances) => idsOf(instances) === wanted)
  const dice = [0, 0.34, 0.99, 0.5]
  const resolverOf = async (options: ServiceResolverOptions) => {
    const resolver = services.resolver('query', options)
    t.teardown(() => resolver.close())
    await resolver.ready
    return resolver
  }
  const inTurn = await resolverOf({})
  const random = await resolverOf({ strategy: 'random', random: () => dice.shift() ?? 0 })
  const weighted = await resolverOf({ strategy: 'weighted' })
  for (const resolver of [inTurn, random, weighted]) t.equal(resolver.pick(), null)
  const a = await register('a', 5)
  const b = await register('b', 1)
  await register('c', 1)
  for (const resolver of [inTurn, random, weighted]) await known(resolver, 'a b c')
  dice.splice(0, dice.length, 0, 0.34, 0.99, 0.5)
  t.equal(picked(inTurn, 5), 'a b c a b')
  t.equal(picked(random, 4), 'a b c b')
  t.equal(picked(weighted, 14), 'a a b a c a a a a b a c a a')
  // In the middle of it one goes and one comes.
  await b.unregister()
  await register('d', 2)
  for (const resolver of [inTurn, weighted]) await known(resolver, 'a c d')
  t.equal(picked(inTurn, 4), 'c d a c')
  const next = picked(weighted, 8).split(' ')
  t.strictSame(
    ['a', 'c', 'd'].map((id) => next.filter((one) => one === id).length),
    [5, 1, 2],
  )
  await a.update({ weight: 0 })
  await untilKnown(client, weighted, ([first]) => first?.weight === 0)
  t.notMatch(picked(weighted, 9), 'a')
})

t.test('RECIPE-144 those of the own zone, as long as one of them is healthy', async (t) => {
  const { client } = await startReal(t)
  const services = new ServiceRegistry(client, '/services')
  const register = (id: string, zone: string | null, weight = 1) =>
    services.register('query', { id, address: id, zone, weight })
  await using resolver = services.resolver('query', { strategy: 'zoneAware', zone: 'x' })
  await resolver.ready
  t.equal(resolver.pick(), null)
  const x1 = await register('x1', 'x', 2)
  const x2 = await register('x2', 'x')
  await register('y1', 'y')
  await register('z', null)
  await untilKnown(client, resolver, ({ length }) => length === 4)
  t.equal(picked(resolver, 6), 'x1 x2 x1 x1 x2 x1')
  await x1.update({ healthy: false })
  await untilKnown(client, resolver, ([first]) => first?.healthy === false)
  t.equal(picked(resolver, 2), 'x2 x2')
  await x2.unregister()
  await untilKnown(client, resolver, ({ length }) => length === 3)
  t.equal(picked(resolver, 4), 'y1 z y1 z')
  await x1.update({ healthy: true })
  await untilKnown(client, resolver, ([first]) => first?.healthy === true)
  t.equal(picked(resolver, 2), 'x1 x1')
})

t.test('RECIPE-145 without a server it goes on answering, and says how old that is', async (t) => {
  const { server, client } = await startReal(t)
  const proxy = await startProxy(t, server.clientPort)
  const parted = await connectTo(t, proxy.address)
  const services = new ServiceRegistry(client, '/services')
  await services.register('query', { id: 'q-1', address: 'one' })
  await using resolver = new ServiceRegistry(parted, '/services').resolver('query')
  t.equal(resolver.staleMs, Infinity)
  t.throws(() => resolver.pick(), { code: 'badArguments' })
  await resolver.ready
  t.equal(resolver.pick()?.id, 'q-1')
  const log = new StateLog(parted)
  proxy.part()
  await log.next(({ state }) => state === 'suspended')
  const stale = resolver.staleMs
  t.ok(Number.isFinite(stale))
  await services.register('query', { id: 'q-2', address: 'two' })
  t.equal(picked(resolver, 2), 'q-1 q-1')
  t.ok(resolver.staleMs > stale)
  proxy.heal()
  await log.next(({ state }) => state === 'connected')
  await untilKnown(parted, resolver, ({ length }) => length === 2)
  await resolver.close()
  t.equal(picked(resolver, 2), 'q-2 q-1')
})
