import { ConfigStore, type ConfigDrift } from '#client/recipes/index.js'
import { driftOf } from '#client/recipes/config/drift.js'
import { isChosen } from '#client/recipes/config/stages.js'
import type { Client } from '#client/index.js'
import t from 'tap'
import { rejection } from '../client-kit.js'
import { connectTo, startReal } from '../real-kit.js'
import { type Settings, storeOf } from './config-kit.js'
import { deferred, namesAt, untilEmpty } from './recipe-kit.js'

/** Resolves once what the nodes run is as wanted. */
const untilDrift = async (
  client: Client,
  isWanted: (nodes: readonly ConfigDrift[]) => boolean,
): Promise<readonly ConfigDrift[]> => {
  const store = storeOf(client)
  for await (const { type } of client.watch('/config/nodes', { recursive: true })) {
    if (type === 'gap') throw new Error('a gap')
    const nodes = await store.drift()
    if (isWanted(nodes)) return nodes
  }
  throw new Error('the client was closed')
}

/** A node that takes every version it gets; what it got is collected. */
const startNode = async (
  store: ConfigStore<Settings>,
  about: { readonly id: string; readonly labels?: readonly string[] },
): Promise<{ readonly took: number[]; readonly ended: Promise<void>; stop(): void }> => {
  const over = new AbortController()
  const took: number[] = []
  const first = deferred()
  const loop = async (): Promise<void> => {
    for await (const { version } of store.subscribe({ node: about, signal: over.signal })) {
      took.push(version)
      first.resolve()
    }
  }
  const ended = loop().catch((error: unknown) => {
    if (error !== over.signal.reason) throw error
  })
  await Promise.race([first.promise, ended])
  return { took, ended, stop: () => over.abort(new Error('enough')) }
}

t.test('RECIPE-167 a version is run once the loop asks for the next one', async (t) => {
  const { server, client } = await startReal(t)
  const store = storeOf(client)
  const other = await connectTo(t, server.url)
  const node = { id: 'db-1', labels: ['canary'] }
  const subscription = storeOf(other).subscribe({ node })
  const first = subscription.next()
  await untilDrift(client, (nodes) => nodes.length === 1)
  t.match(await store.drift(), [{ ...node, version: null, target: 0, behindMs: 0 }])
  await store.update(() => ({ shards: 1 }))
  await first
  t.match(await store.drift(), [{ version: null, target: 1 }])
  const second = subscription.next()
  await untilDrift(client, ([one]) => one?.version === 1)
  // The same node anew, before the servers know that the old one is gone.
  const anew = storeOf(client).subscribe({ node: { id: 'db-1' } })
  await anew.next()
  const stat = await client.exists('/config/nodes/db-1')
  t.equal(stat?.ephemeralOwner, client.sessionId)
  await other.close()
  t.strictSame(await second, { done: true, value: undefined })
  t.strictSame(await namesAt(client, '/config/nodes'), ['db-1'])
  await anew.return()
  await untilEmpty(client, '/config/nodes')
  t.match(await rejection(store.subscribe({ node: { id: 'a/b' } }).next()), {
    code: 'badArguments',
  })
})

t.test('RECIPE-167 who is gone is not listed', async (t) => {
  const { server, client } = await startReal(t)
  await storeOf(client).update(() => ({ shards: 1 }))
  const over = new AbortController()
  const other = await connectTo(t, server.url)
  const loop = storeOf(other).subscribe({ node: { id: 'a' }, signal: over.signal })
  await loop.next()
  t.strictSame(await namesAt(client, '/config/nodes'), ['a'])
  over.abort(new Error('enough'))
  t.match(await rejection(loop.next()), { message: 'enough' })
  t.strictSame(await namesAt(client, '/config/nodes'), [])
})

