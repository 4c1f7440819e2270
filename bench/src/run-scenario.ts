import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Report } from './report.js'
import type { Bench, Scenario } from './scenario.js'

export type RunOptions = Pick<Bench, 'quick' | 'peers' | 'rounds' | 'perSecond'>

/** Says how far it is on the standard error; leaves no files and no processes behind. */
export const runScenario = async (scenario: Scenario, options: RunOptions): Promise<Report> => {
  const directory = mkdtempSync(join(tmpdir(), 'conclave-bench-'))
  const clean = (): void => rmSync(directory, { recursive: true, force: true })
  process.once('exit', clean)
  const startMs = performance.now()
  const progress = (text: string): void => {
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(0)
    process.stderr.write(`${seconds.padStart(5)} s  ${scenario.name}: ${text}\n`)
  }
  const deadline = setTimeout(() => {
    progress(`not done after ${minutesMax} minutes, given up`)
    process.exit(1)
  }, minutesMax * 60_000)
  try {
    return await scenario.run({ ...options, directory, progress })
  } finally {
    clearTimeout(deadline)
    clean()
    process.removeListener('exit', clean)
  }
}

/** Children end when their parent does. */
const minutesMax = 60
