/**
 * Runs the worlds of the given seeds until one breaks a promise, and says so as TAP.
 *
 * Usage: node test/dist/sim/pinned.js SEED ...
 */
import { runWorld } from './world.js'

const options = { safetyMs: 60_000, livenessMs: 30_000 }
for (const [index, seed] of process.argv.slice(2).map(Number).entries()) {
  const { violation } = await runWorld({ seed, ...options })
  const title = `${index + 1} - SIM-1 seed ${seed}`
  process.stdout.write(
    violation === null ? `ok ${title}\n` : `not ok ${title}: ${violation.message}\n`,
  )
  if (violation === null) continue
  process.exitCode = 1
  break
}
