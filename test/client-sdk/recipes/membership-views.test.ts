import { type Client, FencedError } from '#client/index.js'
import { type MemberChange, Membership, type MembershipView } from '#client/recipes/index.js'
import t from 'tap'
import { startProxy } from '../../support/tcp-proxy.js'
import { rejection } from '../client-kit.js'
import { connectTo, startReal } from '../real-kit.js'
import { connectCutting, expire } from './expiring.js'
import { has, members, show, takeUntil } from './membership-kit.js'
import { deferred, untilEmpty, untilNames } from './recipe-kit.js'

t.test('RECIPE-134 all see the same views, whenever they begin to look', async (t) => {
  const { server, client } = await startReal(t)
  const clients = await Promise.all(Array.from({ length: 4 }, () => connectTo(t, server.url)))
  const sequences: (readonly MembershipView<unknown>[])[] = []
  const isLast = has('last', 'left')
  const looking: Promise<void>[] = []
  const look = (one: Client): void => {
    const taking = takeUntil(Membership.views(one, '/cluster'), isLast)
    looking.push(taking.then((views) => void sequences.push(views)))
  }
  look(client)
  await Promise.all(
    clients.map(async (one, i) => {
      for (let round = 0; round < 10; round += 1) {
        const id = `db-${i}-${round % 2}`
        const me = await Membership.join(one, '/cluster', { id, data: round })
        look(one)
        await me.update(round + 1)
        if (round % 3 === 0) await Membership.evict(client, me)
        else await me.leave({ drainMs: 0 })
      }
    }),
  )
  const last = await Membership.join(client, '/cluster', { id: 'last' })
  await last.leave()
  await Promise.all(looking)
  const [whole = []] = sequences.toSorted((a, b) => b.length - a.length)
  t.equal(whole[0]?.epoch, 0)
  t.strictSame(
    whole.map(({ epoch }) => epoch),
    whole.map((_, i) => i),
  )
  t.equal(sequences.length, 41)
  const shown = whole.map(show)
  for (const [first, ...rest] of sequences) {
    const epoch = first?.epoch ?? 0
    t.equal(
      show({ ...first, changes: whole[epoch]?.changes } as MembershipView<unknown>),
      shown[epoch],
    )
    t.strictSame(first?.changes, [])
    t.strictSame(rest.map(show), shown.slice(epoch + 1))
  }
  // Every view is the one before and its changes.
  const legal = new Set(['null joining', 'joining joining', 'joining active', 'active active'])
  for (const step of ['active leaving', 'leaving left', 'joining failed', 'active failed'])
    legal.add(step)
  for (const [i, { changes, members }] of whole.entries()) {
    const before = new Map(whole[i - 1]?.members)
    for (const { from, member } of changes as readonly MemberChange<unknown>[]) {
      t.ok(legal.has(`${from} ${member.state}`), `${from} ${member.state}`)
      t.equal(before.get(member.id)?.state ?? null, from)
      if (member.state === 'left' || member.state === 'failed') before.delete(member.id)
      else before.set(member.id, member)
    }
    t.strictSame(before, members)
    t.equal(changes.length, i === 0 ? 0 : 1)
    const generations = [...members.values()].map(({ generation }) => generation)
    t.strictSame(
      generations,
      generations.toSorted((a, b) => a - b),
    )
  }
})

t.test('RECIPE-134 a loop ends with what ends it, and says which', async (t) => {
  const { server, client } = await startReal(t)
  const other = await connectTo(t, server.url)
  const me = await Membership.join(other, '/cluster', { id: 'db-1' })
  const over = new AbortController()
  const given = me.views({ signal: over.signal })
  const own = me.views()
  await Promise.all([given.next(), own.next()])
  over.abort(new Error('enough'))
  t.match(await rejection(given.next()), { message: 'enough' })
  await me.leave({ drainMs: 0 })
  for (;;) if ((await own.next()).done === true) break
  t.strictSame(await me.views().next(), { done: true, value: undefined })
  const next = await Membership.join(other, '/cluster', { id: 'db-1' })
  const fenced = next.views()
  await fenced.next()
  await Membership.evict(client, next)
  t.ok((await rejection(takeUntil(fenced, () => false))) instanceof FencedError)
  const observing = Membership.views(other, '/cluster')
  await observing.next()
  const ended = observing.next()
  await other.close()
  t.strictSame(await ended, { done: true, value: undefined })
  const gone = Membership.views(client, '/cluster')
  await gone.next()
  await untilEmpty(client, '/cluster/acknowledgements')
  await client.delete(members)
  t.match(await rejection(gone.next()), { code: 'noNode', path: members })
  await untilNames(client, '/', (names) => !names.includes('cluster'))
})

