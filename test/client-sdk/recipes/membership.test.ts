import { BadArgumentsError, type Client, FencedError, SessionExpiredError } from '#client/index.js'
import { type Member, Membership, SessionScope } from '#client/recipes/index.js'
import t from 'tap'
import { rejection } from '../client-kit.js'
import { connectTo, startReal } from '../real-kit.js'
import type { CuttingTransport } from './cutting.js'
import { connectCutting, expire } from './expiring.js'
import { has, members, said, takeUntil } from './membership-kit.js'
import { abortOf, namesAt, standStillUntil, untilEmpty } from './recipe-kit.js'

t.test(
  'RECIPE-130 a member joins, prepares, is active, leaves, and each step is seen',
  async (t) => {
    const { client } = await startReal(t)
    const views = Membership.views(client, '/cluster')
    t.match((await views.next()).value, { epoch: 0, changes: [], members: new Map() })
    const states: unknown[] = []
    const me = await Membership.join(client, '/cluster', {
      id: 'db-1',
      data: { zone: 'a' },
      async prepare(joining) {
        states.push(joining.id, await namesAt(client, members))
      },
    })
    t.strictSame(states, ['db-1', ['db-1']])
    await me.update({ zone: 'b' })
    await client.transaction().add(me.guard).create('/by-a-member').commit()
    t.ok(me.isHeld)
    t.equal(await me.leave(), true)
    t.notOk(me.isHeld)
    t.match(me.signal.reason, { name: 'AbortError' })
    t.equal(await me.leave(), true)
    await me.release()
    const stale = client.transaction().add(me.guard).create('/stale').commit()
    t.ok((await rejection(stale)) instanceof FencedError)
    t.ok((await rejection(me.update({ zone: 'c' }))) instanceof FencedError)
    const seen = await takeUntil(views, has('db-1', 'left'))
    t.strictSame(seen.map(said), [
      'db-1 null joining',
      'db-1 joining active',
      'db-1 active active',
      'db-1 active leaving',
      'db-1 leaving left',
    ])
    t.strictSame(
      seen.map(({ epoch }) => epoch),
      [1, 2, 3, 4, 5],
    )
    const [first, , updated] = seen.map((view) => view.members.get('db-1'))
    t.strictSame(first, {
      id: 'db-1',
      state: 'joining',
      generation: me.token,
      data: { zone: 'a' },
      guard: { path: me.path, czxid: me.token },
    })
    t.strictSame(updated?.data, { zone: 'b' })
    t.equal(seen.at(-1)?.members.size, 0)
  },
)

t.test('RECIPE-130 no step is committed out of another state than it was judged by', async (t) => {
  const { client } = await startReal(t)
  for (const before of ['leaving', 'left', 'failed']) {
    // Who is leaving already does not become active when it is done with its preparations.
    const late = Membership.join(client, '/cluster', {
      id: before,
      async prepare({ path }) {
        const record = new TextEncoder().encode(JSON.stringify({ state: before, data: null }))
        await client.set(path, record)
      },
    })
    t.ok((await rejection(late)) instanceof FencedError, before)
  }
  await untilEmpty(client, members)
  // All read the same state, and then write.
  const views = Membership.views(client, '/cluster')
  await views.next()
  const me = await Membership.join(client, '/cluster', { id: 'db-1', data: 0 })
  await Promise.all([1, 2, 3].map((data) => me.update(data)))
  const [isDrained, update] = await Promise.all([
    me.leave(),
    me.update(4).then(
      () => null,
      (error: unknown) => error,
    ),
  ])
  t.ok(isDrained)
  t.ok(update === null || update instanceof FencedError)
  const steps = (await takeUntil(views, has('db-1', 'left'))).map(said)
  const updates = steps.filter((step) => step === 'db-1 active active')
  t.ok(updates.length >= 3, 'none was lost')
  const last = steps.slice(steps.indexOf('db-1 active leaving') + 1)
  t.ok(last.every((step) => step === 'db-1 leaving leaving' || step === 'db-1 leaving left'))
})

