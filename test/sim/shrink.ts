import { type FaultKind, faultKinds } from './swarm.js'
import { runWorld, type WorldOptions } from './world.js'

/**
 * The smallest world of a seed that still breaks the same promise: without each fault class that it
 * can do without, and with as few seconds of faults as halving finds.
 *
 * @returns null when the world breaks none
 */
export const shrink = async (options: WorldOptions): Promise<WorldOptions | null> => {
  const broken = await brokenBy(options)
  if (broken === null) return null
  const isStillBroken = async (smaller: WorldOptions): Promise<boolean> =>
    (await brokenBy(smaller)) === broken
  let smallest = options
  for (const kind of faultKinds) {
    const without = new Set<FaultKind>([...(smallest.without ?? []), kind])
    if (await isStillBroken({ ...smallest, without })) smallest = { ...smallest, without }
  }
  let [low, high] = [0, smallest.safetyMs]
  while (high - low > precisionMs) {
    const middle = Math.round((low + high) / 2)
    if (await isStillBroken({ ...smallest, safetyMs: middle })) high = middle
    else low = middle
  }
  return { ...smallest, safetyMs: high }
}

const brokenBy = async (options: WorldOptions): Promise<string | null> =>
  (await runWorld(options)).violation?.invariant ?? null

const precisionMs = 1_000
