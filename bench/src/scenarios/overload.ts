import { join } from 'node:path'
import { LoadProcess } from '../load/load-process.js'
import type { LoadResult } from '../load/load.js'
import type { Chart, Figure, Point } from '../report.js'
import type { Bench, Scenario } from '../scenario.js'
import { conclave } from '../systems/conclave.js'
import { Ensemble } from '../systems/ensemble.js'

/** Three servers on one core are asked three times what they can take, and then half of it. */
export const overload: Scenario = {
  name: 'overload',
  summary: 'three servers on one core are asked three times what they can take',
  async run(bench) {
    const options = { size: 3, cpu: 0 }
    const ensemble = await Ensemble.start(conclave, join(bench.directory, 'overload'), options)
    const [writers, pinger] = [new LoadProcess('writers'), new LoadProcess('pings')]
    try {
      return await new Overload(bench, ensemble, { writers, pinger }).run()
    } finally {
      await Promise.all([writers.stop(), pinger.stop()])
      await ensemble.stop()
    }
  },
}

interface Generators {
  readonly writers: LoadProcess
  /** Sessions that do nothing but stay alive. */
  readonly pinger: LoadProcess
}

/** A part of the run, and when it began. */
interface Part {
  readonly name: string
  readonly fromMs: number
  readonly offered: number
  readonly result: LoadResult
}

class Overload {
  readonly #bench: Bench
  readonly #ensemble: Ensemble
  readonly #generators: Generators
  readonly #rss: Point[] = []
  #startMs = 0

  constructor(bench: Bench, ensemble: Ensemble, generators: Generators) {
    this.#bench = bench
    this.#ensemble = ensemble
    this.#generators = generators
  }

  async run() {
    const { writers, pinger } = this.#generators
    await this.#open(writers, writerCount)
    await this.#open(pinger, pingerCount)
    const capacity = await this.#capacity()
    this.#bench.progress(`${capacity.toFixed(0)} writes a second is what they can take`)
    this.#startMs = performance.now()
    const watch = setInterval(() => this.#lookAtMemory(), intervalMs)
    const { before, over, after } = this.#seconds
    const pinging = pinger.run({
      operation: 'ping',
      inFlight: pingsInFlight,
      until: { seconds: before + over + after + drainSeconds },
      valueBytes: 0,
      perSecond: pingsPerSecond,
      intervalMs,
    })
    // It is waited for last; a fault of the writers comes first.
    pinging.catch(() => undefined)
    try {
      const parts = [
        await this.#part('before', capacity / 2, before),
        await this.#part('overload', capacity * 3, over),
        await this.#part('after', capacity / 2, after),
      ]
      const pings = await pinging
      return {
        scenario: 'overload',
        figures: this.#figures(capacity, parts, pings),
        phases: [],
        charts: this.#charts(parts, pings),
      }
    } finally {
      clearInterval(watch)
    }
  }

  get #seconds() {
    return this.#bench.quick
      ? { before: 3, over: 6, after: 6 }
      : { before: 10, over: 30, after: 30 }
  }

