import { isDeepStrictEqual } from 'node:util'
import { groundTruth, type GroundTruth } from './ground-truth.js'
import type { KillRun } from './kill-run.js'
import type { ModelZnode } from './log-model.js'

/** The ground truth of a run, for all that took part in it. */
export const truthOf = ({ writers, leavers, witness }: KillRun): GroundTruth =>
  groundTruth(witness.txns, [
    ...writers.map(({ client: { sessionId }, spy, told, prepared }) => ({
      sessionId,
      spy,
      told,
      prepared,
    })),
    ...leavers.map(({ sessionId, spy, told }) => ({ sessionId, spy, told, prepared: 0 })),
  ])

/** The paths at which two trees differ, at most a few of them. */
export const differences = (
  a: ReadonlyMap<string, ModelZnode>,
  b: ReadonlyMap<string, ModelZnode>,
): readonly string[] =>
  [...new Set([...a.keys(), ...b.keys()])]
    .filter((path) => !isDeepStrictEqual(a.get(path), b.get(path)))
    .slice(0, 5)
    .map((path) => `${path}: ${JSON.stringify([a.get(path), b.get(path)])}`)
