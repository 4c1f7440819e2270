import { LoadFault } from '../load/load-process.js'
import type { Figure } from '../report.js'
import type { Bench, Scenario } from '../scenario.js'
import { Arena } from './arena.js'
import { warmUp } from './warm-up.js'
import { compare, type Comparison, type Row } from './comparison.js'

export interface RowsScenarioOptions {
  readonly name: string
  readonly summary: string
  rows(how: RowsHow): readonly Row[]
  /** True by default; memory is measured from the start. */
  readonly isWarm?: boolean
}

/** What all rows of a scenario are measured with. */
export interface RowsHow {
  /** That one run of one contender takes. */
  readonly seconds: number
  /** Of all connections together, due by the clock; null: as many as there are answers. */
  readonly perSecond: number | null
  readonly quick: boolean
}

/** A scenario that is rows of the table and nothing else. */
export const rowsScenario = (options: RowsScenarioOptions): Scenario => ({
  name: options.name,
  summary: options.summary,
  async run(bench: Bench) {
    const arena = await Arena.open(bench)
    const comparisons: Comparison[] = []
    const figures: Figure[] = []
    try {
      if (options.isWarm ?? true) await warmUp(bench, arena.contenders)
      for (const row of options.rows(howOf(bench))) {
        try {
          comparisons.push(await compare(row, arena.contenders, bench))
        } catch (error) {
          if (!(error instanceof LoadFault)) throw error
          // The row has no figures; the others have.
          bench.progress(`${row.name} is given up: ${error.message}`)
          const name = `${row.name} was given up: ${error.message}`
          figures.push({ name, value: 1, unit: 'fault', goal: 0 })
        }
      }
    } finally {
      await arena.close()
    }
    return { scenario: options.name, figures, phases: [], comparisons }
  },
})

const howOf = ({ quick, perSecond }: Bench): RowsHow => ({
  seconds: quick ? quickSeconds : secondsEach,
  perSecond,
  quick,
})

const secondsEach = 8
const quickSeconds = 2
