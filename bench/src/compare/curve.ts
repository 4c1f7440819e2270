import { LoadFault } from '../load/load-process.js'
import type { Bench } from '../scenario.js'
import type { Chart, Point } from '../report.js'
import type { Contender } from './contender.js'
import { formatMeasure } from './comparison.js'
import { type Measure, measures, type Sample } from './sample.js'

/** The same thing with more and more of something. */
export interface Curve {
  readonly name: string
  readonly file: string
  readonly xTitle: string
  readonly xs: readonly number[]
  readonly by: Measure
  /** @throws LoadFault where a system refuses so much: its line ends */
  measure(contender: Contender, x: number): Promise<Sample>
}

export const drawCurve = async (
  curve: Curve,
  contenders: readonly Contender[],
  bench: Bench,
): Promise<Chart> => {
  const points = new Map<Contender, Point[]>(contenders.map((contender) => [contender, []]))
  for (const x of curve.xs) {
    for (const [contender, line] of points) {
      const value = await valueAt(curve, contender, x)
      bench.progress(`${curve.name}, ${x}: ${contender.entry.name} ${said(curve, value)}`)
      if (value !== null) line.push([x, value])
    }
  }
  const lines = [...points].map(([contender, line]) => ({
    name: contender.entry.name,
    points: line,
  }))
  return chartOf(curve, lines)
}

export const chartOf = (
  { name, file, xTitle, by }: Pick<Curve, 'name' | 'file' | 'xTitle' | 'by'>,
  lines: Chart['lines'],
): Chart => ({
  file,
  title: name,
  xTitle,
  yTitle: measures[by].title,
  isXLogarithmic: true,
  isYLogarithmic: true,
  lines,
})

const valueAt = async (curve: Curve, contender: Contender, x: number): Promise<number | null> => {
  try {
    return (await curve.measure(contender, x))[curve.by] ?? null
  } catch (error) {
    if (error instanceof LoadFault) return null
    throw error
  }
}

const said = ({ by }: Curve, value: number | null): string =>
  value === null ? 'refused it' : formatMeasure(by, value)
