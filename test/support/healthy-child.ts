import { open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HealthyClient } from './healthy-client.js'

export interface HealthReport {
  readonly answers: number
  /** Since the last report. */
  readonly longestMs: number
  /** How late this report is, because the process itself was kept waiting. */
  readonly lagMs: number
  /** How long a write of its own to the same disk took: what the machine does to everybody. */
  readonly diskMs: number
  readonly fault: string | null
}

/** A process of its own, so that what the attackers cost their own process is not measured. */
const main = async (url: string): Promise<void> => {
  const client = await HealthyClient.start(url)
  let lastMs = performance.now()
  let diskMs = 0
  const writeOwn = async (): Promise<void> => {
    const own = await open(join(tmpdir(), `conclave-health-${process.pid}`), 'w')
    await unlink(join(tmpdir(), `conclave-health-${process.pid}`))
    while (process.connected) {
      const start = performance.now()
      await own.write(Buffer.alloc(4_096, 1), 0, 4_096, 0)
      await own.datasync()
      diskMs = Math.max(diskMs, Math.round(performance.now() - start))
      await new Promise((resolve) => setTimeout(resolve, reportMs))
    }
    await own.close()
  }
  void writeOwn()
  const report = (): void => {
    const { answers, fault } = client
    const nowMs = performance.now()
    const lagMs = Math.round(Math.max(0, nowMs - lastMs - reportMs))
    lastMs = nowMs
    const longestMs = client.takeLongestMs()
    const health = { answers, longestMs, lagMs, diskMs, fault: fault?.message ?? null }
    diskMs = 0
    process.send?.(health satisfies HealthReport)
  }
  const timer = setInterval(report, reportMs)
  process.once('disconnect', () => {
    clearInterval(timer)
    void client.stop()
  })
}

const reportMs = 20

process.once('message', ({ url }: { url: string }) => void main(url))
