import { Command } from 'commander'
import { peerNames } from './compare/arena.js'
import { formatReport } from './report.js'
import { machineNow } from './report/machine.js'
import { writeReport } from './report/write-report.js'
import { runScenario, type RunOptions } from './run-scenario.js'
import { scenarios } from './scenarios/index.js'

interface Flags {
  readonly only: readonly string[]
  readonly peers: readonly string[]
  readonly rounds?: number
  readonly rate?: number
  readonly quick: boolean
  readonly json: boolean
  readonly out: string
}

const names = scenarios.map(({ name }) => name)

const listOf =
  (kind: string, known: readonly string[]) =>
  (text: string): readonly string[] => {
    const said = text.split(',').filter((name) => name !== '' && name !== 'none')
    const unknown = said.find((name) => !known.includes(name))
    if (unknown !== undefined) {
      program.error(`there is no ${kind} ${unknown}; there are ${known.join(', ')}`)
    }
    return said
  }

const wholeNumber = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) program.error(`${text} is no whole number above 0`)
  return value
}

const run = async (named: readonly string[], flags: Flags): Promise<void> => {
  const asked = [...listOf('scenario', names)(named.join(',')), ...flags.only]
  const chosen = scenarios.filter(({ name }) => asked.length === 0 || asked.includes(name))
  const { quick, peers, rounds = quick ? 1 : roundsDefault, rate: perSecond = null } = flags
  const options: RunOptions = { quick, peers, rounds, perSecond }
  const before = machineNow()
  const reports = []
  for (const scenario of chosen) {
    const report = await runScenario(scenario, options)
    process.stdout.write(`${flags.json ? JSON.stringify(report) : `${formatReport(report)}\n`}\n`)
    reports.push(report)
    // After each: what was measured is there even when the next one fails.
    await writeReport(flags.out, { quick, rounds, before, after: machineNow(), reports })
  }
  process.stderr.write(`The report is in ${flags.out}\n`)
}

const roundsDefault = 3

const program = new Command('bench')
  .description('Measures real servers on this machine, and the peers beside them.')
  .argument('[scenarios...]', `any of ${names.join(', ')}; all if none`)
  .option('--only <names>', 'the same, with commas', listOf('scenario', names), [])
  .option(
    '--peers <names>',
    `any of ${peerNames.join(', ')}, with commas, or none`,
    listOf('peer', peerNames),
    peerNames,
  )
  .option(
    '--rounds <count>',
    'how often each contender is measured (default: 3, quick: 1)',
    wholeNumber,
  )
  .option(
    '--rate <count>',
    'operations a second that are due by the clock, in the rows of write and read',
    wholeNumber,
  )
  .option('--quick', 'a tenth of the work', false)
  .option('--json', 'one line of JSON a scenario', false)
  .option('--out <directory>', 'where the report goes', `bench-report-${Date.now()}`)
  .action(run)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
await program.parseAsync()
