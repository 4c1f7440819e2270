import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { peerNames } from '../compare/arena.js'
import type { Comparison } from '../compare/comparison.js'
import { runScenario } from '../run-scenario.js'
import { read } from '../scenarios/read.js'
import { watch } from '../scenarios/watch.js'
import { write } from '../scenarios/write.js'
import { type Baseline, baselineOf, type Fallen, fallenRows } from './fallen.js'

interface Flags {
  readonly save: boolean
  readonly baseline: string
  readonly rounds: number
  readonly quick: boolean
}

const run = async ({ save, baseline: file, rounds, quick }: Flags): Promise<void> => {
  const before = save ? {} : await readBaseline(file)
  const comparisons: Comparison[] = []
  for (const scenario of [write, read, watch]) {
    const report = await runScenario(scenario, { quick, rounds, peers: peerNames, perSecond: null })
    comparisons.push(...(report.comparisons ?? []))
  }
  const now = baselineOf(comparisons)
  if (Object.keys(now).length === 0) program.error('no peer could be run: there are no ratios')
  if (save) {
    await writeFile(file, `${JSON.stringify(now, null, 2)}\n`)
    return
  }
  const fallen = fallenRows(before, now)
  for (const one of fallen) process.stdout.write(`${sentence(one)}\n`)
  if (fallen.length > 0) process.exitCode = 1
  else process.stdout.write(`None of ${Object.keys(before).length} rows fell.\n`)
}

const readBaseline = async (file: string): Promise<Baseline> => {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Baseline
  } catch (error) {
    return program.error(`no baseline in ${file}; make one with --save: ${String(error)}`)
  }
}

const sentence = ({ row, before, now, by }: Fallen): string =>
  `${row}: worse by ${(by * 100).toFixed(0)} %, from ${before.median.toFixed(2)} ` +
  `(spread ${before.spread.toFixed(2)}) to ${now.median.toFixed(2)} ` +
  `(spread ${now.spread.toFixed(2)}) of the better peer`

const committed = fileURLToPath(new URL('../../baseline.json', import.meta.url))

const program = new Command('bench:guard')
  .description('Names the rows whose ratio to the better peer fell against a committed baseline.')
  .option('--save', 'make this run the baseline', false)
  .option('--baseline <file>', 'which one', committed)
  .option('--rounds <count>', 'interleaved, of each row', Number, 5)
  .option('--quick', 'a quarter of the time', false)
  .action(run)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
await program.parseAsync()
