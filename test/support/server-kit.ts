import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { type RunningServer, startServer } from '#server/main.js'
import type { ServerOptions } from '#server/server-options.js'
import { type Logger, pino } from 'pino'
import type { Test } from 'tap'

/** A directory that is gone when the test has ended. */
export const tempDirectory = (t: Test): string => {
  const directory = mkdtempSync(join(tmpdir(), 'conclave-test-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A real server on a free port and, unless told otherwise, a directory of its own. */
export const startTestServer = async (
  t: Test,
  options: Partial<ServerOptions> = {},
): Promise<RunningServer> => {
  const data = options.data ?? tempDirectory(t)
  const server = await startServer({ clientPort: 0, ...options, data })
  // One that has failed by itself has been looked at by its test.
  t.teardown(() => server.stop().catch(() => undefined))
  return server
}

export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

/** A log whose lines can be waited for. */
export interface CapturedLog {
  readonly log: Logger
  readonly lines: readonly LogLine[]
  /** Resolves to the first line that fits, also one that was written already. */
  next(fits: (line: LogLine) => boolean): Promise<LogLine>
}

export const captureLog = (): CapturedLog => {
  const lines: LogLine[] = []
  const waiting = new Set<() => void>()
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as LogLine)
      for (const look of waiting) look()
      done()
    },
  })
  const next: CapturedLog['next'] = (fits) =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines.find(fits)
        if (found === undefined) return
        waiting.delete(look)
        resolve(found)
      }
      waiting.add(look)
      look()
    })
  return { log: pino({ level: 'debug' }, sink), lines, next }
}
