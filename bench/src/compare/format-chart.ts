import { aligned } from '../aligned.js'
import type { Chart } from '../report.js'

/** The points of a chart's lines, one row for each x. */
export const chartRows = ({ xTitle, lines }: Chart): readonly (readonly string[])[] => {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))]
  return [
    [xTitle, ...lines.map(({ name }) => name)],
    ...xs
      .sort((a, b) => a - b)
      .map((x) => [
        String(Math.round(x * 10) / 10),
        ...lines.map(({ points }) => formatNumber(points.find(([at]) => at === x)?.[1])),
      ]),
  ]
}

/** A chart over time has too many for people: they look at the picture. */
export const formatChart = (chart: Chart): readonly string[] => {
  const rows = chartRows(chart)
  const shown = rows.length > rowsMax ? [`see ${chart.file}`] : aligned(rows)
  return [`${chart.title} (${chart.yTitle})`, ...shown]
}

const rowsMax = 20

const formatNumber = (value: number | undefined): string => {
  if (value === undefined) return ''
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
