import { cpus, loadavg, release, totalmem } from 'node:os'

/** Where figures come from, and what else ran there. */
export interface Machine {
  readonly time: string
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  /** Over 1, 5 and 15 minutes. */
  readonly load: readonly number[]
}

export const machineNow = (): Machine => ({
  time: new Date().toISOString(),
  cpu: cpus()[0]?.model ?? '',
  cores: cpus().length,
  memoryBytes: totalmem(),
  system: `${process.platform} ${release()}`,
  node: process.version,
  load: loadavg(),
})
