import { setTimeout as sleep } from 'node:timers/promises'
import type { Row } from '../compare/comparison.js'
import { fill } from '../compare/fill.js'
import { rowsScenario } from '../compare/rows-scenario.js'

export const memory = rowsScenario({
  name: 'memory',
  summary: 'resident memory for a znode and for an idle session',
  isWarm: false,
  rows: ({ quick }) => [sessionsRow(quick ? 1_000 : 10_000), znodesRow(quick ? 20_000 : 200_000)],
})

const znodesRow = (znodes: number): Row => ({
  name: `RSS of one server for each of ${znodes} znodes`,
  by: 'bytes',
  goal: 0.5,
  takes: ({ driver }) => driver !== 'raw',
  prepare: async () => 'created 16x32',
  async measure(contender) {
    const { ensemble } = contender
    const before = total(ensemble.rss)
    await fill(contender, znodes)
    await sleep(calmMs)
    const grown = total(ensemble.rss) - before
    return { bytes: grown / ensemble.addresses.length / znodes, rss: before + grown }
  },
  clean: async () => undefined,
})

/** etcd has leases, which belong to no connection. */
const sessionsRow = (sessions: number): Row => ({
  name: `RSS of all servers for each of ${sessions} idle sessions`,
  by: 'bytes',
  goal: 0.4,
  takes: ({ driver }) => driver !== 'raw' && driver !== 'etcd',
  prepare: async () => 'a connection each, spread',
  async measure(contender) {
    const { ensemble } = contender
    const before = total(ensemble.rss)
    await contender.open({ connections: sessions, placement: 'spread' })
    await sleep(calmMs)
    const grown = total(ensemble.rss) - before
    await contender.close()
    return { bytes: grown / sessions, rss: before + grown }
  },
  clean: async () => undefined,
})

const total = (all: readonly number[]): number => all.reduce((sum, bytes) => sum + bytes, 0)

/** Long enough for what was written to be on the disk everywhere. */
const calmMs = 3_000
