import { aligned } from '../aligned.js'
import { type Comparison, formatMeasure, isReached, type Standing } from './comparison.js'
import { type Measure, measures } from './sample.js'

/** A row of the table, with a line for each contender. */
export const formatComparison = (comparison: Comparison): string[] => {
  const { row, by, contenders } = comparison
  const shown = shownMeasures(comparison)
  const head = [row, ...shown.map((measure) => measures[measure].title), 'ratio', 'how']
  const lines = contenders.map((standing) => [
    standing.name,
    ...shown.map((measure) => formatMeasure(measure, standing.median[measure])),
    formatRatio(comparison, standing),
    standing.how,
  ])
  return [...aligned([head, ...lines]), `  by ${measures[by].title}${goalOf(comparison)}`]
}

/** Those that any contender has. */
export const shownMeasures = ({ contenders }: Comparison): readonly Measure[] =>
  (Object.keys(measures) as Measure[]).filter((measure) =>
    contenders.some(({ median }) => median[measure] !== undefined),
  )

/** With the spread of the rounds, and whether the goal is reached. */
export const formatRatio = (comparison: Comparison, standing: Standing): string => {
  const { ratio } = standing
  if (ratio === null) return ''
  const [median, min, max] = [ratio.median, ratio.min, ratio.max].map((value) => value.toFixed(2))
  const reached = isReached(comparison, standing)
  return `${median} (${min}-${max})${reached === false ? ' missed' : ''}`
}

export const goalOf = ({ by, goal, cpuGoalUs }: Comparison): string => {
  const side = measures[by].better === 'more' ? 'at least' : 'at most'
  const ratio = goal === null ? '' : `, goal: ${side} ${goal} of the better peer`
  return `${ratio}${cpuGoalUs === null ? '' : `, at most ${cpuGoalUs} us of server CPU an op`}`
}
