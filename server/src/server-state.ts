import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReplicaStatus } from './core/replica-status.js'
import type { ServerState } from './runtime/admin/server-state.js'
import { isLoopback, type ServerSettings } from './server-options.js'
import { version } from './version.js'

/** Puts together what a server says of itself; without a replica it is reading its data. */
export const stateOf = async ({
  settings,
  status,
  isServing,
  peerLinks,
}: {
  readonly settings: ServerSettings
  readonly status: ReplicaStatus | null
  readonly isServing: boolean
  readonly peerLinks: number
}): Promise<ServerState> => {
  const { role = 'looking', epoch = 0, leader = null, zxid = 0, committed = 0 } = status ?? {}
  const { ensembleId = null, znodes = 0, sessions = 0 } = status ?? {}
  const { connections = 0, watches = 0, streams = 0 } = status ?? {}
  return {
    id: settings.serverId,
    pid: process.pid,
    version,
    uptimeMs: Math.round(process.uptime() * 1_000),
    role,
    epoch,
    leader,
    zxid,
    lag: Math.max(committed - zxid, 0),
    ensembleId,
    znodes,
    sessions,
    connections,
    watches,
    streams,
    peerLinks,
    logBytes: await logBytesIn(settings.data),
    insecure: !isLoopback(settings.host),
    ready: isServing,
    why: isServing ? null : whyNot(status, peerLinks, settings.servers.length),
  }
}

const whyNot = (status: ReplicaStatus | null, peerLinks: number, servers: number): string => {
  if (status === null) return 'the server is reading its data'
  if (status.role !== 'looking') return 'the server is stopping'
  return `the server is looking for a leader; it is linked to ${peerLinks} of ${servers - 1} others`
}

/** Of the segments of the log; what is gone meanwhile, or on no disk, counts nothing. */
const logBytesIn = async (data: string): Promise<number> => {
  const names = await readdir(data).catch((): string[] => [])
  const sizes = names
    .filter((name) => name.startsWith('log-'))
    .map((name) =>
      stat(join(data, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
