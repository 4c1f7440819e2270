/**
 * Simulates ensembles: each seed is a world with its own servers, clients, network and faults.
 * Ends with a non-zero code when a promise was broken, or the run proves less than it should.
 *
 * Usage: npm run sim -- --seed N [--trace]            replays one world
 *        npm run sim -- --seed N --shrink             finds the smallest world that fails alike
 *        npm run sim -- --seeds N [--from N] [--json] runs many
 *
 * --seconds S        of faults, before everything is mended (120)
 * --without A,B      leaves out these fault classes; the others strike as they would
 * --recipes          worlds of programs that use recipes
 * --jobs N           threads (1)
 * --occasions N      demands that each rare event came up N times in the run
 */
import { parseArgs } from 'node:util'
import { Report, type Summary } from './report.js'
import { type FaultKind, faultKinds } from './swarm.js'
import { shrink } from './shrink.js'
import { runWorld, type WorldOptions } from './world.js'
import { simulateInThread } from './world-worker.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '120' },
    without: { type: 'string', default: '' },
    jobs: { type: 'string', default: '1' },
    occasions: { type: 'string', default: '0' },
    trace: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    recipes: { type: 'boolean', default: false },
  },
})
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const names = values.without.split(',').filter((name) => name !== '')
const strange = names.find((name) => !faultKinds.some((kind) => kind === name))
if (strange !== undefined) throw new Error(`no fault class ${strange}: ${faultKinds.join(', ')}`)
const without = new Set(names as FaultKind[])
const first = Number(values.seed ?? values.from)
const count = values.seed === undefined ? Number(values.seeds) : 1
const options = {
  safetyMs: Number(values.seconds) * 1_000,
  livenessMs: 60_000,
  without,
  usesRecipes: values.recipes,
}
const replayOf = ({ seed, safetyMs, without: left = new Set() }: WorldOptions): string => {
  const classes = left.size === 0 ? '' : ` --without ${[...left].join(',')}`
  const which = values.recipes ? ' --recipes' : ''
  return `npm run sim -- --seed ${seed} --seconds ${safetyMs / 1_000}${classes}${which} --trace`
}
const jobs = count === 1 ? 1 : Number(values.jobs)
const startedMs = performance.now()
const report = new Report()
const judged = async (seed: number, outcome: Summary): Promise<void> => {
  report.add(outcome)
  if (outcome.violation === null) return
  print(`seed ${seed} ${outcome.hash} ${outcome.violation}`)
  print(`replay: ${replayOf({ seed, ...options })}`)
  if (!values.shrink) return
  const smallest = await shrink({ seed, ...options })
  if (smallest !== null) print(`smallest: ${replayOf(smallest)}`)
}
const here = async (): Promise<void> => {
  for (let seed = first; seed < first + count; seed++) {
    const log = values.trace ? { log: print } : {}
    const outcome = await runWorld({ seed, ...options, ...log })
    await judged(seed, { ...outcome, violation: outcome.violation?.message ?? null })
  }
}
const inThread = async (index: number): Promise<void> => {
  const all = Array.from({ length: count }, (_, i) => first + i)
  const seeds = all.filter((_, i) => i % jobs === index)
  for await (const outcome of simulateInThread({ seeds, options })) {
    await judged(outcome.seed, outcome)
  }
}
if (jobs === 1) await here()
else await Promise.all(Array.from({ length: jobs }, (_, index) => inThread(index)))
const { user, system } = process.cpuUsage()
const seconds = { real: (performance.now() - startedMs) / 1_000, cpu: (user + system) / 1e6 }
print(values.json ? JSON.stringify(report.toJSON(seconds), null, 1) : report.summary(seconds))
const shortcomings = report.shortcomings(Number(values.occasions))
for (const shortcoming of shortcomings) print(shortcoming)
process.exitCode = shortcomings.length === 0 ? 0 : 1
