import { parentPort, workerData } from 'node:worker_threads'
import { inThread } from '../support/in-thread.js'
import type { Summary } from './report.js'
import { runWorld, type WorldOptions } from './world.js'

/** What one thread of a run is to do. */
export interface Share {
  readonly seeds: readonly number[]
  readonly options: Omit<WorldOptions, 'seed' | 'log'>
}

/** @returns what becomes of each seed, in their order */
export const simulateInThread = (share: Share): AsyncGenerator<Summary, void> =>
  inThread(new URL(import.meta.url), share)

if (parentPort !== null) {
  const { seeds, options } = workerData as Share
  for (const seed of seeds) {
    const outcome = await runWorld({ seed, ...options })
    // A violation would lose its class on the way.
    parentPort.postMessage({ ...outcome, violation: outcome.violation?.message ?? null })
  }
}
