import { FencedError, SessionExpiredError } from '#client/index.js'
import { Mutex, MultiLock, ReadWriteLock, Semaphore } from '#client/recipes/index.js'
import t from 'tap'
import { startProxy } from '../../support/tcp-proxy.js'
import { cliOf } from '../../server/cli/cli-kit.js'
import { rejection } from '../client-kit.js'
import { connectTo, startReal, StateLog } from '../real-kit.js'
import { abortOf, namesAt, standStillUntil, untilEmpty, untilNames } from './recipe-kit.js'

t.test('RECIPE-1 RECIPE-9 a mutex goes from one to the next in the order of arrival', async (t) => {
  const { client } = await startReal(t)
  const mutex = new Mutex(client, '/locks/a')
  const first = await mutex.acquire()
  const order: number[] = []
  const waiting: Promise<void>[] = []
  for (const place of [1, 2, 3]) {
    const before = (await namesAt(client, '/locks/a')).length
    waiting.push(
      mutex.acquire().then(async (grant) => {
        order.push(place)
        t.equal((await mutex.holders()).length, 1)
        await grant.release()
      }),
    )
    await untilNames(client, '/locks/a', (names) => names.length > before)
  }
  t.equal(await mutex.tryAcquire(), null)
  t.strictSame(order, [])
  await first.release()
  await Promise.all(waiting)
  t.strictSame(order, [1, 2, 3])
  const again = await mutex.tryAcquire()
  t.ok(again?.isHeld)
  await again?.release()
})

t.test('RECIPE-2 the token rises with each holder, and the guard refuses the last', async (t) => {
  const { client } = await startReal(t)
  const mutex = new Mutex(client, '/m')
  await client.create('/data')
  const first = await mutex.acquire()
  await client.transaction().add(first.guard).set('/data', null).commit()
  t.match(await client.exists(first.path), {
    czxid: first.token,
    ephemeralOwner: client.sessionId,
  })
  await first.release()
  const second = await mutex.acquire()
  t.ok(second.token > first.token)
  const stale = client.transaction().add(first.guard).set('/data', null).commit()
  t.ok((await rejection(stale)) instanceof FencedError)
  t.equal((await client.get('/data')).stat.version, 1)
})

t.test('RECIPE-3 a grant is lost at the deadline, while suspended still', async (t) => {
  const { server, client: other } = await startReal(t, { sessionTimeoutMsMin: 1_000 })
  const proxy = await startProxy(t, server.clientPort)
  const client = await connectTo(t, proxy.address, { sessionTimeoutMs: 1_000 })
  const log = new StateLog(client)
  const grant = await new Mutex(client, '/m').acquire()
  const next = new Mutex(other, '/m').acquire()
  await untilNames(other, '/m', (names) => names.length === 2)
  proxy.part()
  const isLostFirst = await Promise.race([
    abortOf(grant.signal).then(() => true),
    next.then(() => false),
  ])
  t.ok(isLostFirst, 'before another has it')
  t.ok(grant.signal.reason instanceof SessionExpiredError)
  t.notOk(grant.isHeld)
  t.equal(client.state, 'suspended')
  t.ok((await next).token > grant.token)
  proxy.heal()
  await log.next(({ state }) => state === 'expired')
  await grant.release()
  t.strictSame(await namesAt(other, '/m'), [(await next).path.slice('/m/'.length)])
})

t.test('RECIPE-3 who stood still past the deadline holds nothing, told or not', async (t) => {
  const { server } = await startReal(t, { sessionTimeoutMsMin: 1_000 })
  const client = await connectTo(t, server.url, { sessionTimeoutMs: 1_000 })
  const grant = await new Mutex(client, '/m').acquire()
  t.ok(grant.isHeld)
  const deadline = client.deadline ?? Infinity
  standStillUntil(() => performance.now() >= deadline)
  t.notOk(grant.isHeld)
  t.notOk(client.isSafe)
  t.notOk(grant.signal.aborted, 'it was not told yet')
})

t.test('RECIPE-3 a grant is lost at once with the client that is closed', async (t) => {
  const { server, client: other } = await startReal(t)
  const client = await connectTo(t, server.url)
  const grant = await new Mutex(client, '/m').acquire()
  await client.close()
  t.match(grant.signal.reason, { code: 'closing' })
  await grant.release()
  t.strictSame(await namesAt(other, '/m'), [])
})

