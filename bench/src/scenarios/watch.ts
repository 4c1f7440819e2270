import type { Row } from '../compare/comparison.js'
import type { Placement } from '../compare/contender.js'
import { rowsScenario } from '../compare/rows-scenario.js'
import type { Measure } from '../compare/sample.js'

export const watch = rowsScenario({
  name: 'watch',
  summary: 'how long after a write its watchers are told, one of them and a thousand',
  rows: ({ seconds }) => [
    watchRow({ name: 'watch, 1 watcher', watchers: 1, by: 'p50Ms', goal: 0.85 }, seconds),
    watchRow({ name: 'watch, 1000, the last', watchers: 1_000, by: 'p50Ms', goal: 0.45 }, seconds),
    watchRow({ name: 'watch, 1000, events', watchers: 1_000, by: 'perSecond', goal: 2.5 }, seconds),
  ],
})

interface WatchRowOptions {
  readonly name: string
  /** Each on a connection of its own, at all servers by turns. */
  readonly watchers: number
  readonly by: Measure
  readonly goal: number | null
}

/** Everybody is measured with the placement that is better: all at the leader, or by turns. */
const watchRow = ({ name, watchers, by, goal }: WatchRowOptions, seconds: number): Row => ({
  name,
  by,
  goal,
  async prepare(contender) {
    const p50Ms = new Map<Placement, number>()
    for (const placement of placements) {
      await contender.open({ connections: watchers + 1, placement })
      const sample = await contender.broadcast({ seconds: seconds / 4, valueBytes: 100 })
      p50Ms.set(placement, sample.p50Ms ?? Infinity)
    }
    const [leader = Infinity, spread = Infinity] = [...p50Ms.values()]
    const placement = leader < spread ? 'leader' : 'spread'
    await contender.open({ connections: watchers + 1, placement })
    return `${watchers} + 1 connections, ${placement}`
  },
  measure: (contender) => contender.broadcast({ seconds, valueBytes: 100 }),
  clean: (contender) => contender.close(),
})

const placements = ['leader', 'spread'] as const