t.test('RECIPE-131 an id is that of one at a time; the next waits, or supersedes', async (t) => {
  const { server, client } = await startReal(t)
  const other = await connectTo(t, server.url)
  const join = (one: Client, options = {}) =>
    Membership.join(one, '/cluster', { id: 'db-1', ...options })
  // Both at once.
  const racing = [join(client), join(other)] as const
  const first = await Promise.race(racing)
  t.strictSame(await namesAt(client, members), ['db-1'])
  const late = await rejection(join(other, { timeoutMs: 50 }))
  t.match(late, { name: 'TimeoutError' })
  const over = new AbortController()
  const givenUp = join(other, { signal: over.signal })
  over.abort(new Error('enough'))
  t.match(await rejection(givenUp), { message: 'enough' })
  await first.leave()
  const [one, two] = await Promise.all(racing)
  const second = first === one ? two : one
  t.ok(second.token > first.token)
  t.ok(second.isHeld)
  const third = await join(client, { supersede: true })
  t.ok((await abortOf(second.signal)) instanceof FencedError)
  t.ok(third.token > second.token)
  for (const past of [first, second]) {
    const stale = client.transaction().add(past.guard).create('/stale').commit()
    t.ok((await rejection(stale)) instanceof FencedError)
  }
  t.ok((await rejection(second.leave())) instanceof FencedError)
  await second.release()
  t.ok(third.isHeld)
  await client.transaction().add(third.guard).create('/fresh').commit()
})

t.test('RECIPE-131 RECIPE-132 who comes back while its past session lives', async (t) => {
  const { server, client } = await startReal(t, { sessionTimeoutMsMin: 1_000 })
  const past = await connectCutting(t, server.url)
  const before = await Membership.join(past.client, '/cluster', { id: 'db-1', data: 'before' })
  const views = Membership.views<string>(client, '/cluster')
  const [view] = await takeUntil(views, () => true)
  t.equal(view?.members.get('db-1')?.generation, before.token)
  const after = Membership.join(client, '/cluster', { id: 'db-1', data: 'after' })
  expire(past.wire, past.client)
  const { token } = await after
  const [failed, joining, active] = await takeUntil(views, has('db-1', 'active'))
  t.match(failed?.changes, [{ from: 'active', member: { state: 'failed', data: 'before' } }])
  t.equal(failed?.members.size, 0)
  t.match(joining?.changes, [{ from: null, member: { state: 'joining', generation: token } }])
  t.equal(active?.members.get('db-1')?.generation, token)
  t.ok(token > before.token)
  const member = view?.members.get('db-1') as Member<unknown>
  t.equal(await Membership.evict(client, member), false, 'meant is the past one only')
  const stale = client.transaction().add(member.guard).create('/stale').commit()
  t.ok((await rejection(stale)) instanceof FencedError)
  t.match(await abortOf(before.signal), { code: 'sessionExpired' })
})

t.test('RECIPE-133 a member fails by the end of its session, or is evicted, once', async (t) => {
  const { server, client } = await startReal(t)
  const views = Membership.views(client, '/cluster')
  await views.next()
  const one = await connectCutting(t, server.url)
  const all = []
  for (const id of ['db-1', 'db-2', 'db-3']) {
    all.push(await Membership.join(one.client, '/cluster', { id }))
  }
  await takeUntil(views, has('db-3', 'active'))
  const [, second] = all
  const evicting = [1, 2, 3].map(() =>
    Membership.evict(client, { guard: (second as Membership).guard }),
  )
  t.equal((await Promise.all(evicting)).filter((isEvicted) => isEvicted).length, 1)
  t.ok((await abortOf((second as Membership).signal)) instanceof FencedError)
  t.strictSame((await takeUntil(views, () => true)).map(said), ['db-2 active failed'])
  expire(one.wire, one.client)
  // One txn ends both, and still each is a view of its own.
  const both = await takeUntil(views, has('db-3', 'failed'))
  t.strictSame(both.map(said), ['db-1 active failed', 'db-3 active failed'])
  t.strictSame(
    both.map(({ epoch }) => epoch),
    [8, 9],
  )
  t.match(await rejection((all[0] as Membership).leave()), { code: 'sessionExpired' })
  await (all[0] as Membership).release()
})

t.test('RECIPE-133 who counts itself out is out, though its session lives on', async (t) => {
  const { server, client } = await startReal(t, { sessionTimeoutMsMin: 1_000 })
  const stalled = await connectTo(t, server.url, { sessionTimeoutMs: 1_000 })
  const views = Membership.views(client, '/cluster')
  await views.next()
  const me = await Membership.join(stalled, '/cluster', { id: 'db-1' })
  await takeUntil(views, has('db-1', 'active'))
  const deadline = stalled.deadline ?? Infinity
  // The servers do not hold against a session what they stood still themselves.
  standStillUntil(() => performance.now() >= deadline)
  t.notOk(me.isHeld)
  t.match(await abortOf(me.signal), { code: 'sessionExpired' })
  t.match((await takeUntil(views, () => true)).map(said), ['db-1 active failed'])
  const again = await Membership.join(stalled, '/cluster', { id: 'db-1' })
  t.ok(again.isHeld)
})