t.test('RECIPE-4 a grant whose znode is taken away is lost, also while cut off', async (t) => {
  const { server, client: other } = await startReal(t)
  const near = await new Mutex(other, '/near').acquire()
  await other.delete(near.path)
  t.ok((await abortOf(near.signal)) instanceof FencedError)
  const proxy = await startProxy(t, server.clientPort)
  const client = await connectTo(t, proxy.address)
  const log = new StateLog(client)
  const grant = await new Mutex(client, '/m').acquire()
  proxy.part()
  await log.next(({ state }) => state === 'suspended')
  t.ok(grant.isHeld)
  await other.delete(grant.path)
  // Another of the same name is not ours.
  await untilEmpty(other, '/m')
  await other
    .create(grant.path)
    .catch(() => other.create('/m').then(() => other.create(grant.path)))
  proxy.heal()
  t.ok((await abortOf(grant.signal)) instanceof FencedError)
  await grant.release()
  t.strictSame(await namesAt(other, '/m'), [grant.path.slice('/m/'.length)])
})

t.test('RECIPE-4 a lost connection costs no grant', async (t) => {
  const { server } = await startReal(t)
  const proxy = await startProxy(t, server.clientPort)
  const client = await connectTo(t, proxy.address)
  const log = new StateLog(client)
  const grant = await new Mutex(client, '/m').acquire()
  proxy.cut()
  await log.next(({ state }) => state === 'connected')
  await client.transaction().add(grant.guard).create('/done').commit()
  t.ok(grant.isHeld)
})

t.test('RECIPE-5 who gives up is told at once and leaves nothing behind', async (t) => {
  const { server, client } = await startReal(t)
  const mutex = new Mutex(client, '/m')
  const held = await mutex.acquire()
  const timedOut = await rejection(mutex.acquire({ timeoutMs: 1 }))
  t.match(timedOut, { name: 'TimeoutError' })
  const reason = new Error('enough')
  const over = new AbortController()
  const aborting = rejection(mutex.acquire({ signal: over.signal }))
  await untilNames(client, '/m', (names) => names.length === 2)
  over.abort(reason)
  t.equal(await aborting, reason)
  t.equal(await rejection(mutex.acquire({ signal: AbortSignal.abort(reason) })), reason)
  t.match(await rejection(mutex.acquire({ timeoutMs: -1 })), { code: 'badArguments' })
  await untilNames(client, '/m', (names) => names.length === 1)
  // While no server is there it is told at once all the same.
  const proxy = await startProxy(t, server.clientPort)
  const far = await connectTo(t, proxy.address)
  const log = new StateLog(far)
  const cutOff = new AbortController()
  const waiting = rejection(new Mutex(far, '/m').acquire({ signal: cutOff.signal }))
  await untilNames(client, '/m', (names) => names.length === 2)
  proxy.part()
  await log.next(({ state }) => state === 'suspended')
  cutOff.abort(reason)
  t.equal(await waiting, reason)
  proxy.heal()
  await untilNames(client, '/m', (names) => names.length === 1)
  await held.release()
})

t.test('RECIPE-5 whose place in the queue is taken away is told so', async (t) => {
  const { client } = await startReal(t)
  const mutex = new Mutex(client, '/m')
  const held = await mutex.acquire()
  const kicked = rejection(mutex.acquire())
  const [, place = ''] = await untilNames(client, '/m', (names) => names.length === 2)
  const next = mutex.acquire()
  await untilNames(client, '/m', (names) => names.length === 3)
  await client.delete(`/m/${place}`)
  await held.release()
  t.ok((await next).isHeld)
  t.ok((await kicked) instanceof FencedError)
})

t.test('RECIPE-8 holders and waiters are listed in their order, also by a command', async (t) => {
  const { server, client } = await startReal(t)
  const [a, b] = ['db-1', 'db-2'].map((id) => new Mutex(client, '/m', { id }))
  if (a === undefined || b === undefined) throw new Error('there are two')
  t.strictSame(await a.holders(), [])
  const held = await a.acquire()
  const waiting = b.acquire()
  await untilNames(client, '/m', (names) => names.length === 2)
  await client.create('/m/stranger')
  const about = { kind: 'lock', sessionId: client.sessionId }
  t.match(await a.holders(), [{ ...about, id: 'db-1', token: held.token, path: held.path }])
  t.match(await b.waiters(), [{ ...about, id: 'db-2', isHolder: false }])
  const { stdout } = await cliOf(server)(['locks', '/m'])
  t.match(stdout, /^STATE +KIND .*\nholds +lock +db-1 .*\nwaits +lock +db-2 .*\n$/)
  t.equal((await cliOf(server)(['locks', '/nothing'])).stdout, '')
  await held.release()
  t.ok((await waiting).isHeld)
})

