import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Report } from '../report.js'
import { svgOf } from './chart-svg.js'
import type { Machine } from './machine.js'
import { markdownOf } from './markdown.js'

/** All that one call of the bench found. */
export interface WholeReport {
  readonly quick: boolean
  readonly rounds: number
  readonly before: Machine
  readonly after: Machine
  readonly reports: readonly Report[]
}

/** report.json, report.md and the charts. */
export const writeReport = async (directory: string, whole: WholeReport): Promise<void> => {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'report.json'), `${JSON.stringify(whole, null, 2)}\n`)
  await writeFile(join(directory, 'report.md'), markdownOf(whole))
  for (const chart of whole.reports.flatMap(({ charts = [] }) => charts)) {
    await writeFile(join(directory, chart.file), svgOf(chart))
  }
}
