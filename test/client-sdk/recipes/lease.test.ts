import { FencedError } from '#client/index.js'
import { Lease } from '#client/recipes/index.js'
import t from 'tap'
import { startProxy } from '../../support/tcp-proxy.js'
import { rejection } from '../client-kit.js'
import { connectTo, startReal, StateLog } from '../real-kit.js'
import { CuttingTransport } from './cutting.js'
import { abortOf, namesAt, standStillUntil, untilEmpty, untilNames } from './recipe-kit.js'

t.test(
  'RECIPE-15 a lease of the session is exclusive and goes in the order of arrival',
  async (t) => {
    const { server, client } = await startReal(t)
    const first = await Lease.acquire(client, '/leases/a', { id: 'one' })
    t.equal(await Lease.tryAcquire(client, '/leases/a'), null)
    t.equal((await namesAt(client, '/leases/a')).length, 1)
    const order: string[] = []
    const waiting: Promise<Lease>[] = []
    for (const id of ['two', 'three']) {
      const before = (await namesAt(client, '/leases/a')).length
      const other = await connectTo(t, server.url)
      waiting.push(
        Lease.acquire(other, '/leases/a', { id }).then((lease) => {
          order.push(id)
          return lease
        }),
      )
      await untilNames(client, '/leases/a', (names) => names.length > before)
    }
    t.equal(await Lease.tryAcquire(client, '/leases/a'), null)
    await first.release()
    t.notOk(first.isHeld)
    const second = await waiting[0]
    t.ok((second?.token ?? 0) > first.token)
    const write = client.transaction().add(first.guard).create('/stale').commit()
    t.ok((await rejection(write)) instanceof FencedError)
    await second?.release()
    await (await waiting[1])?.release()
    t.strictSame(order, ['two', 'three'])
    await untilEmpty(client, '/leases/a')
    const free = await Lease.tryAcquire(client, '/leases/a')
    t.ok(free?.isHeld)
    t.match(await rejection(Lease.acquire(client, '/a', { ttlMs: 1 })), { code: 'badArguments' })
    t.match(await rejection(Lease.acquire(client, '/leases/a', { timeoutMs: 1 })), {
      name: 'TimeoutError',
    })
    await untilNames(client, '/leases/a', (names) => names.length === 1)
  },
)

t.test(
  'RECIPE-6 a lease that becomes free while its waiter is cut off is not missed',
  async (t) => {
    const { server, client: other } = await startReal(t)
    const proxy = await startProxy(t, server.clientPort)
    const wire = new CuttingTransport()
    const client = await wire.connect(`conclave://${proxy.address}`)
    t.teardown(() => client.close({ timeoutMs: 1_000 }))
    const held = await Lease.acquire(other, '/l')
    const cut = new Promise<void>((resolve) => {
      wire.onStrike = () => {
        proxy.part()
        resolve()
      }
    })
    // It begins to watch and looks again: the answers to both are lost.
    let isWatching = false
    let lookXid = Infinity
    wire.armWhen((frame) => {
      if (frame.frame === 'request' && 'path' in frame.op && frame.op.path === '/l/holder') {
        if (isWatching) lookXid = Math.min(lookXid, frame.xid)
        else isWatching = frame.op.op === 'watch'
      }
      if (!isWatching || frame.frame === 'request') return false
      return frame.frame === 'reply' && frame.xid === lookXid ? true : 'lose'
    }, 'cutBefore')
    const waiting = Lease.acquire(client, '/l')
    await cut
    await held.release()
    proxy.heal()
    t.ok((await waiting).isHeld)
  },
)

t.test('RECIPE-16 a lease with a time outlives its session, and ends by it', async (t) => {
  const { server, client } = await startReal(t)
  const holder = await connectTo(t, server.url)
  const lease = await Lease.acquire(holder, '/l', { ttlMs: 1_000 })
  const { stat } = await client.exists(lease.path, { watch: true })
  t.match(stat, { kind: 'ttl', ttlMs: 1_000, ephemeralOwner: 0, czxid: lease.token })
  await holder.close()
  t.match(await abortOf(lease.signal), { code: 'closing' })
  t.equal((await client.exists(lease.path))?.czxid, lease.token, 'it is still there')
  const next = await Lease.acquire(client, '/l')
  t.ok(next.token > lease.token)
})

