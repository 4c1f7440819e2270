import t from 'tap'
import { testEnsembleRun } from '../support/ensemble-checks.js'
import { ensemblePlan, snapshotPlan } from '../support/ensemble-plan.js'

t.setTimeout(3_500_000)

const first = Number(process.env['CONCLAVE_SEED'] ?? 1)
const roundsPerRun = 10
const runs = [3, 5, 3, 5, 3].map((servers, i) => ({ servers, seed: first + i }))

for (const { servers, seed } of runs) {
  if (seed % 2 === 0) {
    t.test(`E2E-9 E2E-10 ${servers} servers under faults, seed ${seed}`, (t) =>
      testEnsembleRun(t, ensemblePlan(seed, servers, roundsPerRun)),
    )
  } else {
    t.test(`E2E-9 E2E-10 ${servers} servers that forget soon, seed ${seed}`, (t) =>
      testEnsembleRun(t, snapshotPlan(seed, servers, roundsPerRun)),
    )
  }
}
