import type { Client } from '#client/index.js'
import { type CacheEvent, NearCache, TreeCache, WorkQueue } from '#client/recipes/index.js'
import type { Timeline } from '../invariants/timeline.js'
import { Violation } from '../violation.js'
import { wordsOfTree } from './oracles.js'
import { treePath } from './places.js'
import { aboutFor, type Activity, unless, untilEnough } from './user.js'

const paths = ['a', 'a/x', 'a/y', 'b', 'b/x', 'c'].map((path) => `${treePath}/${path}`)
const refusals = ['nodeExists', 'noNode', 'notEmpty'] as const

/** Changes something of the tree, sometimes two things at once. */
export const change: Activity = async ({ client, random }) => {
  const changing = client.transaction()
  const [one, other] = [random.pick(paths), random.pick(paths)]
  const draw = random.below(4)
  if (draw === 0) changing.create(one)
  else if (draw === 1) changing.delete(one)
  else changing.set(one, null)
  if (draw === 3 && other !== one) changing.set(other, null)
  await unless(refusals, changing.commit())
}

/** Follows the tree for a while, and works on all that it is told of. */
export const follow: Activity = async (user) => {
  const { client, name, oracles, random, sleep } = user
  await using cache = new TreeCache(client, treePath)
  await cache.ready
  const follower = new Follower(name, oracles.tree)
  /** How many changes of it had been told when the work on a path last began. */
  const worked = new Map<string, number>()
  await using queue = new WorkQueue(async (path) => {
    const told = follower.told.get(path) ?? 0
    await sleep(random.exponential(50))
    worked.set(path, told)
  })
  const signal = aboutFor(user, 3_000)
  const following = async (): Promise<void> => {
    for await (const event of cache.events({ signal })) {
      follower.take(event)
      queue.add(event.path)
    }
  }
  await untilEnough(following())
  follower.holds(Array.from(cache.entries(), ({ path, mzxid }) => [path, mzxid]))
  await queue.drain()
  for (const [path, told] of follower.told) {
    if (worked.get(path) === told) continue
    throw new Violation('G6', `${name} has not worked on ${path} since it was last told of it`)
  }
}

/** What a loop over the events of a tree cache has been told: each change once, in its place. */
class Follower {
  /** How many changes of each path it was told. */
  readonly told = new Map<string, number>()
  readonly #name: string
  readonly #timeline: Timeline
  readonly #present = new Map<string, number>()
  /** In the timeline; null while differences sum up what came before. */
  #place: number | null = null
  #zxid = 0

  constructor(name: string, timeline: Timeline) {
    this.#name = name
    this.#timeline = timeline
  }

  take({ path, zxid, origin, type, entry }: CacheEvent<unknown>): void {
    if (origin === 'difference') this.#place = null
    else this.#place = this.#placeOf(`${type} ${path} ${zxid}`, zxid) + 1
    this.#zxid = zxid
    this.told.set(path, (this.told.get(path) ?? 0) + 1)
    if (entry === null) this.#present.delete(path)
    else this.#present.set(path, entry.mzxid)
  }

  /** That is what the cache holds, which may be ahead of what was told. */
  holds(entries: readonly (readonly [string, number])[]): void {
    this.#timeline.find(this.#name, wordsOfTree(new Map(entries)), this.#place ?? 0)
  }

  /** Changes may be left out only where they left nothing and a gap came in between. */
  #placeOf(said: string, zxid: number): number {
    const { changes } = this.#timeline
    const state = wordsOfTree(this.#present)
    const from = this.#place ?? this.#timeline.after(this.#zxid - 1)
    for (let at = from; (changes[at]?.zxid ?? Infinity) <= zxid; at++) {
      const { type, path, zxid: of } = changes[at] as (typeof changes)[number]
      if (said === `${type} ${path} ${of}` && this.#timeline.isAt(at, state)) return at
    }
    throw new Violation('G6', `${this.#name} is told ${said} where it knows ${state}`)
  }
}

/** Reads some znodes of the tree again and again, and writes its root. */
export const recall: Activity = async ({ client, name, oracles, random, sleep }) => {
  await using cache = new NearCache(client, treePath)
  let place = 0
  const look = async (path: string): Promise<void> => {
    const mzxid = (await cache.get(path))?.mzxid ?? null
    place = oracles.tree.findOne(name, { path, mzxid }, place)
  }
  for (let left = random.below(40); left > 0; left -= 1) {
    await sleep(random.exponential(30))
    await look(random.pick(paths))
    if (random.chance(0.8)) continue
    await look(treePath)
    const [stat] = await written(client)
    // At once: the events of its own write may still be waiting to be heard.
    place = Math.max(place, oracles.tree.after(stat.mzxid))
    await look(treePath)
  }
}

/** With an event for each set. */
const written = (client: Client) =>
  client
    .transaction()
    .set(treePath, null)
    .set(treePath, null)
    .set(treePath, null)
    .set(treePath, null)
    .commit()
