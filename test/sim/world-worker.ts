import { parentPort, workerData } from 'node:worker_threads'
import { runWorld, type WorldOptions } from './world.js'

/** What one thread of a run is to do: every `step`th seed from `first` up to `last`. */
export interface Share {
  readonly first: number
  readonly last: number
  readonly step: number
  readonly options: Omit<WorldOptions, 'seed' | 'log'>
}

const { first, last, step, options } = workerData as Share
for (let seed = first; seed <= last; seed += step) {
  const outcome = await runWorld({ seed, ...options })
  // A violation would lose its class on the way.
  parentPort?.postMessage({ ...outcome, violation: outcome.violation?.message ?? null })
}