t.test('RECIPE-9 a reentrant mutex is given again to its object, back with the last', async (t) => {
  const { client } = await startReal(t)
  const mutex = new Mutex(client, '/m', { reentrant: true })
  const [one, two] = await Promise.all([mutex.acquire(), mutex.acquire()])
  t.equal(one.token, two.token)
  const three = await mutex.tryAcquire()
  t.equal((await namesAt(client, '/m')).length, 1)
  await one.release()
  await one.release()
  t.notOk(one.isHeld)
  t.ok(two.isHeld)
  await two.release()
  t.equal(await new Mutex(client, '/m').tryAcquire(), null)
  t.notOk(three?.signal.aborted)
  await three?.release()
  t.ok(three?.signal.aborted)
  const next = await mutex.acquire()
  t.ok(next.token > one.token)
})

t.test('RECIPE-10 readers share, writers do not, and nobody overtakes', async (t) => {
  const { client } = await startReal(t)
  const lock = new ReadWriteLock(client, '/rw')
  const readers = await Promise.all([lock.read.acquire(), lock.read.acquire()])
  const writing = lock.write.acquire()
  await untilNames(client, '/rw', (names) => names.length === 3)
  const late = lock.read.acquire()
  await untilNames(client, '/rw', (names) => names.length === 4)
  t.strictSame(
    (await lock.read.waiters()).map(({ kind }) => kind),
    ['write', 'read'],
  )
  t.equal(await lock.read.tryAcquire(), null)
  await readers[0].release()
  t.equal((await lock.write.waiters()).length, 2)
  await readers[1].release()
  const writer = await writing
  t.equal((await lock.read.waiters()).length, 1)
  await writer.release()
  t.ok((await late).isHeld)
  // A writer that gives up lets the readers behind it in.
  const over = new AbortController()
  const gaveUp = rejection(lock.write.acquire({ signal: over.signal }))
  await untilNames(client, '/rw', (names) => names.length === 2)
  const reader = lock.read.acquire()
  await untilNames(client, '/rw', (names) => names.length === 3)
  over.abort(new Error('enough'))
  t.match(await gaveUp, { message: 'enough' })
  t.ok((await reader).isHeld)
})

t.test('RECIPE-11 a semaphore is held by so many, and the next is let in', async (t) => {
  const { client } = await startReal(t)
  const semaphore = new Semaphore(client, '/s', { permits: 2 })
  const [a, b] = await Promise.all([semaphore.acquire(), semaphore.acquire()])
  const order: number[] = []
  const asked = [3, 4, 5].map((place) =>
    semaphore.acquire().then((grant) => {
      order.push(place)
      return grant
    }),
  )
  await untilNames(client, '/s', (names) => names.length === 5)
  t.equal(await semaphore.tryAcquire(), null)
  t.equal((await semaphore.holders()).length, 2)
  await Promise.all([a.release(), b.release()])
  const [c, d] = await Promise.all([asked[0], asked[1]])
  t.strictSame(order, [3, 4])
  await d?.release()
  const e = await asked[2]
  t.equal((await semaphore.holders()).length, 2)
  await Promise.all([c?.release(), e?.release()])
  await untilEmpty(client, '/s')
  t.throws(() => new Semaphore(client, '/s', { permits: 0 }), { code: 'badArguments' })
})

t.test('RECIPE-12 a multi-lock takes all or none, and two never wait for each other', async (t) => {
  const { client } = await startReal(t)
  const lock = (path: string): Mutex => new Mutex(client, path)
  const held = await lock('/b').acquire()
  const both = new MultiLock([lock('/b'), lock('/a')])
  t.equal(await both.tryAcquire(), null)
  t.strictSame(await namesAt(client, '/a'), [])
  t.match(await rejection(both.acquire({ timeoutMs: 50 })), { name: 'TimeoutError' })
  await untilEmpty(client, '/a')
  await held.release()
  const crossed = [both, new MultiLock([lock('/a'), lock('/b')])]
  for (const grants of await Promise.all(
    crossed.map(async (multi) => {
      await using all = await multi.acquire()
      await all.guard(client.transaction().create('/n-', null, { kind: 'sequential' })).commit()
      return all
    }),
  )) {
    t.notOk(grants.isHeld)
    t.ok(grants.signal.aborted)
  }
  const one = await both.acquire()
  t.match(one.grants, [{ path: /^\/b/ }, { path: /^\/a/ }])
  await client.delete(one.grants[1]?.path ?? '')
  t.ok((await abortOf(one.signal)) instanceof FencedError)
  await one.release()
  t.throws(() => new MultiLock([lock('/a'), lock('/a')]), { code: 'badArguments' })
})

t.test('RECIPE-26 the directories of recipes go with their last child', async (t) => {
  const { client } = await startReal(t)
  const grant = await new Mutex(client, '/deep/er/m').acquire()
  const gone = await client.exists('/deep', { watch: true })
  t.equal(gone.stat?.kind, 'container')
  await grant.release()
  await untilNames(client, '/', (names) => !names.includes('deep'))
})
