import { type Client, SessionExpiredError } from '#client/index.js'
import { type CacheEvent, NearCache, SessionScope, TreeCache } from '#client/recipes/index.js'
import t, { type Test } from 'tap'
import { startReal } from '../real-kit.js'
import { CuttingTransport, type Fault } from './cutting.js'

/** What is in a tree, as another client reads it: paths and mzxids. */
const treeOf = async (client: Client, path: string): Promise<readonly string[]> => {
  const { stat } = await client.get(path, { consistency: 'linearizable' })
  const names = await client.list(path).toArray()
  const below = await Promise.all(names.map((name) => treeOf(client, `${path}/${name}`)))
  return [`${path} ${stat.mzxid}`, ...below.flat()].sort()
}

const heldBy = (cache: TreeCache): readonly string[] =>
  Array.from(cache.entries(), ({ path, mzxid }) => `${path} ${mzxid}`).sort()

const makeTree = async (client: Client, path: string): Promise<void> => {
  await client.create(path)
  await Promise.all(
    Array.from({ length: 4 }, async (_, i) => {
      await client.create(`${path}/${i}`)
      await client.create(`${path}/${i}/below`, new Uint8Array([i]))
    }),
  )
}

/** Changes of all kinds, in the midst of what the cache does; the last one is known by its name. */
const change = async (client: Client, path: string): Promise<void> => {
  await client.set(`${path}/1`, null)
  await client.delete(`${path}/2/below`)
  await client.delete(`${path}/2`)
  await client.transaction().create(`${path}/2`).set(`${path}/2`, null).commit()
  await client.create(`${path}/gone`)
  await client.delete(`${path}/gone`)
  await client.create(`${path}/last`)
}

/** All that a cache tells up to the last change, and what it holds then. */
const follow = async (cache: TreeCache, path: string) => {
  const told = new Map<string, string>()
  const zxids: number[] = []
  const said: string[] = []
  for await (const event of cache.events()) {
    zxids.push(event.zxid)
    if (event.entry === null) told.delete(event.path)
    else told.set(event.path, `${event.path} ${event.entry.mzxid}`)
    if (event.origin === 'stream') said.push(nameOf(event))
    if (event.path === `${path}/last`) break
  }
  return { told: [...told.values()].sort(), zxids, said, held: heldBy(cache) }
}

const nameOf = ({ type, path, zxid, entry }: CacheEvent<unknown>): string =>
  `${zxid} ${type} ${path} ${entry?.version}`

interface Struck {
  readonly frames: number
  readonly hasStruck: boolean
}

interface Strike {
  readonly at: number
  readonly fault: Fault
}

const faults = ['cutBefore', 'cutAfter', 'expire'] as const

/** Runs it with each fault at each frame that one run without a fault has had. */
const atEveryFrame = async (t: Test, run: (strike: Strike) => Promise<Struck>): Promise<void> => {
  const { frames } = await run({ at: 0, fault: 'cutAfter' })
  for (const fault of faults) {
    const places = Array.from({ length: frames }, (_, i) => i + 1)
    const struck = await Promise.all(places.map((at) => run({ at, fault })))
    t.ok(struck.filter(({ hasStruck }) => hasStruck).length >= frames / 2, `${frames} frames`)
  }
}

t.test('RECIPE-109 a tree cache: a fault at every frame', { timeout: 60_000 }, async (t) => {
  const { server, client: other } = await startReal(t)
  await atEveryFrame(t, async ({ at, fault }) => {
    const path = `/plain-${fault}-${at}`
    await makeTree(other, path)
    const wire = new CuttingTransport()
    const client = await wire.connect(server.url)
    wire.arm(at, fault)
    const cache = new TreeCache(client, path)
    const following = follow(cache, path).catch((error: unknown) => error)
    await change(other, path)
    const followed = await following
    if (followed instanceof Error) {
      t.ok(fault === 'expire' && followed instanceof SessionExpiredError, `${fault} at ${at}`)
    } else checkFollowed(t, followed as Followed, await treeOf(other, path))
    await cache.close()
    await client.close()
    return { frames: wire.passed, hasStruck: wire.hasStruck }
  })
})

t.test(
  'RECIPE-109 a tree cache of a scope: a fault at every frame',
  { timeout: 60_000 },
  async (t) => {
    const { server, client: other } = await startReal(t)
    await atEveryFrame(t, async ({ at, fault }) => {
      const path = `/scope-${fault}-${at}`
      await makeTree(other, path)
      const wire = new CuttingTransport()
      wire.arm(at, fault)
      await using scope = new SessionScope(() => wire.connect(server.url))
      await using cache = new TreeCache(scope, path)
      const following = follow(cache, path)
      await change(other, path)
      checkFollowed(t, await following, await treeOf(other, path))
      return { frames: wire.passed, hasStruck: wire.hasStruck }
    })
  },
)

t.test('RECIPE-109 a near cache: a fault at every frame', { timeout: 60_000 }, async (t) => {
  const { server, client: other } = await startReal(t)
  await atEveryFrame(t, async ({ at, fault }) => {
    const path = `/near-${fault}-${at}`
    await makeTree(other, path)
    const wire = new CuttingTransport()
    const client = await wire.connect(server.url)
    wire.arm(at, fault)
    const cache = new NearCache(client, path)
    const names = ['1', '2', 'gone', 'last']
    const reading = async (): Promise<void> => {
      await Promise.all(names.map((name) => cache.get(`${path}/${name}`)))
      await change(other, path)
      // From here on this client knows of all that was changed.
      await client.sync()
      for (const name of names) {
        const entry = await cache.get(`${path}/${name}`)
        const stat = await other.exists(`${path}/${name}`)
        t.equal(entry?.mzxid, stat?.mzxid, `${fault} at ${at}: ${name}`)
      }
    }
    const error: unknown = await reading().catch((thrown: unknown) => thrown)
    const isExpected = fault === 'expire' && error instanceof SessionExpiredError
    t.ok(error === undefined || isExpected, `${fault} at ${at}: ${String(error)}`)
    await cache.close()
    await client.close()
    return { frames: wire.passed, hasStruck: wire.hasStruck }
  })
})

type Followed = Awaited<ReturnType<typeof follow>>

const checkFollowed = (
  t: Test,
  { told, zxids, said, held }: Followed,
  tree: readonly string[],
): void => {
  t.strictSame(held, tree)
  t.strictSame(told, tree, 'what was told leads to it')
  t.strictSame(
    zxids,
    zxids.toSorted((a, b) => a - b),
  )
  t.equal(new Set(said).size, said.length, 'nothing twice')
}
