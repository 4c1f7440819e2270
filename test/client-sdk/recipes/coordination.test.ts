import { BadVersionError, type Client, connect, FencedError, json } from '#client/index.js'
import {
  Barrier,
  Counter,
  DoubleBarrier,
  Election,
  Mutex,
  PersistentEphemeral,
  SessionScope,
  SharedValue,
  TimestampOracle,
} from '#client/recipes/index.js'
import t from 'tap'
import { startTestServer } from '../../support/server-kit.js'
import { rejection } from '../client-kit.js'
import { connectTo, startReal } from '../real-kit.js'
import { CuttingTransport } from './cutting.js'
import { abortOf, deferred, namesAt, untilEmpty, untilNames } from './recipe-kit.js'

t.test('RECIPE-19 a closed barrier keeps all until it is opened', async (t) => {
  const { server, client } = await startReal(t)
  const barrier = new Barrier(client, '/maintenance/now')
  await barrier.pass()
  t.equal(await barrier.close(), true)
  t.equal(await barrier.close(), false)
  const passed: number[] = []
  const passing = [1, 2].map((one) => barrier.pass().then(() => passed.push(one)))
  t.match(await rejection(barrier.pass({ timeoutMs: 50 })), { name: 'TimeoutError' })
  t.strictSame(passed, [])
  t.equal(await barrier.open(), true)
  t.equal(await barrier.open(), false)
  await Promise.all(passing)
  const other = await connectTo(t, server.url)
  await new Barrier(other, '/maintenance/now').close({ whileAlive: true })
  const waiting = barrier.pass()
  await other.close()
  await waiting
})

t.test('RECIPE-20 members of a double barrier begin and leave together, also anew', async (t) => {
  const { server, client } = await startReal(t)
  const members = [0, 1, 2].map(() => new DoubleBarrier(client, '/b', { members: 3 }))
  for (const round of [1, 2]) {
    const entered: number[] = []
    const entering = members.map((member, i) =>
      i === 0 ? null : member.enter().then(() => entered.push(i)),
    )
    await untilNames(client, '/b', (names) => names.length === 2)
    t.strictSame(entered, [], `round ${round}`)
    await Promise.all([...entering, members[0]?.enter()])
    const left: number[] = []
    const leaving = members.map((member, i) =>
      i === 2 ? null : member.leave().then(() => left.push(i)),
    )
    await untilNames(client, '/b', (names) => names.length <= 3)
    t.strictSame(left, [])
    await Promise.all([...leaving, members[2]?.leave()])
    await untilEmpty(client, '/b')
  }
  t.match(
    await rejection(new DoubleBarrier(client, '/b', { members: 2 }).enter({ timeoutMs: 50 })),
    {
      name: 'TimeoutError',
    },
  )
  await untilEmpty(client, '/b')
  // One that dies has left.
  const other = await connectTo(t, server.url)
  const pair = [client, other].map((one) => new DoubleBarrier(one, '/b', { members: 2 }))
  await Promise.all(pair.map((member) => member.enter()))
  const leaving = pair[0]?.leave()
  await other.close()
  await leaving
  await untilEmpty(client, '/b')
})

t.test('RECIPE-21 no update of a shared value is lost, and too many give up', async (t) => {
  const { server, client } = await startReal(t)
  const clients = await Promise.all([1, 2, 3, 4].map(() => connectTo(t, server.url)))
  const options = { initial: [] as number[], as: json<number[]>() }
  t.strictSame(await new SharedValue(client, '/v/a', options).get(), { value: [], version: -1 })
  await Promise.all(
    clients.map((one, i) => new SharedValue(one, '/v/a', options).update((value) => [...value, i])),
  )
  const shared = new SharedValue(client, '/v/a', options)
  const { value, version } = await shared.get()
  t.strictSame(
    value.toSorted((a, b) => a - b),
    [0, 1, 2, 3],
  )
  t.equal(version, 3)
  t.equal(await shared.compareAndSet(2, []), null)
  t.equal(await shared.compareAndSet(-1, []), null)
  t.equal(await shared.compareAndSet(3, [9]), 4)
  const values = shared.values()
  t.match((await values.next()).value, { value: [9] })
  await shared.update(() => [10])
  t.match((await values.next()).value, { value: [10] })
  await values.return()
  let attempts = 0
  const slow = new SharedValue(client, '/v/b', { initial: 0, as: json<number>() })
  const rival = {
    encode: (number: number) => json.encode(number),
    decode(data: Uint8Array): number {
      attempts += 1
      // Written before the answer to this read can lead to a write.
      void client.set('/v/b', new TextEncoder().encode(String(attempts)))
      return Number(new TextDecoder().decode(data))
    },
  }
  await slow.update(() => 0)
  const outrun = new SharedValue(client, '/v/b', { initial: 0, as: rival })
  t.ok((await rejection(outrun.update((number) => number + 1))) instanceof BadVersionError)
  t.equal(attempts, 100)
})