  #open(generator: LoadProcess, connections: number): Promise<void> {
    const { addresses } = this.#ensemble
    return generator.open({
      driver: 'raw',
      addresses: Array.from({ length: connections }, (_, i) => addresses[i % 3] as string),
      name: `overload-${connections}`,
    })
  }

  async #capacity(): Promise<number> {
    const load = { operation: 'set', inFlight: 32, valueBytes: 100, perSecond: null } as const
    await this.#generators.writers.run({ ...load, until: { seconds: warmUpSeconds } })
    const result = await this.#generators.writers.run({
      ...load,
      until: { seconds: warmUpSeconds },
    })
    return result.perSecond
  }

  async #part(name: string, offered: number, seconds: number): Promise<Part> {
    this.#bench.progress(`${name}: ${offered.toFixed(0)} writes a second are due for ${seconds} s`)
    const fromMs = performance.now() - this.#startMs
    const result = await this.#generators.writers.run({
      operation: 'set',
      inFlight: 1_000,
      until: { seconds },
      valueBytes: 100,
      perSecond: offered,
      intervalMs,
    })
    return { name, fromMs, offered, result }
  }

  #lookAtMemory(): void {
    const bytes = this.#ensemble.rss.reduce((sum, one) => sum + one, 0)
    this.#rss.push([(performance.now() - this.#startMs) / 1_000, bytes / 1e6])
  }

  /** A lost session is a fault of its connection, and ends the scenario. */
  #figures(capacity: number, parts: readonly Part[], pings: LoadResult): readonly Figure[] {
    const [before, over, after] = parts as [Part, Part, Part]
    const peak = Math.max(...this.#rss.map(([, megabytes]) => megabytes))
    const last = this.#rss.at(-1)?.[1] ?? 0
    return [
      { name: 'what they can take', value: capacity, unit: 'writes/s' },
      { name: 'overload: answered', value: over.result.perSecond, unit: 'writes/s' },
      { name: 'overload: throttled', value: over.result.throttled, unit: 'writes' },
      { name: 'overload: due and never sent', value: over.result.unsent, unit: 'writes' },
      { name: 'pings, p99', value: pings.latencies.p99Ms, unit: 'ms', goal: 1_000 },
      { name: 'pings, the longest', value: pings.latencies.maxMs, unit: 'ms' },
      { name: 'pings never sent', value: pings.unsent, unit: 'pings', goal: 0 },
      { name: 'writes before, p99', value: before.result.latencies.p99Ms, unit: 'ms' },
      { name: 'writes after, p99', value: after.result.latencies.p99Ms, unit: 'ms' },
      { name: 'RSS of all, peak', value: peak, unit: 'MB' },
      { name: 'RSS of all, at the end', value: last, unit: 'MB' },
    ]
  }

  #charts(parts: readonly Part[], pings: LoadResult): readonly Chart[] {
    const points = (of: (part: Part, index: number) => number): Point[] =>
      parts.flatMap((part) =>
        part.result.intervals.map(({ atMs }, index): Point => [
          (part.fromMs + atMs) / 1_000,
          of(part, index),
        ]),
      )
    const at = (part: Part, index: number) => part.result.intervals[index]
    const line = (name: string, some: readonly Point[]) => ({ name, points: some })
    return [
      chart('overload-writes.svg', 'Writes when three times as many are due', 'writes/s', [
        line(
          'due',
          points(({ offered }) => offered),
        ),
        line(
          'answered',
          points((part, index) => at(part, index)?.perSecond ?? 0),
        ),
        line(
          'throttled',
          points((part, index) => at(part, index)?.throttledPerSecond ?? 0),
        ),
      ]),
      chart('overload-pings.svg', 'Pings of idle sessions meanwhile', 'ms', [
        line('p99', pingPoints(pings, 'p99Ms')),
        line('the longest', pingPoints(pings, 'maxMs')),
      ]),
      chart('overload-memory.svg', 'Resident memory of all servers meanwhile', 'MB', [
        line('RSS', this.#rss),
      ]),
    ]
  }
}

const pingPoints = ({ intervals }: LoadResult, of: 'p99Ms' | 'maxMs'): readonly Point[] =>
  intervals.map((interval): Point => [interval.atMs / 1_000, interval[of]])

const chart = (file: string, title: string, yTitle: string, lines: Chart['lines']): Chart => ({
  file,
  title,
  xTitle: 's',
  yTitle,
  isXLogarithmic: false,
  isYLogarithmic: false,
  lines,
})

const writerCount = 48
const pingerCount = 60
/** A server remembers no more of a connection (LIMIT-20). */
const pingsInFlight = 16
const pingsPerSecond = 120
const intervalMs = 500
const warmUpSeconds = 4
/** What is in flight at the end of the overload is answered after it. */
const drainSeconds = 15
