import fc from 'fast-check'
import { cases } from './coverage.js'
import { script } from './arbitrary.js'
import { play } from './run.js'

export interface Verdict {
  /** null: all sequences agreed. Otherwise what a person needs to see. */
  readonly failure: string | null
  /** How often each of the cases happened; none are counted when one sequence is replayed. */
  readonly coverage: ReadonlyMap<string, number>
}

/**
 * Plays `numRuns` scripts of a seed. With MODEL_SEED, MODEL_PATH or MODEL_RUNS in the environment,
 * as a failure prints them, those are played instead.
 */
export const check = (usual: { readonly numRuns: number; readonly seed: number }): Verdict => {
  const coverage = new Map<string, number>()
  const seen = (what: string): void => void coverage.set(what, (coverage.get(what) ?? 0) + 1)
  const property = fc.property(script, (one) => play(one, seen, () => {}))
  const { MODEL_SEED: seed, MODEL_PATH: path, MODEL_RUNS: runs } = process.env
  const details = fc.check(property, {
    seed: seed === undefined ? usual.seed : Number(seed),
    numRuns: runs === undefined ? usual.numRuns : Number(runs),
    ...(path === undefined ? {} : { path }),
  })
  const counts =
    path === undefined ? cases.map((one) => [one, coverage.get(one) ?? 0] as const) : []
  if (!details.failed) return { failure: null, coverage: new Map(counts) }
  const [smallest] = details.counterexample ?? []
  const lines: string[] = []
  try {
    if (smallest !== undefined)
      play(
        smallest,
        () => {},
        (line) => lines.push(line),
      )
  } catch (error) {
    lines.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  const replay = `MODEL_SEED=${details.seed} MODEL_PATH=${details.counterexamplePath}`
  return { failure: [replay, ...lines].join('\n'), coverage: new Map() }
}