t.test('RECIPE-21 a shared value that is made anew is another one', async (t) => {
  const { client } = await startReal(t)
  const shared = new SharedValue(client, '/v', { initial: 'none', as: json<string>() })
  const makeAnew = (value: string): Promise<unknown> =>
    client.transaction().delete('/v').create('/v', value, { as: json }).commit()
  await shared.update(() => 'one')
  const values = shared.values()
  t.match((await values.next()).value, { value: 'one', version: 0 })
  // The version is the same.
  await makeAnew('two')
  t.match((await values.next()).value, { value: 'two', version: 0 })
  await values.return()
  const making: Promise<unknown>[] = []
  const { value } = await shared.update((before) => {
    // It is sent before what is computed from the old value.
    if (making.length === 0) making.push(makeAnew('three'))
    return `${before} and more`
  })
  await Promise.all(making)
  t.equal(value, 'three and more')
})

t.test('RECIPE-22 a counter gives each step once', async (t) => {
  const { server, client } = await startReal(t)
  const counters = await Promise.all(
    [1, 2, 3].map(async () => new Counter(await connectTo(t, server.url), '/c', { initial: 5 })),
  )
  const steps = await Promise.all(counters.flatMap((one) => [one.add(1), one.add(1)]))
  const befores = steps.map(({ before }) => before)
  t.strictSame(
    befores.toSorted((a, b) => a - b),
    [5, 6, 7, 8, 9, 10],
  )
  const counter = new Counter(client, '/c')
  t.equal(await counter.get(), 11)
  t.strictSame(await counter.add(-11), { before: 11, after: 0 })
  t.match(await rejection(counter.add(0.5)), { code: 'badArguments' })
  for await (const value of counter.values()) {
    t.equal(value, 0)
    break
  }
})

t.test('RECIPE-23 RECIPE-25 an ephemeral is kept over deletion and expiry', async (t) => {
  const { server, client } = await startReal(t)
  const wires: CuttingTransport[] = []
  await using scope = new SessionScope(async () => {
    const wire = new CuttingTransport()
    wires.push(wire)
    return wire.connect(server.url)
  })
  const over = new AbortController()
  const alive = new PersistentEphemeral('/alive/me', new Uint8Array([7]))
  const keeping = scope.run((one, signal) => alive.keep(one, { signal }), { signal: over.signal })
  const ended = rejection(keeping)
  await untilNames(client, '/alive', (names) => names.length === 1)
  const first = await scope.client()
  const { stat, changed } = await client.exists('/alive/me', { watch: true })
  t.equal(stat?.ephemeralOwner, first.sessionId)
  await client.delete('/alive/me')
  t.equal((await changed).type, 'deleted')
  await untilNames(client, '/alive', (names) => names.length === 1)
  wires[0]?.arm(1, 'expire')
  void first.whoAmI().catch(() => undefined)
  const made = client.watch('/alive/me')
  for await (const { type } of made) if (type === 'created') break
  const second = await scope.client()
  t.not(second, first)
  t.equal(first.state, 'expired')
  const znode = await client.get('/alive/me')
  t.equal(znode.stat.ephemeralOwner, second.sessionId)
  t.strictSame([...znode.data], [7])
  over.abort(new Error('enough'))
  t.match(await ended, { message: 'enough' })
  await untilEmpty(client, '/alive')
})

t.test('RECIPE-23 a name that another session has is waited for', async (t) => {
  const { server, client } = await startReal(t)
  const other = await connectTo(t, server.url)
  await other.create('/me', null, { kind: 'ephemeral' })
  const over = new AbortController()
  const keeping = new PersistentEphemeral('/me').keep(client, { signal: over.signal })
  await client.whoAmI()
  t.equal((await client.exists('/me'))?.ephemeralOwner, other.sessionId)
  const made = client.watch('/me')
  await made.next()
  await other.close()
  for await (const { type } of made) if (type === 'created') break
  t.equal((await client.exists('/me'))?.ephemeralOwner, client.sessionId)
  over.abort(new Error('enough'))
  t.match(await rejection(keeping), { message: 'enough' })
  t.equal(await client.exists('/me'), null)
})