t.test('RECIPE-168 drift says who lags behind, and for how long by the servers', async (t) => {
  const { client } = await startReal(t)
  const store = storeOf(client)
  await store.update(() => ({ shards: 1 }))
  const slow = store.subscribe({ node: { id: 'slow' } })
  const quick = await startNode(store, { id: 'quick' })
  await slow.next()
  await untilDrift(client, ([one]) => one?.version === 1)
  await store.update(() => ({ shards: 2 }))
  const nodes = await untilDrift(client, ([one]) => one?.version === 2)
  t.match(nodes, [
    { id: 'quick', version: 2, target: 2, behindMs: 0 },
    { id: 'slow', version: null, target: 2 },
  ])
  t.ok((nodes[1]?.behindMs ?? -1) >= 0)
  t.strictSame([...(await namesAt(client, '/config'))].sort(), ['head', 'nodes', 'versions'])
  quick.stop()
  await quick.ended
  await slow.return()
  const kept = [3, 4, 5].map((version) => ({ version, atMs: version * 100 }))
  const head = { version: 5, rollout: null, znodeVersion: 9, atMs: 550 }
  const behind = (version: number | null, about: Partial<typeof head> = {}, sinceMs = 0): number =>
    driftOf(
      { id: 'a', labels: [], version, refused: null, sinceMs },
      { head: { ...head, ...about }, kept, nowMs: 1_000 },
    ).behindMs
  t.equal(behind(5), 0)
  t.equal(behind(4), 450, 'since it counts for all, not since its rollout began')
  t.equal(behind(3), 600, 'since the first that it missed')
  t.equal(behind(1), 700, 'as far as it is kept')
  t.equal(behind(null, {}, 800), 200, 'not longer than it is there')
  const stages = [{ percent: 100 }]
  t.equal(behind(4, { version: 4, rollout: { version: 5, stages, stage: 0 } as never }), 500)
})

t.test(
  'RECIPE-169 a percentage chooses the same nodes for all, and a larger one more',
  async (t) => {
    const ids = Array.from({ length: 1_000 }, (_, i) => `db-${i}`)
    const chosen = (percent: number, version: number): readonly string[] =>
      ids.filter((id) => isChosen({ id }, { version, stages: [{ percent }] }))
    const few = new Set(chosen(5, 1))
    const more = new Set(chosen(25, 1))
    t.ok([...few].every((id) => more.has(id)))
    t.ok(few.size > 20 && few.size < 100, `${few.size} of 50`)
    t.ok(more.size > 180 && more.size < 320, `${more.size} of 250`)
    t.strictSame(chosen(100, 1), ids)
    t.notSame(chosen(5, 2), [...few], 'another version begins with others')
  },
)

t.test('RECIPE-169 a rollout reaches the nodes of its stages, one after the other', async (t) => {
  const { server, client } = await startReal(t)
  const store = storeOf(client, { id: 'operator' })
  const first = { shards: 1 }
  t.match(
    await rejection(store.rollout(first, { stages: [{ percent: 1 }], healthy: () => true })),
    {
      code: 'badArguments',
      message: /no version to go back to/,
    },
  )
  await store.update(() => first)
  const canary = await startNode(store, { id: 'a', labels: ['canary'] })
  const other = await startNode(storeOf(await connectTo(t, server.url)), { id: 'b' })
  const seen: unknown[] = []
  const result = await store.rollout(
    { shards: 2 },
    {
      stages: [{ label: 'canary' }, { percent: 100 }],
      settleMs: 0,
      note: 'more',
      healthy: async ({ version, stage, nodes }) => {
        t.match(await store.get(), { version: 1 })
        seen.push([version, stage, nodes.map(({ id }) => id), [...other.took]])
        return true
      },
    },
  )
  t.strictSame(result, { outcome: 'finished', version: 2, reason: null })
  t.strictSame(seen, [
    [2, { label: 'canary' }, ['a'], [1]],
    [2, { percent: 100 }, ['a', 'b'], [1, 2]],
  ])
  t.match(await store.get(), { version: 2, document: { shards: 2 }, note: 'more', by: 'operator' })
  t.strictSame(canary.took, [1, 2])
  for (const stages of [[], [{ percent: 0 }], [{ label: '' }], [{}], 'all']) {
    const nonsense = { stages: stages as never, healthy: () => true }
    t.match(await rejection(store.rollout(first, nonsense)), { code: 'badArguments' })
  }
  const blind = { stages: [{ percent: 1 }] } as never
  t.match(await rejection(store.rollout(first, blind)), { code: 'badArguments' })
})

