import t, { type Test } from 'tap'
import { type CrashScenario, crashScenarios } from '../support/crash-scenarios.js'
import { type CrashReport, enumerateCrashes } from '../support/crash-states.js'

t.setTimeout(3_500_000)

const subsetsMax = 65_536
const statesMin = 10_000
let statesInAll = 0

const check = (t: Test, { name, stopsIn }: CrashScenario, report: CrashReport): void => {
  t.strictSame(report.failures.slice(0, 3), [], name)
  for (const operation of stopsIn) {
    t.ok(
      [...report.stoppedIn].some((stopped) => operation.test(stopped)),
      String(operation),
    )
  }
  t.equal(report.sampled, 0, 'every subset of what was not synced')
  t.comment(`${name}: ${report.cutPoints} cut points, ${report.states} states`)
  statesInAll += report.states
}

for (const scenario of crashScenarios(2)) {
  t.test(`DISK-7 every crash state of ${scenario.name}`, async (t) => {
    const { steps, ...options } = scenario
    check(
      t,
      scenario,
      await enumerateCrashes(steps, { ...options, subsetsMax, recoverySubsetsMax: 0 }),
    )
  })
}

for (const scenario of crashScenarios(1)) {
  t.test(`DISK-7 every crash state of recovering from ${scenario.name}`, async (t) => {
    const { steps, ...options } = scenario
    check(
      t,
      scenario,
      await enumerateCrashes(steps, { ...options, subsetsMax, recoverySubsetsMax: 8 }),
    )
  })
}

t.test('DISK-7 the crash states are many', async (t) => {
  t.comment(`${statesInAll} states`)
  t.ok(statesInAll >= statesMin, `${statesInAll} states`)
})
