import { aligned } from './aligned.js'
import { formatChart } from './compare/format-chart.js'
import { formatComparison } from './compare/format.js'
import type { Comparison } from './compare/comparison.js'
/** What a scenario found: some figures of the whole, and a row for each phase, if it has any. */
export interface Report {
  readonly scenario: string
  readonly figures: readonly Figure[]
  readonly phases: readonly Phase[]
  /** Rows that peers are part of. */
  readonly comparisons?: readonly Comparison[]
  readonly charts?: readonly Chart[]
}

/** A picture beside the report. */
export interface Chart {
  /** Its name in the report's folder. */
  readonly file: string
  readonly title: string
  readonly xTitle: string
  readonly yTitle: string
  readonly isXLogarithmic: boolean
  readonly isYLogarithmic: boolean
  readonly lines: readonly { readonly name: string; readonly points: readonly Point[] }[]
}

export type Point = readonly [x: number, y: number]

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The value should be at most this. */
  readonly goal?: number
}

export interface Phase {
  readonly phase: string
  readonly seconds: number
  /** What was done in it, such as the znodes created; null when that is no number. */
  readonly count: number | null
  readonly server: ServerMeasure
  /** Of another client that reads one znode all the time. */
  readonly gets: Latencies
}

/** Of the server's process. Times in milliseconds, memory in bytes. */
export interface ServerMeasure {
  /** The longest time in which the event loop took no turn. */
  readonly stallMs: number
  /** The longest such time without that in which the process waited for a CPU. */
  readonly ownStallMs: number
  /** The longest time that the main thread was on a CPU without a turn of the event loop. */
  readonly cpuMs: number
  /** The longest pause for garbage collection. */
  readonly gcMs: number
  readonly loopP99Ms: number
  readonly rss: number
  readonly rssMax: number
  readonly heap: number
  readonly external: number
}

export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** For people. */
export const formatReport = ({
  scenario,
  figures,
  phases,
  comparisons = [],
  charts = [],
}: Report): string => {
  const table = [
    columns.map(([title]) => title),
    ...phases.map((phase) => columns.map(([, of]) => of(phase))),
  ]
  const lines = figures.map(({ name, value, unit, goal }) => {
    const aim = goal === undefined ? '' : ` (goal: at most ${goal})`
    return `${name}: ${round(value)} ${unit}${aim}`
  })
  const rows = phases.length === 0 ? [] : ['', ...aligned(table)]
  const compared = comparisons.flatMap((comparison) => ['', ...formatComparison(comparison)])
  const drawn = charts.flatMap((chart) => ['', ...formatChart(chart)])
  return [scenario, '', ...lines, ...rows, ...compared, ...drawn].join('\n')
}

const columns: readonly (readonly [string, (phase: Phase) => string])[] = [
  ['phase', ({ phase }) => phase],
  ['seconds', ({ seconds }) => seconds.toFixed(1)],
  ['count', ({ count }) => String(count ?? '')],
  ['RSS MB', ({ server }) => (server.rss / 1e6).toFixed(0)],
  ['peak MB', ({ server }) => (server.rssMax / 1e6).toFixed(0)],
  ['stall ms', ({ server }) => server.stallMs.toFixed(1)],
  ['own ms', ({ server }) => server.ownStallMs.toFixed(1)],
  ['CPU ms', ({ server }) => server.cpuMs.toFixed(1)],
  ['GC ms', ({ server }) => server.gcMs.toFixed(1)],
  ['loop p99', ({ server }) => server.loopP99Ms.toFixed(1)],
  ['gets', ({ gets }) => String(gets.count)],
  ['p50 ms', ({ gets }) => gets.p50Ms.toFixed(2)],
  ['p99 ms', ({ gets }) => gets.p99Ms.toFixed(2)],
  ['max ms', ({ gets }) => gets.maxMs.toFixed(1)],
]

const round = (value: number): string => String(Math.round(value * 100) / 100)
