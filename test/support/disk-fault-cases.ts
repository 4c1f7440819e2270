import type { Test } from 'tap'
import { crashScenarios } from './crash-scenarios.js'
import { enumerateFaults, faultKinds } from './disk-faults.js'

/** Every kind of fault in every `stride`th operation of every scenario; at least so many runs. */
export const faultsAreSurvived = (t: Test, stride: number, runsMin: number): void => {
  let runsInAll = 0
  for (const kind of faultKinds) {
    t.test(
      `DISK-26 DISK-27 DISK-32 ${kind.name}, in every operation or each of some`,
      async (t) => {
        const total = { done: 0, fatal: 0, refused: 0 }
        for (const scenario of crashScenarios(1)) {
          const { runs, ends, failures } = await enumerateFaults(scenario, kind, stride)
          t.strictSame(failures.slice(0, 3), [], scenario.name)
          runsInAll += runs
          for (const end of ['done', 'fatal', 'refused'] as const) total[end] += ends[end]
        }
        t.comment(total)
        t.ok(total.refused > 0, 'at a start it is refused')
        t.ok((kind.passes ? total.done : total.fatal) > 0, 'later it is waited for, or fatal')
      },
    )
  }
  t.test('DISK-27 the faults are many', async (t) => {
    t.comment(`${runsInAll} runs`)
    t.ok(runsInAll >= runsMin, `${runsInAll} runs`)
  })
}
