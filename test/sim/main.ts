/**
 * Simulates ensembles: each seed is a world with its own servers, clients, network and faults.
 *
 * Usage: npm run sim -- --seed N [--trace]     replays one world
 *        npm run sim -- --seeds N [--from N]   runs many
 */
import { parseArgs } from 'node:util'
import { type Outcome, runWorld } from './world.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '120' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const first = Number(values.seed ?? values.from)
const count = values.seed === undefined ? Number(values.seeds) : 1
const startedMs = performance.now()
const totals = { worlds: 0, failed: 0, simulatedMs: 0, operations: 0, acknowledged: 0, faults: 0 }
for (let seed = first; seed < first + count; seed++) {
  const safetyMs = Number(values.seconds) * 1_000
  const trace = values.trace ? { log: print } : {}
  const outcome: Outcome = await runWorld({ seed, safetyMs, livenessMs: 60_000, ...trace })
  totals.worlds += 1
  totals.simulatedMs += outcome.simulatedMs
  totals.operations += outcome.operations
  totals.acknowledged += outcome.acknowledged
  for (const times of outcome.faults.values()) totals.faults += times
  if (outcome.violation !== null) {
    totals.failed += 1
    print(`seed ${seed} ${outcome.hash} ${outcome.violation.message}`)
  } else if (count === 1) print(JSON.stringify({ ...outcome, faults: [...outcome.faults] }))
}
const seconds = (performance.now() - startedMs) / 1_000
const timesReal = Math.round(totals.simulatedMs / 1_000 / seconds)
if (values.json) print(JSON.stringify({ ...totals, seconds, timesReal }))
else {
  print(
    `${totals.worlds} worlds, ${totals.failed} failed; ` +
      `${(totals.simulatedMs / 3_600_000).toFixed(1)} simulated hours, ` +
      `${timesReal} times real time; ` +
      `${totals.acknowledged} of ${totals.operations} operations, ${totals.faults} faults`,
  )
}
process.exitCode = totals.failed === 0 ? 0 : 1
