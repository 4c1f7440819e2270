import { type Comparison, formatMeasure, type Standing } from '../compare/comparison.js'
import { formatRatio, goalOf, shownMeasures } from '../compare/format.js'
import { measures } from '../compare/sample.js'
import { formatReport, type Report } from '../report.js'
import type { Machine } from './machine.js'
import type { WholeReport } from './write-report.js'

export const markdownOf = ({ quick, rounds, before, after, reports }: WholeReport): string => {
  const comparisons = reports.flatMap(({ comparisons: compared = [] }) => compared)
  return [
    '# Benchmark report',
    '',
    ...machineLines(before, after),
    `- ${rounds} interleaved rounds each${quick ? '; quick: goals say nothing' : ''}`,
    '',
    ...(comparisons.length === 0 ? [] : [...summary(comparisons), '']),
    ...reports.flatMap((report) => [...section(report), '']),
  ].join('\n')
}

const machineLines = (before: Machine, after: Machine): readonly string[] => [
  `- ${before.time} to ${after.time}`,
  `- ${before.cores} x ${before.cpu}, ${(before.memoryBytes / 2 ** 30).toFixed(0)} GiB, ` +
    `${before.system}, Node ${before.node}`,
  `- load before ${loadOf(before)}, after ${loadOf(after)}`,
]

const loadOf = ({ load }: Machine): string => load.map((value) => value.toFixed(1)).join(' ')

/** One line a row, as in docs/BENCHMARKS.md. */
const summary = (comparisons: readonly Comparison[]): readonly string[] => {
  const names = [...new Set(comparisons.flatMap(({ contenders }) => contenders.map(nameOf)))]
  return table(
    ['case', ...names, 'ratio to the better peer', 'goal'],
    comparisons.map((comparison) => {
      const { row, by, contenders } = comparison
      const cells = names.map((name) => {
        const standing = contenders.find((one) => one.name === name)
        return standing === undefined ? '-' : cell(by, standing)
      })
      const [own] = contenders
      return [
        row,
        ...cells,
        own === undefined ? '' : formatRatio(comparison, own),
        goalOf(comparison).replace(/^, /, ''),
      ]
    }),
  )
}

const nameOf = ({ name }: Standing): string => name

const cell = (by: Comparison['by'], { median }: Standing): string => {
  const value = formatMeasure(by, median[by])
  return by === 'perSecond' && median.serverCpuUs !== undefined
    ? `${value}, ${formatMeasure('serverCpuUs', median.serverCpuUs)}`
    : value
}

const section = (report: Report): readonly string[] => {
  const { scenario, comparisons, charts = [] } = report
  const pictures = charts.flatMap(({ file, title }) => ['', `![${title}](${file})`])
  if (comparisons === undefined) {
    return [`## ${scenario}`, '', '```text', formatReport(report), '```', ...pictures]
  }
  const faults = report.figures.map(({ name }) => `- ${name}`)
  return [
    `## ${scenario}`,
    ...faults,
    ...comparisons.flatMap((one) => ['', ...details(one)]),
    ...pictures,
  ]
}

const details = (comparison: Comparison): readonly string[] => {
  const { row, by, contenders } = comparison
  const shown = shownMeasures(comparison)
  return [
    `### ${row}`,
    '',
    `By ${measures[by].title}${goalOf(comparison)}.`,
    '',
    ...table(
      ['', ...shown.map((measure) => measures[measure].title), 'ratio', 'how'],
      contenders.map((standing) => [
        standing.name,
        ...shown.map((measure) => formatMeasure(measure, standing.median[measure])),
        formatRatio(comparison, standing),
        standing.how,
      ]),
    ),
  ]
}

const table = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] => [lineOf(head), lineOf(head.map(() => '---')), ...rows.map(lineOf)]

const lineOf = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