t.test(
  'RECIPE-16 a lease that is renewed goes on; one that is not is lost first here',
  async (t) => {
    const { client } = await startReal(t)
    const [kept, left] = await Promise.all([
      Lease.acquire(client, '/kept', { ttlMs: 1_000, renew: true }),
      Lease.acquire(client, '/left', { ttlMs: 1_000 }),
    ])
    const gone = await client.exists(left.path, { watch: true })
    t.ok(left.isHeld)
    const isLostFirst = await Promise.race([
      abortOf(left.signal).then(() => true),
      gone.changed.then(() => false),
    ])
    t.ok(isLostFirst, 'before the servers end it')
    t.match(left.signal.reason, { code: 'fenced' })
    await gone.changed
    t.ok((await rejection(left.renew())) instanceof FencedError)
    t.ok(kept.isHeld)
    t.ok(((await client.exists(kept.path))?.version ?? 0) > 0, 'it was renewed by itself')
    await kept.renew()
    await kept.release()
    t.strictSame(await namesAt(client, '/kept'), [])
  },
)

t.test('RECIPE-16 who stood still longer than the lease lasts holds nothing', async (t) => {
  const { client } = await startReal(t)
  const lease = await Lease.acquire(client, '/l', { ttlMs: 1_000, renew: true })
  const beganMs = performance.now()
  standStillUntil(() => performance.now() - beganMs > 1_000)
  t.notOk(lease.isHeld)
  t.notOk(lease.signal.aborted, 'it was not told yet')
})

t.test('RECIPE-16 a lease with a time does not depend on the session', async (t) => {
  const { server, client: other } = await startReal(t, { sessionTimeoutMsMin: 1_000 })
  const proxy = await startProxy(t, server.clientPort)
  const client = await connectTo(t, proxy.address, { sessionTimeoutMs: 1_000 })
  const log = new StateLog(client)
  const lease = await Lease.acquire(client, '/l', { ttlMs: 60_000 })
  const { changed } = await other.exists(
    await client.create('/alive', null, { kind: 'ephemeral' }),
    { watch: true },
  )
  proxy.part()
  await log.next(({ deadlinePassed }) => deadlinePassed)
  await changed
  t.ok(lease.isHeld)
  const again = await Lease.claim(other, '/l', { token: lease.token })
  t.ok(again.token > lease.token)
})

t.test('RECIPE-17 a lease is handed over without a moment in which it is free', async (t) => {
  const { server, client } = await startReal(t)
  const lease = await Lease.acquire(client, '/l', { id: 'old' })
  const other = await connectTo(t, server.url)
  const waiting = Lease.acquire(other, '/l', { id: 'third' })
  await untilNames(client, '/l', (names) => names.length === 2)
  const token = await lease.transfer('new')
  t.ok(lease.signal.aborted)
  t.ok(token > lease.token)
  await lease.release()
  t.match(await Lease.holders(client, '/'), [{ path: '/l', id: 'new', token }])
  const taken = await Lease.claim(other, '/l', { token, id: 'new' })
  t.ok(taken.token > token)
  t.match(await Lease.holders(client, '/'), [{ id: 'new', untilMs: null, token: taken.token }])
  await other.transaction().add(taken.guard).create('/written').commit()
  t.ok((await rejection(Lease.claim(client, '/l', { token }))) instanceof FencedError)
  t.ok((await rejection(lease.transfer('late'))) instanceof FencedError)
  await taken.release()
  t.ok((await waiting).token > taken.token)
})

t.test('RECIPE-18 an operator revokes a lease, and sees who has which', async (t) => {
  const { client } = await startReal(t)
  t.strictSame(await Lease.holders(client, '/leases'), [])
  const a = await Lease.acquire(client, '/leases/a', { id: 'one' })
  const b = await Lease.acquire(client, '/leases/b', { id: 'two', ttlMs: 60_000 })
  const { mtime = 0 } = (await client.exists(b.path)) ?? {}
  t.strictSame(await Lease.holders(client, '/leases'), [
    { path: '/leases/a', id: 'one', token: a.token, untilMs: null },
    { path: '/leases/b', id: 'two', token: b.token, untilMs: mtime + 60_000 },
  ])
  t.equal(await Lease.revoke(client, '/leases/a'), true)
  t.equal(await Lease.revoke(client, '/leases/a'), false)
  t.ok((await abortOf(a.signal)) instanceof FencedError)
  const write = client.transaction().add(a.guard).create('/stale').commit()
  t.ok((await rejection(write)) instanceof FencedError)
  await b.release()
})
