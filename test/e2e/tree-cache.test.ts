import t from 'tap'
import { testTreeCacheRun } from '../support/tree-cache-checks.js'

t.setTimeout(110_000)

const seed = Number(process.env['CONCLAVE_SEED'] ?? 1)

t.test(`RECIPE-108 what caches are told is what is in the logs, seed ${seed}`, (t) =>
  testTreeCacheRun(t, { seed, writes: 1_000, disconnects: 10, kills: 1 }),
)
