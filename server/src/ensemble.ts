import { randomBytes, randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limits } from '@conclave/protocol'
import type { ReplicaStatus } from './core/replica-status.js'
import { type RunningServer, startOn } from './running-server.js'
import type { ServerEntry, ServerOptions } from './server-options.js'

export interface EnsembleOptions extends Omit<
  ServerOptions,
  'data' | 'host' | 'clientPort' | 'adminPort' | 'serverId' | 'servers' | 'secret' | 'secretFile'
> {
  /** How many: 1 to 255, by default 3. */
  readonly servers?: number
  /** The directory of the servers' data; by default a temporary one, which is gone at the end. */
  readonly data?: string
}

/** One server of an ensemble of {@link startEnsemble}. It keeps its ports and its data. */
export interface EnsembleServer {
  readonly id: number
  /** What clients connect to, for this server alone. */
  readonly url: string
  readonly adminUrl: string
  /** Null while it is stopped. */
  readonly status: ReplicaStatus | null
  /** Resolves when it leads or follows. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface Ensemble extends AsyncDisposable {
  /** What clients connect to: all servers. */
  readonly url: string
  readonly servers: readonly EnsembleServer[]
  /** The server that leads; null during an election. */
  readonly leader: EnsembleServer | null
  /** Stops all servers, and removes a temporary directory. */
  stop(): Promise<void>
}

/**
 * Starts a whole ensemble in this process, for tests: real servers on free ports of a loopback
 * address, linked by real connections, each with its data on the disk. Resolves when all serve.
 *
 * @example
 * await using ensemble = await startEnsemble({ servers: 3 })
 * await using client = await connect(ensemble.url)
 * await ensemble.leader?.stop()
 *
 * @throws StartError with one sentence that says what to do
 */
export const startEnsemble = async (options: EnsembleOptions = {}): Promise<Ensemble> => {
  const { servers: count = 3, data, ...others } = options
  const directory = data ?? (await mkdtemp(join(tmpdir(), 'conclave-ensemble-')))
  const entries = await freePlaces(count)
  const secret = randomBytes(limits.peerChallengeBytes).toString('hex')
  const members = entries.map(
    ({ id }) =>
      new Member(id, entries, {
        ...others,
        serverId: id,
        servers: entries,
        secret,
        data: join(directory, `server-${id}`),
      }),
  )
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.stop()))
    if (data === undefined) await rm(directory, { recursive: true, force: true })
  }
  try {
    await Promise.all(members.map((member) => member.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: `conclave://${entries.map(({ host, clientPort }) => `${host}:${clientPort}`).join(',')}`,
    servers: members,
    get leader() {
      return members.find(({ status }) => status?.role === 'leading') ?? null
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

class Member implements EnsembleServer {
  readonly id: number
  readonly url: string
  readonly adminUrl: string
  readonly #options: ServerOptions
  #running: RunningServer | null = null

  constructor(id: number, entries: readonly Place[], options: ServerOptions) {
    const { host, clientPort, adminPort } = entries.find((entry) => entry.id === id) as Place
    this.id = id
    this.url = `conclave://${host}:${clientPort}`
    this.adminUrl = `http://${host}:${adminPort}`
    this.#options = options
  }

  get status(): ReplicaStatus | null {
    return this.#running?.status() ?? null
  }

  async start(): Promise<void> {
    if (this.#running !== null) throw new Error(`server ${this.id} runs already`)
    const running = await startOn(null, this.#options)
    this.#running = running
    await running.serving
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = null
    await running?.stop()
  }
}

interface Place extends ServerEntry {
  readonly peerPort: number
  readonly adminPort: number
}

/** Free when they were looked for, and on Linux nobody else is on their address. */
const freePlaces = async (count: number): Promise<readonly Place[]> => {
  const isLinux = process.platform === 'linux'
  const host = isLinux
    ? `127.${randomInt(1, 255)}.${randomInt(255)}.${randomInt(1, 255)}`
    : loopback
  const ports = await freePorts(host, 3 * count)
  const port = (at: number): number => ports[at] as number
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    role: 'voter',
    host,
    clientPort: port(3 * index),
    peerPort: port(3 * index + 1),
    adminPort: port(3 * index + 2),
  }))
}

const loopback = '127.0.0.1'

/** All are held until the last one is found, so that no two are the same. */
const freePorts = async (host: string, count: number): Promise<readonly number[]> => {
  const holders = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    holders.map(
      (holder) =>
        new Promise<number>((resolve, reject) => {
          holder.once('error', reject)
          holder.listen({ host, port: 0 }, () => resolve((holder.address() as AddressInfo).port))
        }),
    ),
  )
  await Promise.all(holders.map((holder) => new Promise((resolve) => holder.close(resolve))))
  return ports
}