t.test('RECIPE-133 who leaves and fails at once does one of both', async (t) => {
  const { server, client } = await startReal(t)
  const views = Membership.views(client, '/cluster')
  await views.next()
  const ends = new Map<string, number>()
  for (let round = 0; round < 20; round += 1) {
    const one = await connectCutting(t, server.url)
    const me = await Membership.join(one.client, '/cluster', { id: 'db-1' })
    const leaving = me.leave().then(
      () => 'left',
      () => 'failed',
    )
    // Frame by frame later.
    one.wire.arm(1 + round * 2, 'expire')
    const evicting = round % 3 === 0 ? Membership.evict(client, me) : null
    const [said] = await Promise.all([leaving, evicting])
    const seen = await takeUntil(
      views,
      (view) => has('db-1', 'left')(view) || has('db-1', 'failed')(view),
    )
    const changes = seen.at(-1)?.changes ?? []
    t.equal(changes.length, 1)
    const last = changes[0]?.member
    t.equal(last?.generation, me.token)
    t.equal(last?.state, said)
    ends.set(String(last?.state), (ends.get(String(last?.state)) ?? 0) + 1)
    await one.client.close()
  }
  t.strictSame([...ends.keys()].toSorted(), ['failed', 'left'])
})

t.test('RECIPE-136 who gives up joining leaves nothing behind', async (t) => {
  const { client } = await startReal(t)
  const views = Membership.views(client, '/cluster')
  await views.next()
  const failing = Membership.join(client, '/cluster', {
    id: 'db-1',
    prepare: () => Promise.reject(new Error('no disk')),
  })
  t.match(await rejection(failing), { message: 'no disk' })
  const thrown = Membership.join(client, '/cluster', {
    id: 'db-2',
    prepare() {
      throw new Error('no memory')
    },
  })
  t.match(await rejection(thrown), { message: 'no memory' })
  const slow = Membership.join(client, '/cluster', {
    id: 'db-3',
    prepare: () => new Promise(() => undefined),
    timeoutMs: 50,
  })
  t.match(await rejection(slow), { name: 'TimeoutError' })
  const seen = await takeUntil(views, has('db-3', 'failed'))
  t.strictSame(
    seen.map(said).filter((one) => one.startsWith('db-3')),
    ['db-3 null joining', 'db-3 joining failed'],
  )
  await untilEmpty(client, members)
  for (const id of ['', 'a/b', '.', '..', 7, undefined]) {
    const refused = Membership.join(client, '/cluster', { id: id as string })
    t.ok((await rejection(refused)) instanceof BadArgumentsError, String(id))
  }
  const wordy = Membership.join(client, '/cluster', { id: 'db-4', data: 'x'.repeat(16_384) })
  t.match(await rejection(wordy), { code: 'tooLarge' })
  t.strictSame(await namesAt(client, members), [])
})

t.test('RECIPE-139 in a session scope it joins again, and is another generation', async (t) => {
  const { server, client } = await startReal(t)
  const wires: CuttingTransport[] = []
  await using scope = new SessionScope(async () => {
    const one = await connectCutting(t, server.url)
    wires.push(one.wire)
    return one.client
  })
  const views = Membership.views(client, '/cluster')
  await views.next()
  const over = new AbortController()
  const tokens: number[] = []
  const running = scope.run(
    async (one, signal) => {
      await using me = await Membership.join(one, '/cluster', { id: 'db-1', signal })
      tokens.push(me.token)
      for await (const view of me.views({ signal })) t.ok(view.members.has('db-1'))
    },
    { signal: over.signal },
  )
  const ended = rejection(running)
  await takeUntil(views, has('db-1', 'active'))
  expire(wires[0] as CuttingTransport, await scope.client())
  const again = await takeUntil(views, has('db-1', 'active'))
  t.strictSame(again.map(said), ['db-1 active failed', 'db-1 null joining', 'db-1 joining active'])
  over.abort(new Error('enough'))
  t.match(await ended, { message: 'enough' })
  await takeUntil(views, has('db-1', 'left'))
  const [one = 0, two = 0] = tokens
  t.ok(two > one)
})

t.test('RECIPE-139 what says that its session has expired is run again', async (t) => {
  const { server } = await startReal(t)
  await using scope = new SessionScope(async () => (await connectCutting(t, server.url)).client)
  let runs = 0
  const answer = await scope.run(() => {
    runs += 1
    if (runs < 3) throw new SessionExpiredError({ message: 'its deadline had passed' })
    return runs
  })
  t.equal(answer, 3)
  const over = new AbortController()
  const endless = scope.run(
    () => {
      over.abort(new Error('enough'))
      throw new SessionExpiredError()
    },
    { signal: over.signal },
  )
  t.match(await rejection(endless), { message: 'enough' })
})
