import { type Client, json } from '#client/index.js'
import type { CacheEvent, CacheEventsOptions, TreeCache } from '#client/recipes/index.js'

/** What is below `/s`. */
export interface Service {
  readonly zone: string
}

export const put = (client: Client, path: string, zone: string) =>
  client.set(path, { zone }, { as: json })

/** `/s` with three services, one of which has a child. */
export const makeServices = async (client: Client): Promise<void> => {
  await client.create('/s', null)
  for (const [name, zone] of Object.entries({ a: 'x', b: 'y', c: 'x' })) {
    await client.create(`/s/${name}`, { zone }, { as: json })
  }
  await client.create('/s/a/deep', null)
}

/** Takes the events of a cache one by one. */
export class Follower<T> {
  readonly #events: AsyncGenerator<CacheEvent<T>, void, undefined>

  constructor(cache: TreeCache<T, string>, options?: CacheEventsOptions) {
    this.#events = cache.events(options)
  }

  next(): Promise<IteratorResult<CacheEvent<T>, void>> {
    return this.#events.next()
  }

  async take(count: number): Promise<readonly CacheEvent<T>[]> {
    const taken: CacheEvent<T>[] = []
    while (taken.length < count) {
      const { value } = await this.next()
      if (value === undefined) throw new Error('the cache has ended')
      taken.push(value)
    }
    return taken
  }

  async told(count: number): Promise<readonly string[]> {
    return (await this.take(count)).map(briefly)
  }
}

export const briefly = ({ type, path, origin }: CacheEvent<unknown>): string =>
  `${origin} ${type} ${path}`

export const pathsOf = (entries: Iterable<{ readonly path: string }>): readonly string[] =>
  Array.from(entries, ({ path }) => path).sort()
