import t from 'tap'
import { testEnsembleRun } from '../support/ensemble-checks.js'
import { shortEnsemblePlan } from '../support/ensemble-plan.js'

t.setTimeout(110_000)

const seed = Number(process.env['CONCLAVE_SEED'] ?? 1)

t.test(`E2E-9 E2E-10 three servers under faults, seed ${seed}`, (t) =>
  testEnsembleRun(t, shortEnsemblePlan(seed)),
)
