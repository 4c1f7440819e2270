import type { Comparison, Ratio } from '../compare/comparison.js'
import { type Measure, measures } from '../compare/sample.js'

/** The ratios of a run that later ones are held against. */
export type Baseline = Readonly<Record<string, BaselineRow>>

export interface BaselineRow {
  readonly by: Measure
  readonly ratio: Ratio
}

/** A row that got worse. */
export interface Fallen {
  readonly row: string
  readonly before: Ratio
  readonly now: Ratio
  /** By which part of what it was: 0.2 is a fifth. */
  readonly by: number
}

export const baselineOf = (comparisons: readonly Comparison[]): Baseline =>
  Object.fromEntries(
    comparisons.flatMap(({ row, by, contenders }) => {
      const ratio = contenders.find((standing) => standing.ratio !== null)?.ratio ?? null
      return ratio === null ? [] : [[row, { by, ratio }]]
    }),
  )

/**
 * The rows whose ratio got worse by more than 15 % and by more than three times the spread of the
 * rounds, then or now: what one machine does at one time is no reason to stop anybody.
 */
export const fallenRows = (before: Baseline, now: Baseline): readonly Fallen[] =>
  Object.entries(before).flatMap(([row, { by, ratio }]) => {
    const later = now[row]?.ratio
    if (later === undefined) return []
    const isMoreBetter = measures[by].better === 'more'
    const lost = isMoreBetter ? ratio.median - later.median : later.median - ratio.median
    const part = lost / ratio.median
    const spread = Math.max(ratio.spread, later.spread)
    const isFallen = part > fallMax && lost > spreadsMax * spread
    return isFallen ? [{ row, before: ratio, now: later, by: part }] : []
  })

const fallMax = 0.15
const spreadsMax = 3
