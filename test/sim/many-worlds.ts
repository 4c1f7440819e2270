import type { Test } from 'tap'
import { Report } from './report.js'
import { simulateInThread } from './world-worker.js'

/** Two simulated minutes: three quarters with faults, then everybody must settle. */
export const twoMinutes = { safetyMs: 90_000, livenessMs: 30_000 } as const

/** Runs these worlds until one breaks a promise; the first few run twice and must be the same. */
export const runWorlds = async (
  t: Test,
  about: {
    readonly seeds: readonly number[]
    readonly twice: number
    readonly usesRecipes?: boolean
  },
): Promise<Report> => {
  const { seeds, twice, usesRecipes = false } = about
  const options = { ...twoMinutes, usesRecipes }
  const report = new Report()
  const again = seeds.slice(0, twice)
  const hashes = new Map<number, string>()
  for await (const outcome of simulateInThread({ seeds: [...seeds, ...again], options })) {
    const { seed, violation, hash } = outcome
    const before = hashes.get(seed)
    if (before === undefined) {
      report.add(outcome)
      t.equal(violation, null, `seed ${seed}`)
    } else t.equal(hash, before, `seed ${seed} replays`)
    hashes.set(seed, hash)
    if (violation !== null) break
  }
  return report
}
