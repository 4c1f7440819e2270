import { Arena } from '../compare/arena.js'
import type { Contender } from '../compare/contender.js'
import { chartOf, type Curve, drawCurve } from '../compare/curve.js'
import { fill } from '../compare/fill.js'
import { warmUp } from '../compare/warm-up.js'
import type { Load, Operation } from '../load/load.js'
import type { Chart, Point } from '../report.js'
import type { Bench, Scenario } from '../scenario.js'
import type { Ensemble } from '../systems/ensemble.js'

/** How figures change with the size of values, tree and ensemble, and with what clients do. */
export const curves: Scenario = {
  name: 'curves',
  summary: 'throughput and latency by size of value, tree and ensemble, connections, watchers',
  async run(bench) {
    const charts: Chart[] = []
    const arena = await Arena.open(bench)
    try {
      await warmUp(bench, arena.contenders)
      for (const curve of curvesOf(bench)) {
        charts.push(await drawCurve(curve, arena.contenders, bench))
      }
    } finally {
      await arena.close()
    }
    charts.push(await ensembleCurve(bench))
    return { scenario: 'curves', figures: [], phases: [], charts }
  },
}

const curvesOf = ({ quick }: Bench): readonly Curve[] => {
  const seconds = quick ? 1 : 4
  const some = (xs: readonly number[]): readonly number[] => (quick ? xs.slice(0, -1) : xs)
  const load = (said: Partial<Load> & { readonly operation: Operation }): Load => ({
    inFlight: 32,
    until: { seconds },
    valueBytes: 100,
    perSecond: null,
    ...said,
  })
  const run = async (contender: Contender, connections: number, what: Load) => {
    await contender.open({ connections, placement: 'spread' })
    return contender.run(what)
  }
  return [
    {
      name: 'set 16x8 by size of the value',
      file: 'value-size.svg',
      xTitle: 'bytes',
      xs: some([10, 100, 1_024, 8_192, 65_536]),
      by: 'perSecond',
      measure: (contender, valueBytes) =>
        run(contender, 16, load({ operation: 'set', inFlight: 8, valueBytes })),
    },
    {
      name: 'set by depth, 16 connections',
      file: 'depth.svg',
      xTitle: 'in flight on each connection',
      xs: some([1, 4, 16, 64, 256]),
      by: 'perSecond',
      measure: (contender, inFlight) => run(contender, 16, load({ operation: 'set', inFlight })),
    },
    {
      name: 'set by connections, one in flight each',
      file: 'connections.svg',
      xTitle: 'connections',
      xs: some([1, 10, 100, 1_000, 5_000]),
      by: 'perSecond',
      measure: (contender, connections) =>
        run(contender, connections, load({ operation: 'set', inFlight: 1 })),
    },
    {
      name: 'the last of all watchers is told',
      file: 'watchers.svg',
      xTitle: 'watchers, each on a connection of its own',
      xs: some([1, 10, 100, 1_000, 10_000]),
      by: 'p50Ms',
      async measure(contender, watchers) {
        await contender.open({ connections: watchers + 1, placement: 'spread' })
        return contender.broadcast({ seconds, valueBytes: 100 })
      },
    },
    treeCurve(some([1_000, 10_000, 100_000, 1_000_000]), load({ operation: 'mixed' })),
  ]
}

/** Last, since what it makes stays. */
const treeCurve = (xs: readonly number[], load: Load): Curve => {
  const filled = new Map<Ensemble, number>()
  return {
    name: 'mixed 90/10 16x32 by size of the tree',
    file: 'tree-size.svg',
    xTitle: 'znodes of 100 bytes',
    xs,
    by: 'perSecond',
    async measure(contender, znodes) {
      const { ensemble } = contender
      // Two contenders may share one.
      const missing = znodes - (filled.get(ensemble) ?? 0)
      if (missing > 0) await fill(contender, missing)
      filled.set(ensemble, znodes)
      await contender.open({ connections: 16, placement: 'spread' })
      return contender.run(load)
    },
  }
}

const ensembleCurve = async (bench: Bench): Promise<Chart> => {
  const points = new Map<string, Point[]>()
  const curve: Curve = {
    name: 'set 16x32 by servers',
    file: 'ensemble-size.svg',
    xTitle: 'servers',
    xs: [1, 3, 5],
    by: 'perSecond',
    async measure(contender) {
      await contender.open({ connections: 16, placement: 'spread' })
      const until = { seconds: bench.quick ? 1 : 4 }
      const shape = { inFlight: 32, valueBytes: 100, perSecond: null }
      return contender.run({ operation: 'set', ...shape, until })
    },
  }
  for (const size of curve.xs) {
    const arena = await Arena.open(bench, { size })
    try {
      await warmUp(bench, arena.contenders)
      const { lines } = await drawCurve({ ...curve, xs: [size] }, arena.contenders, bench)
      for (const { name, points: some } of lines) {
        points.set(name, [...(points.get(name) ?? []), ...some])
      }
    } finally {
      await arena.close()
    }
  }
  const lines = [...points].map(([name, some]) => ({ name, points: some }))
  return { ...chartOf(curve, lines), isXLogarithmic: false, isYLogarithmic: false }
}