t.test('RECIPE-134 no view is left out in silence', async (t) => {
  const options = { historyBytesMax: 0, segmentBytes: 65_536, snapshotTxns: 200 }
  const { server, client } = await startReal(t, options)
  const proxy = await startProxy(t, server.clientPort)
  const parted = await connectTo(t, proxy.address, { sessionTimeoutMs: 60_000 })
  await client.create('/noise')
  const views = Membership.views(parted, '/cluster')
  await views.next()
  proxy.part()
  await Membership.join(client, '/cluster', { id: 'db-1' })
  for (let i = 0; i < 20; i += 1) {
    const sets = Array.from({ length: 100 }, () => client.set('/noise', new Uint8Array(2_000)))
    await Promise.all(sets)
  }
  proxy.heal()
  t.match(await rejection(views.next()), { code: 'compacted', path: members })
  const again = await Membership.views(parted, '/cluster').next()
  t.match(again.value, { epoch: 2, changes: [] })
})

t.test('RECIPE-135 who leaves waits until the others have dealt with it', async (t) => {
  const { server, client } = await startReal(t)
  const other = await connectTo(t, server.url)
  const me = await Membership.join(client, '/cluster', { id: 'db-1' })
  const you = await Membership.join(other, '/cluster', { id: 'db-2' })
  const seen = deferred()
  const dealt = deferred()
  const rebalancing = (async () => {
    for await (const view of you.views()) {
      if (!has('db-1', 'leaving')(view)) continue
      seen.resolve()
      await dealt.promise
    }
  })()
  // A loop of one's own is not waited for, also when it does not go on.
  const own = me.views()
  await own.next()
  await untilNames(client, '/cluster/acknowledgements', (names) => names.length === 2)
  let hasLeft = false
  const leaving = me.leave().then((isDrained) => {
    hasLeft = true
    return isDrained
  })
  await seen.promise
  await Promise.all([client.whoAmI(), other.whoAmI()])
  t.notOk(hasLeft)
  t.ok(me.isHeld)
  await client.transaction().add(me.guard).create('/handed-over').commit()
  dealt.resolve()
  t.equal(await leaving, true)
  t.equal((await own.next()).done, true)
  await you.leave()
  await rebalancing
  await untilNames(client, '/cluster', (names) => names.length === 1)
})

t.test('RECIPE-135 not for those who are gone, and not longer than it is told', async (t) => {
  const { server, client } = await startReal(t)
  const stuck = await connectCutting(t, server.url)
  const you = await Membership.join(stuck.client, '/cluster', { id: 'db-2' })
  const views = you.views()
  await views.next()
  const me = await Membership.join(client, '/cluster', { id: 'db-1' })
  t.equal(await me.leave({ drainMs: 20 }), false)
  const hurried = await Membership.join(client, '/cluster', { id: 'db-1' })
  const slowly = hurried.leave()
  await hurried.release()
  t.equal(await slowly, false)
  const observed = Membership.views(client, '/cluster')
  await observed.next()
  const again = await Membership.join(client, '/cluster', { id: 'db-1' })
  const leaving = again.leave()
  await takeUntil(observed, has('db-1', 'leaving'))
  expire(stuck.wire, stuck.client)
  t.equal(await leaving, true)
  // Who has left is not waited for either, though its loop stands still.
  const late = await Membership.join(client, '/cluster', { id: 'db-3' })
  await late.views().next()
  await late.release()
  const last = await Membership.join(client, '/cluster', { id: 'db-1' })
  t.equal(await last.leave(), true)
})
