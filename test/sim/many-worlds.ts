import type { Test } from 'tap'
import { Report } from './report.js'
import { runWorld } from './world.js'

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
  for (const [index, seed] of seeds.entries()) {
    const outcome = await runWorld({ seed, ...options })
    const violation = outcome.violation?.message ?? null
    report.add({ ...outcome, violation })
    t.equal(violation, null, `seed ${seed}`)
    if (violation !== null) break
    if (index >= twice) continue
    const again = await runWorld({ seed, ...options })
    t.equal(again.hash, outcome.hash, `seed ${seed} replays`)
    if (again.hash !== outcome.hash) break
  }
  return report
}
