import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Op, type ServerFrame, closeCodes, type CloseReason } from '@conclave/protocol'
import type { ServerOptions } from '#server/server-options.js'
import { startServer } from '#server/main.js'
import type { ReplicaStatus } from '#server/main.js'
import type { Test } from 'tap'
import { attachRaw, createOp, existsOp, type RawClient } from '../support/raw-client.js'
import { captureLog, type CapturedLog } from '../support/server-kit.js'

/** A server under attack, with a client beside it that must not notice. */
export interface Target {
  readonly port: number
  readonly log: CapturedLog
  readonly directory: string
  status(): ReplicaStatus
  /** The healthy client writes and reads; throws when it does not get what it must. */
  progress(): Promise<void>
  /** Resolves when nothing is left of the attackers: connections, watches and streams are gone. */
  settled(): Promise<void>
  /** How many times the healthy client has made progress. */
  readonly steps: number
}

export const startTarget = async (
  t: Test,
  options: Partial<ServerOptions> = {},
): Promise<Target> => {
  const directory = mkdtempSync(join(tmpdir(), 'conclave-hostile-'))
  const log = captureLog()
  const server = await startServer({ clientPort: 0, log: log.log, ...options, data: directory })
  t.teardown(async () => {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const witness = await attachRaw(t, server.clientPort)
  await witness.result(createOp('/witness'))
  const mine: Op<'create'> = { ...createOp('/witness/mine'), kind: 'ephemeral' }
  await witness.result(mine)
  let steps = 0
  const progress = async (): Promise<void> => {
    const version = steps
    const set = { op: 'setData', path: '/witness', data: null, version } as const
    const { stat } = await witness.result<'setData'>(set)
    if (stat.version !== version + 1) throw new Error('a write of the witness was not its own')
    const { stat: own } = await witness.result<'exists'>(existsOp('/witness/mine'))
    if (own?.ephemeralOwner !== witness.connected.sessionId) throw new Error('it lost its session')
    steps += 1
  }
  return {
    port: server.clientPort,
    log,
    directory,
    status: () => server.status(),
    progress,
    settled: async () => {
      for (;;) {
        await progress()
        const { connections, watches, streams } = server.status()
        if (connections === 1 && watches === 0 && streams === 0) return
      }
    },
    get steps() {
      return steps
    },
  }
}

/** The last frame and the close code say the same. */
export const saysGoodbye = (
  t: Test,
  { frames, closeCode }: { frames: readonly ServerFrame[]; closeCode: number | null },
  reason: CloseReason,
): void => {
  t.strictSame(frames.at(-1), { frame: 'closing', reason })
  t.equal(closeCode, closeCodes[reason])
}

export const goneWith = async (t: Test, client: RawClient, reason: CloseReason): Promise<void> => {
  const { code } = await client.closed
  saysGoodbye(t, { frames: client.frames, closeCode: code }, reason)
}

/** The names of all files of the server. */
export const fileNames = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
