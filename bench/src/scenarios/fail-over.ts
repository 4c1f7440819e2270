import { setTimeout as sleep } from 'node:timers/promises'
import type { Outcome } from '../counting-writer.js'
import { EnsembleProcesses } from '../ensemble-processes.js'
import type { Figure, Report } from '../report.js'
import type { Bench, Scenario } from '../scenario.js'
import { WritersProcess } from '../writers-process.js'

/** How long clients of three servers wait when their leader ends, stands still or hands over. */
export const failOver: Scenario = {
  name: 'fail-over',
  summary: 'the pause of all clients when a leader is killed, stopped, terminated or restarted',
  run: (bench) => run(bench, bench.quick ? 2 : 20),
}

/** What is done to an ensemble, and how long its clients may wait for it. */
interface Blow {
  readonly blow: string
  /** Until all that must be seen has happened; resolves when it has been done. */
  strike(ensemble: EnsembleProcesses, leader: number): Promise<void>
  /** Everybody runs again, or is about to. */
  mend(ensemble: EnsembleProcesses, leader: number): Promise<void>
  readonly medianMsGoal: number
  readonly worstMsGoal: number
}

const blows: readonly Blow[] = [
  {
    blow: 'leader killed with -9',
    strike: (ensemble, leader) => ensemble.end(leader, 'SIGKILL'),
    mend: (ensemble, leader) => ensemble.start(leader),
    medianMsGoal: 300,
    worstMsGoal: 1_000,
  },
  {
    blow: 'leader stands still (SIGSTOP)',
    strike: async (ensemble, leader) => ensemble.server(leader).stand(true),
    mend: async (ensemble, leader) => ensemble.server(leader).stand(false),
    medianMsGoal: 2_000,
    worstMsGoal: 2_000,
  },
  {
    blow: 'leader hands over (SIGTERM)',
    strike: (ensemble, leader) => ensemble.end(leader, 'SIGTERM'),
    mend: (ensemble, leader) => ensemble.start(leader),
    medianMsGoal: 300,
    worstMsGoal: 300,
  },
  {
    blow: 'rolling restart of all servers',
    strike: async (ensemble) => {
      for (const id of ensemble.ids) {
        await ensemble.end(id, 'SIGTERM')
        await ensemble.start(id)
        await ensemble.led()
      }
    },
    mend: async () => undefined,
    medianMsGoal: 300,
    worstMsGoal: 300,
  },
]

const run = async (bench: Bench, rounds: number): Promise<Report> => {
  const ensemble = new EnsembleProcesses(bench.directory, 3)
  const writers = new WritersProcess()
  try {
    bench.progress('start')
    await ensemble.startAll()
    await writers.spread(ensemble.url, ensemble.ids)
    await writers.saturate(warmUpSeconds)
    const perSecond = await writers.saturate(saturateSeconds)
    bench.progress(`${perSecond.toFixed(0)} writes a second`)
    await writers.pace(perSecond / 2)
    const figures: Figure[] = [{ name: 'throughput', value: perSecond, unit: 'writes/s' }]
    for (const blow of blows) {
      const longestMs: number[] = []
      for (let round = 0; round < rounds; round++) {
        longestMs.push(await strike(bench, blow, { ensemble, writers }))
      }
      figures.push(...figuresOf(blow, longestMs))
    }
    figures.push(...factsOf(bench, await writers.finish()))
    return { scenario: `fail-over: ${rounds} rounds each`, figures, phases: [] }
  } finally {
    await writers.stop()
    await ensemble.stop()
  }
}

/** @returns the longest time that one of the clients had no answer */
const strike = async (
  bench: Bench,
  blow: Blow,
  at: { readonly ensemble: EnsembleProcesses; readonly writers: WritersProcess },
): Promise<number> => {
  const { ensemble, writers } = at
  const leader = await ensemble.led()
  await writers.spread(ensemble.url, ensemble.ids)
  await sleep(calmMs)
  await writers.gapsMs()
  await blow.strike(ensemble, leader)
  await sleep(calmMs + blow.worstMsGoal)
  const gapsMs = await writers.gapsMs()
  bench.progress(`${blow.blow}: ${gapsMs.map((gapMs) => gapMs.toFixed(0)).join(', ')} ms`)
  await blow.mend(ensemble, leader)
  return Math.max(...gapsMs)
}

const figuresOf = (
  { blow, medianMsGoal, worstMsGoal }: Blow,
  longestMs: readonly number[],
): readonly Figure[] => {
  const sorted = [...longestMs].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] as number
  const unit = 'ms without an answer'
  return [
    { name: `${blow}: median`, value: median, unit, goal: medianMsGoal },
    { name: `${blow}: worst`, value: Math.max(...sorted), unit, goal: worstMsGoal },
  ]
}

const factsOf = (bench: Bench, outcome: Outcome): readonly Figure[] => {
  for (const reason of outcome.rejected.slice(0, reasonsShown)) bench.progress(reason)
  return [
    { name: 'writes', value: outcome.calls, unit: 'calls' },
    { name: 'promises rejected', value: outcome.rejected.length, unit: 'calls', goal: 0 },
    { name: 'not applied exactly once', value: outcome.miscounted, unit: 'calls', goal: 0 },
    { name: 'sessions lost', value: outcome.sessionsLost, unit: 'sessions', goal: 0 },
  ]
}

const warmUpSeconds = 5
const saturateSeconds = 10
const calmMs = 500
const reasonsShown = 5
