import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReplicaStatus, ServerOptions } from '@conclave/server'
import { ServerProcess } from './server-process.js'
import { freeLoopback } from './systems/loopback.js'

/** An ensemble of real servers on loopback, each a process of its own, with default settings. */
export class EnsembleProcesses {
  readonly ids: readonly number[]
  readonly url: string
  readonly #options: (id: number) => ServerOptions
  readonly #processes = new Map<number, ServerProcess>()

  constructor(directory: string, count: number) {
    this.ids = Array.from({ length: count }, (_, index) => index + 1)
    const host = freeLoopback()
    const servers = this.ids.map((id) => ({
      id,
      host,
      clientPort: 7_400 + id,
      peerPort: 7_500 + id,
      adminPort: 7_600 + id,
    }))
    const secret = randomBytes(32).toString('hex')
    this.#options = (id) => {
      return { serverId: id, servers, secret, data: join(directory, `server-${id}`) }
    }
    this.url = `conclave://${servers.map(({ clientPort }) => `${host}:${clientPort}`).join(',')}`
  }

  server(id: number): ServerProcess {
    const server = this.#processes.get(id)
    if (server === undefined) throw new Error(`server ${id} does not run`)
    return server
  }

  /** Resolves when it serves clients. */
  async start(id: number): Promise<void> {
    const server = new ServerProcess()
    this.#processes.set(id, server)
    await server.start(this.#options(id))
  }

  async startAll(): Promise<void> {
    await Promise.all(this.ids.map((id) => this.start(id)))
  }

  async end(id: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const server = this.server(id)
    this.#processes.delete(id)
    await server.endBy(signal)
  }

  /** Resolves to the leader, once all that run follow it. */
  async led(): Promise<number> {
    for (let left = ledWaitMs; left > 0; left -= pollMs) {
      const running = [...this.#processes.values()]
      const leader = leaderOf(await Promise.all(running.map((server) => server.status())))
      if (leader !== null) return leader
      await sleep(pollMs)
    }
    throw new Error(`nobody leads all servers after ${ledWaitMs} ms`)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((server) => server.stop()))
  }
}

const pollMs = 20
const ledWaitMs = 60_000

const leaderOf = (statuses: readonly (ReplicaStatus | null)[]): number | null => {
  const leaders = statuses.flatMap((status) => (status?.role === 'leading' ? [status] : []))
  const [leader] = leaders
  if (leader === undefined || leaders.length > 1) return null
  const isFollowed = statuses.every((status) => status?.leader === leader.serverId)
  return isFollowed ? leader.serverId : null
}