t.test('RECIPE-24 timestamps rise over every change of who gives them', async (t) => {
  const { client } = await startReal(t)
  let last = -1
  const take = (first: number, count = 1): void => {
    t.ok(first > last, `${first} after ${last}`)
    last = first + count - 1
  }
  const election = new Election(client, '/leader')
  const old: TimestampOracle[] = []
  for (const window of [10, 5, 10]) {
    await election.lead(async (leadership) => {
      const holding = { guard: leadership.guard, isHeld: () => leadership.isLeader }
      const oracle = await TimestampOracle.open(client, '/tso/next', holding, { window })
      old.push(oracle)
      for (let i = 0; i < 12; i += 1) take(await oracle.next())
      take(await oracle.next(25), 25)
      const many = await Promise.all(Array.from({ length: 30 }, () => oracle.next()))
      for (const one of many.toSorted((a, b) => a - b)) take(one)
    })
  }
  for (const oracle of old) t.ok((await rejection(oracle.next())) instanceof FencedError)
  // One that does not know yet that it holds nothing cannot reserve a window any more.
  const mutex = new Mutex(client, '/m')
  const lock = await mutex.acquire()
  const holding = { guard: lock.guard, isHeld: () => true }
  const blind = await TimestampOracle.open(client, '/tso/next', holding, { window: 1 })
  take(await blind.next())
  await lock.release()
  t.ok((await rejection(blind.next())) instanceof FencedError)
  t.match(await rejection(blind.next(0)), { code: 'badArguments' })
})

t.test(
  'RECIPE-25 a scope runs all again in the next session, and ends with what ends',
  async (t) => {
    const server = await startTestServer(t)
    const wires: CuttingTransport[] = []
    let failures = 1
    const scope = new SessionScope(async () => {
      if (failures > 0) {
        failures -= 1
        return connect('conclave://127.0.0.1:1', { connectTimeoutMs: 1 })
      }
      const wire = new CuttingTransport()
      wires.push(wire)
      return wire.connect(server.url)
    })
    const sessions: number[] = []
    const begun = [deferred(), deferred()]
    const endless = Array.from({ length: 20 }, () =>
      rejection(scope.run(async (_client, signal) => Promise.reject(await abortOf(signal)))),
    )
    const leading = scope.run((client, signal) =>
      new Election(client, '/leader').lead(
        async (leadership) => {
          begun[sessions.push(client.sessionId) - 1]?.resolve()
          if (sessions.length === 2) return leadership.token
          return Promise.reject(await abortOf(leadership.signal))
        },
        { signal },
      ),
    )
    await begun[0]?.promise
    const first = await scope.client()
    wires[0]?.arm(1, 'expire')
    void first.whoAmI().catch(() => undefined)
    await begun[1]?.promise
    t.equal(typeof (await leading), 'number')
    t.equal(new Set(sessions).size, 2)
    t.equal(wires.length, 2, 'one client for all')
    const mistake = scope.run(() => Promise.reject(new Error('a mistake')))
    t.match(await rejection(mistake), { message: 'a mistake' })
    const watcher = await connectTo(t, server.url)
    await scope.close()
    for (const error of await Promise.all(endless)) t.match(error, { code: 'closing' })
    t.match(await rejection(scope.client()), { code: 'closing' })
    t.match(await rejection(scope.run(() => 1)), { code: 'closing' })
    await untilEmpty(watcher, '/leader')
    t.strictSame(await namesAt(watcher, '/leader'), [])
    const stale = new SessionScope(() => Promise.resolve(first))
    t.match(await rejection(stale.run(() => 1)), { code: 'badArguments' })
    const refused = new SessionScope(() => connect('nonsense://'))
    t.match(await rejection(refused.client()), { code: 'badConnectString' })
    t.match(await rejection(refused.run(() => 1)), { code: 'badConnectString' })
  },
)

t.test('RECIPE-25 a scope that is closed while it connects closes what it gets', async (t) => {
  const server = await startTestServer(t)
  const asked = deferred()
  const clients: Client[] = []
  const scope = new SessionScope(async () => {
    await asked.promise
    const client = await connect(server.url)
    clients.push(client)
    return client
  })
  const running = rejection(scope.run(() => 'never'))
  const closing = scope.close()
  asked.resolve()
  await closing
  t.match(await running, { code: 'closing' })
  t.strictSame(
    clients.map(({ state }) => state),
    ['closed'],
  )
})

t.test(
  'RECIPE-25 a session that is over before it was looked at is followed by the next',
  async (t) => {
    const { server, client } = await startReal(t)
    const over = await connect(server.url)
    await over.close()
    const clients = [over, client]
    await using scope = new SessionScope(async () => clients.shift() ?? (await connect(server.url)))
    t.equal(await scope.run((one) => one.sessionId), client.sessionId)
  },
)
