import t from 'tap'
import { crashScenarios } from '../../../support/crash-scenarios.js'
import { enumerateCrashes } from '../../../support/crash-states.js'

t.setTimeout(110_000)

const statesMin = 600

let statesInAll = 0

for (const { name, steps, stopsIn, ...options } of crashScenarios(1)) {
  t.test(`DISK-7 every crash state of ${name}`, async (t) => {
    // `npm run e2e` takes every subset, and stops the recovery too.
    const report = await enumerateCrashes(steps, {
      ...options,
      subsetsMax: 32,
      recoverySubsetsMax: 0,
    })
    t.strictSame(report.failures.slice(0, 3), [])
    for (const operation of stopsIn) {
      t.ok(
        [...report.stoppedIn].some((stopped) => operation.test(stopped)),
        String(operation),
      )
    }
    t.comment(`${report.cutPoints} cut points, ${report.states} states, ${report.sampled} sampled`)
    statesInAll += report.states
  })
}

t.test('DISK-7 the crash states are many', async (t) => {
  t.comment(`${statesInAll} states`)
  t.ok(statesInAll >= statesMin, `${statesInAll} states`)
})
