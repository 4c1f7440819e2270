import { ConfigStore } from '#client/recipes/index.js'
import type { Document } from '../invariants/edits.js'
import { configPath } from './places.js'
import { aboutFor, type Activity, unless, untilEnough, type User } from './user.js'

const schema = { parse: (value: unknown): Document => value as Document }

const storeOf = ({ client }: User): ConfigStore<Document> =>
  new ConfigStore(client, configPath, { schema })

/** Writes what follows from what counts; who finds a rollout in its way may end it. */
export const edit: Activity = async (user) => {
  const { random } = user
  const store = storeOf(user)
  const name = `edit ${random.bits()}`
  const editing = store.update((now) => ({ name, after: now?.name ?? null }))
  const version = await unless(['nodeExists'], editing)
  if (version === null && random.chance(0.3)) await store.abandonRollout()
}

/** Rolls something out, to those who are there, or goes on with what another has begun. */
export const rollOut: Activity = async (user) => {
  const { random } = user
  const store = storeOf(user)
  const judging = { healthy: () => random.chance(0.7), settleMs: 200, applyMs: 2_000 }
  if ((await store.get()) === null) return
  const stages = [{ percent: 50 }, { percent: 100 }]
  const next: Document = { name: `rollout ${random.bits()}`, after: null }
  const result = await unless(['nodeExists'], store.rollout(next, { ...judging, stages }))
  if (result === null && random.chance(0.5)) await store.resumeRollout(judging)
}

/** Runs each version for a while. */
export const obey: Activity = async (user) => {
  const { name, oracles, random, sleep } = user
  const signal = aboutFor(user, 3_000)
  const running = async (): Promise<void> => {
    let before = 0
    for await (const seen of storeOf(user).subscribe({ node: { id: name }, signal })) {
      oracles.edits.saw(name, seen, before)
      before = seen.version
      await sleep(random.exponential(100))
      oracles.edits.ran(name, before)
    }
  }
  await untilEnough(running())
}
