import { join } from 'node:path'
import { connect } from '@conclave/client'
import { Election } from '@conclave/client/recipes'
import { Child } from '../child.js'
import { median } from '../compare/sample.js'
import { LatencyRecorder } from '../load/latencies.js'
import type { RecipesAnswer, RecipesQuestion } from '../recipes-child.js'
import type { Figure } from '../report.js'
import type { Bench, Scenario } from '../scenario.js'
import { conclave } from '../systems/conclave.js'
import { Ensemble } from '../systems/ensemble.js'

/** What users of the recipes wait for. */
export const recipes: Scenario = {
  name: 'recipes',
  summary: 'a lock changes hands; a leader of an election is killed',
  async run(bench) {
    const options = { size: 3, cpu: null }
    const ensemble = await Ensemble.start(conclave, join(bench.directory, 'recipes'), options)
    const url = `conclave://${ensemble.addresses.join(',')}`
    try {
      const figures = [...(await lockFigures(bench, url)), ...(await electionFigures(bench, url))]
      return { scenario: 'recipes', figures, phases: [] }
    } finally {
      await ensemble.stop()
    }
  },
}

const lockFigures = async (bench: Bench, url: string): Promise<readonly Figure[]> => {
  const times = bench.quick ? 200 : 2_000
  bench.progress(`a lock changes hands ${times} times`)
  const child = new RecipesChild()
  try {
    const answer = await child.ask({ handOver: { url, path: '/locks/bench', times } })
    if (!('handOversMs' in answer)) throw new Error('the clients answered something else')
    const recorder = new LatencyRecorder()
    for (const ms of answer.handOversMs) recorder.record(ms)
    const { p50Ms, p99Ms, p999Ms } = recorder.latencies
    return [
      { name: 'lock: from the release until the next has it, p50', value: p50Ms, unit: 'ms' },
      { name: 'lock: the same, p99', value: p99Ms, unit: 'ms' },
      { name: 'lock: the same, p99.9', value: p999Ms, unit: 'ms' },
    ]
  } finally {
    await child.end()
  }
}

const electionFigures = async (bench: Bench, url: string): Promise<readonly Figure[]> => {
  const rounds = bench.quick ? 2 : 10
  const tookMs: number[] = []
  for (let round = 0; round < rounds; round++) {
    const ms = await leaderKilled(url, `/elections/bench-${round}`)
    bench.progress(
      `the leader of an election was killed, the next one leads after ${ms.toFixed(0)} ms`,
    )
    tookMs.push(ms)
  }
  const name = `election: leader killed, session timeout ${sessionTimeoutMs} ms`
  return [
    { name: `${name}: median`, value: median(tookMs), unit: 'ms' },
    { name: `${name}: worst`, value: Math.max(...tookMs), unit: 'ms' },
  ]
}

/** @returns from its end until the other leads, in ms */
const leaderKilled = async (url: string, path: string): Promise<number> => {
  const [leader, next] = [new RecipesChild(), new RecipesChild()]
  try {
    for (const child of [leader, next]) await child.ask({ connect: { url, sessionTimeoutMs } })
    await leader.ask({ lead: { path } })
    const led = next.ask({ lead: { path } })
    await candidates(url, path, 2)
    const startMs = performance.now()
    await leader.endBy('SIGKILL')
    await led
    return performance.now() - startMs
  } finally {
    await Promise.all([leader.endBy('SIGKILL'), next.endBy('SIGKILL')])
  }
}

const candidates = async (url: string, path: string, count: number): Promise<void> => {
  await using client = await connect(url)
  const election = new Election(client, path)
  while ((await election.candidates()).length < count);
}

class RecipesChild extends Child<RecipesQuestion, RecipesAnswer> {
  constructor() {
    super('recipes-child')
  }
}

const sessionTimeoutMs = 1_000
