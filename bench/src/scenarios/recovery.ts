import type { Row } from '../compare/comparison.js'
import { fill } from '../compare/fill.js'
import { rowsScenario } from '../compare/rows-scenario.js'

export const recovery = rowsScenario({
  name: 'recovery',
  summary: 'how long nothing can be written: the leader is killed; all servers are restarted',
  rows: ({ quick }) => [leaderKilled, allRestarted(quick ? 20_000 : 200_000)],
})

/** Clients that knock at the two other servers all the time, until one of them has written. */
const leaderKilled: Row = {
  name: 'leader killed with -9, first write served',
  by: 'ms',
  goal: 0.3,
  takes: ({ driver }) => driver !== 'raw',
  prepare: async () => 'new connections every 10 ms at both others',
  async measure(contender) {
    const { ensemble } = contender
    const leader = await ensemble.leader()
    const others = [...ensemble.addresses.keys()].filter((index) => index !== leader)
    const startMs = performance.now()
    await ensemble.end(leader, 'SIGKILL')
    await contender.firstWrite(others)
    const ms = performance.now() - startMs
    ensemble.startOne(leader)
    await ensemble.leader()
    return { ms }
  },
  clean: async () => undefined,
}

const allRestarted = (znodes: number): Row => ({
  name: `restart of all three with ${znodes} znodes`,
  by: 'ms',
  goal: 0.4,
  takes: ({ driver }) => driver !== 'raw',
  async prepare(contender) {
    await fill(contender, znodes)
    return 'SIGTERM, start, all serve, first write'
  },
  async measure(contender) {
    const { ensemble } = contender
    const all = [...ensemble.addresses.keys()]
    await Promise.all(all.map((index) => ensemble.end(index, 'SIGTERM')))
    const startMs = performance.now()
    await ensemble.startAll()
    await contender.firstWrite(all)
    return { ms: performance.now() - startMs }
  },
  clean: async () => undefined,
})
