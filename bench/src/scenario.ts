import type { Report } from './report.js'

/** One thing worth measuring. It ends by itself and leaves nothing behind. */
export interface Scenario {
  readonly name: string
  /** One line for the help. */
  readonly summary: string
  run(bench: Bench): Promise<Report>
}

/** What a scenario is run with. */
export interface Bench {
  /** A tenth of the work, to try a change. */
  readonly quick: boolean
  /** How often each contender is measured, by turns. */
  readonly rounds: number
  /** Operations a second that are due by the clock; null: as many as there are answers. */
  readonly perSecond: number | null
  /** Names of the systems to be measured beside this one. */
  readonly peers: readonly string[]
  /** An empty directory, removed afterwards. */
  readonly directory: string
  /** Says how far it is. */
  progress(text: string): void
}
