import t from 'tap'
import { testTreeCacheRun } from '../support/tree-cache-checks.js'

t.setTimeout(1_500_000)

const seed = Number(process.env['CONCLAVE_SEED'] ?? 1)

t.test(`RECIPE-108 10,000 writes, 50 disconnects and 5 killed leaders, seed ${seed}`, (t) =>
  testTreeCacheRun(t, { seed, writes: 10_000, disconnects: 50, kills: 5 }),
)
