import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { formatReport } from './report.js'
import type { Scenario } from './scenario.js'
import { catchUp } from './scenarios/catch-up.js'
import { failOver } from './scenarios/fail-over.js'
import { millionZnodes } from './scenarios/million-znodes.js'

const scenarios: readonly Scenario[] = [millionZnodes, failOver, catchUp]

const runOne = async (
  scenario: Scenario,
  { quick, json }: { readonly quick: boolean; readonly json: boolean },
): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'conclave-bench-'))
  const clean = (): void => rmSync(directory, { recursive: true, force: true })
  process.once('exit', clean)
  const startMs = performance.now()
  const progress = (text: string): void => {
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(0)
    process.stderr.write(`${seconds.padStart(5)} s  ${scenario.name}: ${text}\n`)
  }
  const deadline = setTimeout(() => {
    progress(`not done after ${minutesMax} minutes, given up`)
    process.exit(1)
  }, minutesMax * 60_000)
  try {
    const report = await scenario.run({ quick, directory, progress })
    process.stdout.write(`${json ? JSON.stringify(report) : formatReport(report)}\n`)
  } finally {
    clearTimeout(deadline)
    clean()
    process.removeListener('exit', clean)
  }
}

/** Children end when their parent does. */
const minutesMax = 30

const program = new Command('bench')
  .description('Measures real servers on this machine.')
  .argument('[scenarios...]', `any of ${scenarios.map(({ name }) => name).join(', ')}; all if none`)
  .option('--quick', 'a tenth of the work', false)
  .option('--json', 'one line of JSON a scenario', false)
  .action(async (names: string[], options: { quick: boolean; json: boolean }) => {
    const unknown = names.find((name) => !scenarios.some((scenario) => scenario.name === name))
    if (unknown !== undefined) program.error(`there is no scenario ${unknown}`)
    const chosen = scenarios.filter(({ name }) => names.length === 0 || names.includes(name))
    for (const scenario of chosen) await runOne(scenario, options)
  })

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
await program.parseAsync()
