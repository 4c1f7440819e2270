import { type Client, NoNodeError } from '#client/index.js'
import { type CacheEvent, NearCache, TreeCache, WorkQueue } from '#client/recipes/index.js'
import { both, demand, type FaultedRecipe, type FaultedRun, scopeOf } from './faulted-recipe.js'

/** A tree that changes in the midst of what a cache does; it is gone in the end. */
const overTree = async (
  { other, path }: FaultedRun,
  follow: (path: string) => Promise<unknown>,
): Promise<void> => {
  const tree = `${path}-tree`
  await makeTree(other, tree)
  try {
    await both(follow(tree), change(other, tree))
  } finally {
    await other.deleteRecursive(tree)
  }
}

/** What is remembered of trees. */
export const faultedCaches: readonly FaultedRecipe[] = [
  {
    name: 'tree cache',
    run: (faulted) =>
      overTree(faulted, async (tree) => {
        await using cache = new TreeCache(faulted.client, tree)
        await checkFollowed(cache, tree, faulted.other)
      }),
  },
  {
    name: 'tree cache of a scope',
    outlivesSession: true,
    run: (faulted) =>
      overTree(faulted, async (tree) => {
        await using scope = scopeOf(faulted)
        await using cache = new TreeCache(scope, tree)
        await checkFollowed(cache, tree, faulted.other)
      }),
  },
  {
    name: 'work queue that a tree cache feeds',
    run: (faulted) =>
      overTree(faulted, async (tree) => {
        const { client, other } = faulted
        await using cache = new TreeCache(client, tree)
        const worked = new Map<string, string>()
        const work = async (path: string): Promise<void> => {
          const mzxid = await mzxidOf(client, path)
          if (mzxid === null) worked.delete(path)
          else worked.set(path, `${path} ${mzxid}`)
        }
        // No later try can mend what ends a session.
        await using queue = new WorkQueue(work, { concurrency: 2, onFailure: () => false })
        for await (const { path } of cache.events()) {
          queue.add(path)
          if (path === `${tree}/last`) break
        }
        await queue.drain()
        await client.sync()
        const done = [...worked.values()].sort().join()
        const wanted = (await treeOf(other, tree)).join()
        demand(done === wanted, `worked on ${done}, to do was ${wanted}`)
      }),
  },
  {
    name: 'near cache',
    async run({ client, other, path }) {
      const tree = `${path}-tree`
      await makeTree(other, tree)
      try {
        await using cache = new NearCache(client, tree)
        const names = ['1', '2', 'gone', 'last']
        const first = Promise.all(names.map((name) => cache.get(`${tree}/${name}`)))
        await both(first, change(other, tree))
        // From here on this client knows of all that was changed.
        await client.sync()
        for (const name of names) {
          const known = (await cache.get(`${tree}/${name}`))?.mzxid ?? null
          const there = await mzxidOf(other, `${tree}/${name}`)
          demand(known === there, `${name} is of ${there}, it answers ${known}`)
        }
      } finally {
        await other.deleteRecursive(tree)
      }
    },
  },
]

const mzxidOf = async (client: Client, path: string): Promise<number | null> => {
  try {
    return (await client.get(path)).stat.mzxid
  } catch (error) {
    if (error instanceof NoNodeError) return null
    throw error
  }
}

/** What is in a tree, as another client reads it: paths and mzxids. */
const treeOf = async (client: Client, path: string): Promise<readonly string[]> => {
  const { stat } = await client.get(path, { consistency: 'linearizable' })
  const names = await client.list(path).toArray()
  const below = await Promise.all(names.map((name) => treeOf(client, `${path}/${name}`)))
  return [`${path} ${stat.mzxid}`, ...below.flat()].sort()
}

const makeTree = async (client: Client, path: string): Promise<void> => {
  await client.create(path)
  await Promise.all(
    Array.from({ length: 4 }, async (_, i) => {
      await client.create(`${path}/${i}`)
      await client.create(`${path}/${i}/below`, new Uint8Array([i]))
    }),
  )
}

/** Changes of all kinds; the last one is known by its name. */
const change = async (client: Client, path: string): Promise<void> => {
  await client.set(`${path}/1`, null)
  await client.delete(`${path}/2/below`)
  await client.delete(`${path}/2`)
  await client.transaction().create(`${path}/2`).set(`${path}/2`, null).commit()
  await client.create(`${path}/gone`)
  await client.delete(`${path}/gone`)
  await client.create(`${path}/last`)
}

/** What a cache tells up to the last change is what has happened, and leads to what is there. */
const checkFollowed = async (cache: TreeCache, path: string, other: Client): Promise<void> => {
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
  const tree = (await treeOf(other, path)).join()
  const entries = Array.from(cache.entries(), (entry) => `${entry.path} ${entry.mzxid}`)
  const held = entries.sort().join()
  demand(held === tree, `it holds ${held}, there is ${tree}`)
  demand([...told.values()].sort().join() === tree, 'what was told leads to it')
  demand(zxids.join() === zxids.toSorted((a, b) => a - b).join(), 'in zxid order')
  demand(new Set(said).size === said.length, 'nothing twice')
}

const nameOf = ({ type, path, zxid, entry }: CacheEvent<unknown>): string =>
  `${zxid} ${type} ${path} ${entry?.version}`
