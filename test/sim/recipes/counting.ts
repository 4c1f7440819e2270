import { Counter, Election, TimestampOracle } from '#client/recipes/index.js'
import { drawWait } from './holders.js'
import { counterPath, passingPath, timestampsPath } from './places.js'
import type { Activity } from './user.js'

export const count: Activity = async ({ client, name, oracles }) => {
  const { highest } = oracles.counts
  const { after } = await new Counter(client, counterPath).add(1)
  oracles.counts.given(name, after, highest)
}

/** Gives timestamps for as long as it leads. */
export const giveTimestamps: Activity = ({ client, name, oracles, random, sleep }) =>
  new Election(client, `${passingPath}/timestamps`).lead(async (leadership) => {
    const { guard } = leadership
    const about = { guard, isHeld: () => leadership.isLeader }
    const oracle = await TimestampOracle.open(client, timestampsPath, about, { window: 5 })
    while (random.chance(0.8)) {
      const { highest } = oracles.timestamps
      oracles.timestamps.given(name, await oracle.next(), highest)
      await sleep(random.exponential(100))
    }
  }, drawWait(random))
