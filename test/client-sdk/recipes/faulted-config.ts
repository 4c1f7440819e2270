import { ConfigStore } from '#client/recipes/index.js'
import { runUntil, type Settings, settings } from './config-kit.js'
import { demand, type FaultedRecipe } from './faulted-recipe.js'
import { namesAt, untilEmpty } from './recipe-kit.js'

/** What all nodes are to do. */
export const faultedConfig: readonly FaultedRecipe[] = [
  {
    name: 'configuration',
    async run({ client, other, path }) {
      let seen: readonly number[] | null = null
      try {
        seen = await edit(new ConfigStore(client, path, { schema: settings }))
      } finally {
        await untilEmpty(other, `${path}/nodes`)
        const versions = await namesAt(other, `${path}/versions`)
        const isWhole = versions.every((name, i) => Number(name) === i + 1)
        demand(isWhole, `each edit was made once: ${versions.join()}`)
        if (seen !== null) {
          demand(versions.length === 3, `all edits were made: ${versions.join()}`)
          const isRising = seen.every((version, i) => version > (seen?.[i - 1] ?? 0))
          demand(isRising && seen.at(-1) === 3, `it has seen ${seen.join()}`)
        }
        await other.deleteRecursive(path).catch(() => {})
      }
    },
  },
]

/** Edits, a rollout and a subscription, by a client that is also the only node. */
const edit = async (store: ConfigStore<Settings>): Promise<readonly number[]> => {
  await store.update(() => ({ shards: 1 }))
  const running = runUntil(store.subscribe({ node: { id: 'db-1' } }), ({ shards }) => shards === 99)
  const work = async (): Promise<void> => {
    const judging = { stages: [{ percent: 100 }], settleMs: 0, healthy: () => true }
    await store.rollout({ shards: 2 }, judging)
    await store.update((now) => ({ shards: (now?.shards ?? 0) + 97 }))
  }
  // Whichever fails ends both, for they share the session.
  const [versions] = await Promise.all([running, work()])
  return versions
}
