import type { Client } from '#client/index.js'
import {
  Membership,
  type ServiceInstance,
  ServiceRegistry,
  type SessionScope,
} from '#client/recipes/index.js'
import { both, demand, type FaultedRecipe, remove, scopeOf } from './faulted-recipe.js'
import { namesAt, untilEmpty, untilNames } from './recipe-kit.js'

/** Who is there, and where. */
export const faultedDiscovery: readonly FaultedRecipe[] = [
  {
    name: 'membership',
    async run({ client, other, path }) {
      const members = `${path}/members`
      const company = await accompany(other, path)
      let isWhole = false
      try {
        await both(live(client, path), company.leave())
        isWhole = true
      } finally {
        await untilNames(other, members, (names) => !names.includes('db-1'))
        await company.end()
        await untilEmpty(other, `${path}/acknowledgements`)
        demand((await namesAt(other, members)).length === 0, 'all have left')
        await remove(other, members)
        // Without those of the one who had the id before.
        const own = company.steps.slice(company.steps.lastIndexOf('null joining'))
        const last = own.at(-1)
        demand(last === 'leaving left' || last?.endsWith(' failed') === true, own.join())
        if (isWhole) demand(own.join() === whole.join(), `it lived as ${own.join()}`)
      }
    },
  },
  {
    name: 'service',
    async run({ client, other, path }) {
      await serve(new ServiceRegistry(client, path), other)
    },
  },
  {
    name: 'service of a scope',
    outlivesSession: true,
    async run(faulted) {
      const { other, path } = faulted
      await using scope: SessionScope = scopeOf(faulted)
      await serve(new ServiceRegistry(scope, path), other)
    },
  },
]

const whole = ['null joining', 'joining active', 'active active', 'active leaving', 'leaving left']

/** All of a membership: it waits for its id, prepares, follows the views, says more, and leaves. */
const live = async (client: Client, path: string): Promise<void> => {
  const me = await Membership.join(client, path, {
    id: 'db-1',
    async prepare({ guard }) {
      await client.transaction().add(guard).check('/').commit()
    },
  })
  const following = (async () => {
    for await (const { members } of me.views()) {
      if (members.get('db-1')?.state === 'leaving') break
    }
  })()
  const leaving = (async () => {
    await me.update('ready')
    await me.leave()
  })()
  // Whichever fails ends both, for they share the session.
  await Promise.all([following, leaving])
}

/** Another has the id first, and later deals with the leaving as one of the group. */
const accompany = async (other: Client, path: string) => {
  const you = await Membership.join(other, path, { id: 'db-2' })
  const steps: string[] = []
  const following = (async () => {
    for await (const { changes } of you.views()) {
      for (const { from, member } of changes) {
        if (member.id === 'db-1') steps.push(`${from} ${member.state}`)
      }
    }
  })()
  // `end` tells of it.
  following.catch(() => {})
  const past = await Membership.join(other, path, { id: 'db-1' })
  return {
    steps,
    leave: () => past.leave(),
    async end() {
      await you.leave({ drainMs: 0 })
      await following
    },
  }
}

/** An instance from its registration to its end, seen through the same source. */
const serve = async (services: ServiceRegistry, other: Client): Promise<void> => {
  await using resolver = services.resolver('query')
  await resolver.ready
  const me = await services.register('query', { id: 'q-1', address: 'one' })
  let hasFailed = false
  // Both end with the session, unless there is a next one.
  for (const { ended } of [me, resolver]) ended.catch(() => (hasFailed = true))
  const untilPicked = async (isWanted: (picked: ServiceInstance<unknown> | null) => boolean) => {
    // The other's round trips are time for what is under way.
    while (!isWanted(resolver.pick()) && !hasFailed) await other.sync()
  }
  await untilPicked((picked) => picked !== null)
  await me.update({ weight: 2 })
  await untilPicked((picked) => picked?.weight === 2)
  await me.unregister()
  await untilPicked((picked) => picked === null)
  await Promise.all([me.ended, hasFailed ? resolver.ended : null])
}