t.test('RECIPE-170 what is not healthy is taken back, by a new version', async (t) => {
  const { server, client } = await startReal(t)
  const store = storeOf(client)
  await store.update(() => ({ shards: 1 }))
  const node = await startNode(store, { id: 'a' })
  const stages = [{ percent: 100 }]
  const broken = new Error('no answer')
  const judged = await store.rollout({ shards: 2 }, { stages, settleMs: 0, healthy: () => false })
  t.match(judged, { outcome: 'rolledBack', version: 3, reason: /not healthy/ })
  t.match(await store.get(), { version: 3, document: { shards: 1 }, restores: 1, abandons: 2 })
  const thrown = await store.rollout(
    { shards: 2 },
    { stages, settleMs: 0, healthy: () => Promise.reject(broken) },
  )
  t.match(thrown, { outcome: 'rolledBack', version: 5, cause: broken })
  const never = storeOf(await connectTo(t, server.url)).subscribe({ node: { id: 'b' } })
  await never.next()
  const late = await store.rollout({ shards: 2 }, { stages, applyMs: 1, healthy: () => true })
  t.match(late, { outcome: 'rolledBack', version: 7, reason: /did not run version 6 in time/ })
  await never.return()
  const picky = new ConfigStore(client, '/config', { schema: { parse: refuseTwo } })
  const refusing = picky.subscribe({ node: { id: 'c' }, onInvalid: () => undefined })
  await refusing.next()
  void refusing.next()
  const refused = await store.rollout({ shards: 2 }, { stages, healthy: () => true })
  t.match(refused, { outcome: 'rolledBack', version: 9, reason: /c cannot read version 8/ })
  await refusing.return()
  node.stop()
  await node.ended
})

const refuseTwo = (value: unknown): Settings => {
  if ((value as Settings).shards === 2) throw new Error('two is too many')
  return value as Settings
}

t.test('RECIPE-170 a node that is gone after it ran the version counts as ill', async (t) => {
  const { server, client } = await startReal(t)
  const store = storeOf(client)
  await store.update(() => ({ shards: 1 }))
  const dying = await connectTo(t, server.url)
  const node = await startNode(storeOf(dying), { id: 'a' })
  const rollout = store.rollout(
    { shards: 2 },
    { stages: [{ percent: 100 }], settleMs: 500, healthy: () => true },
  )
  await untilDrift(client, ([one]) => one?.version === 2)
  await dying.close()
  await node.ended
  t.match(await rollout, { outcome: 'rolledBack', version: 3, reason: /a ran version 2/ })
})

t.test('RECIPE-171 while a rollout stands nothing else is written; another goes on', async (t) => {
  const { server, client } = await startReal(t)
  const store = storeOf(client)
  await store.update(() => ({ shards: 1 }))
  t.equal(await store.resumeRollout({ healthy: () => true }), null)
  t.equal(await store.abandonRollout(), null)
  const options = { stages: [{ label: 'none' }, { percent: 100 }], settleMs: 0 }
  const over = new AbortController()
  const healthy = (): boolean => {
    over.abort(new Error('the operator is gone'))
    return true
  }
  const left = store.rollout({ shards: 2 }, { ...options, healthy, signal: over.signal })
  t.match(await rejection(left), { message: 'the operator is gone' })
  for (const edit of [
    store.update(() => ({ shards: 3 })),
    store.compareAndSet(1, { shards: 3 }),
    store.rollback(1),
    store.rollout({ shards: 3 }, { ...options, healthy: () => true }),
  ]) {
    t.match(await rejection(edit), { code: 'nodeExists', message: /version 2 is being rolled out/ })
  }
  const other = storeOf(await connectTo(t, server.url), { id: 'other' })
  const seen: unknown[] = []
  const resumed = await other.resumeRollout({
    settleMs: 0,
    healthy: ({ stage }) => seen.push(stage) > 0,
  })
  t.match(resumed, { outcome: 'finished', version: 2 })
  t.strictSame(seen.at(-1), { percent: 100 })
  // Ended by one, while the other drives it.
  const driven = store.rollout(
    { shards: 3 },
    {
      ...options,
      healthy: async () => {
        t.equal(await other.abandonRollout({ note: 'enough' }), 4)
        await other.update((now) => ({ shards: (now?.shards ?? 0) + 10 }))
        return true
      },
    },
  )
  t.match(await driven, { outcome: 'rolledBack', version: 5, reason: 'enough' })
  t.match(await store.get(), { version: 5, document: { shards: 12 } })
  t.match(await store.at(4), { restores: 2, abandons: 3, by: 'other', note: 'enough' })
})
