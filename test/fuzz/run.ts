/**
 * Looks for bytes that do harm.
 *
 * Usage: npm run fuzz -- --minutes N [--seed S] [--target NAME]
 *
 * Half of it attacks a real server in rounds of ten minutes while a healthy client works beside;
 * the other half feeds decoders, readers and the core in a process of its own. A finding in the
 * latter is printed with its smallest input, and found again by the same --seed and --target.
 * `--target live` runs the first half alone.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { TargetReport } from './in-process-child.js'
import { LiveFuzzing, type LiveReport, stallMsMax } from './live.js'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const runInProcess = async (
  seed: number,
  durationMs: number,
  only: string | null,
): Promise<boolean> => {
  const script = fileURLToPath(new URL('./in-process-child.js', import.meta.url))
  const child = fork(script, { execArgv: [] })
  const reports = new Map<string, TargetReport>()
  child.on('message', (report: TargetReport) => {
    reports.set(report.target, report)
    if (report.finding === null) return
    const { execution, hex, stack } = report.finding
    say(`FOUND in ${report.target}, execution ${execution} of seed ${seed}: ${hex}\n${stack}`)
    say(`  again: npm run fuzz -- --minutes 5 --seed ${seed} --target ${report.target}`)
  })
  child.send({ seed, durationMs, only })
  const [code] = (await once(child, 'exit')) as [number | null]
  let executions = 0
  for (const report of reports.values()) {
    executions += report.executions
    const { target, executionsPerSecond, signatures } = report
    say(
      `${target.padEnd(22)} ${String(report.executions).padStart(10)} executions, ` +
        `${executionsPerSecond}/s, ${signatures} signatures`,
    )
  }
  say(`${executions} executions in the process`)
  if (code !== 0) say(`FOUND: the process of the targets ended with ${code}`)
  return code === 0 && [...reports.values()].every(({ finding }) => finding === null)
}

const runLive = async (seed: number, durationMs: number): Promise<boolean> => {
  const fuzzing = new LiveFuzzing(seed)
  const startMs = performance.now()
  const tell = ({ attacks, signatures, longestMs, rssMiB }: LiveReport): void => {
    const seconds = (performance.now() - startMs) / 1_000
    say(
      `live ${Math.round(seconds)} s: ${attacks} attacks, ${(attacks / seconds).toFixed(1)}/s, ` +
        `${signatures.size} signatures, longest answer ${longestMs} ms of ${stallMsMax}, ` +
        `RSS ${rssMiB.at(-1)} MiB`,
    )
  }
  for (;;) {
    const leftMs = durationMs - (performance.now() - startMs)
    if (leftMs <= 0 || fuzzing.report.faults.length > 0) break
    await fuzzing.round(Math.min(leftMs, roundMs), tell)
  }
  for (const signature of [...fuzzing.report.signatures].sort()) say(`  saw ${signature}`)
  for (const fault of fuzzing.report.faults) say(`FOUND live, seed ${seed}: ${fault}`)
  return fuzzing.report.faults.length === 0
}

const roundMs = 600_000

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: { minutes: { type: 'string' }, seed: { type: 'string' }, target: { type: 'string' } },
  })
  const minutes = Number(values.minutes ?? 1)
  const seed = values.seed === undefined ? Date.now() % 1_000_000_007 : Number(values.seed)
  if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
    say('usage: npm run fuzz -- --minutes N [--seed S] [--target NAME]')
    process.exitCode = 2
    return
  }
  say(`seed ${seed}, ${minutes} minutes`)
  const { target } = values
  const results = await Promise.all([
    target === 'live' ? true : runInProcess(seed, minutes * 60_000, target ?? null),
    target === undefined || target === 'live' ? runLive(seed, minutes * 60_000) : true,
  ])
  const isFine = results.every((fine) => fine)
  say(isFine ? 'nothing found' : 'something was found')
  process.exitCode = isFine ? 0 : 1
}

await main()
