import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import { limits, type ServerId } from '@conclave/protocol'
import { type Logger, pino } from 'pino'
import type { ReplicaConfig } from './core/config.js'
import { type Recovered, Recovery } from './core/recovery.js'
import { Replica, type ReplicaStatus } from './core/replica.js'
import { ClientListener } from './runtime/net/client-listener.js'
import { openFilesAllowed, socketRoom } from './runtime/net/socket-room.js'
import { Node } from './runtime/node.js'
import { PasswordHasher } from './runtime/password-hasher.js'
import {
  DamageError,
  DataDirectoryError,
  type Files,
  type OpenedStorage,
  openStorage,
  type Storage,
} from './runtime/storage/index.js'
import { type ServerOptions, type ServerSettings, settingsOf } from './server-options.js'
import { listenError, StartError } from './start-error.js'

export interface RunningServer extends AsyncDisposable {
  /** What clients connect to, as `conclave://127.0.0.1:7400`. */
  readonly url: string
  readonly clientPort: number
  status(): ReplicaStatus
  /** Resolves when it serves clients, for the first time; rejects when it ends before that. */
  readonly serving: Promise<void>
  /** Answers what is in flight, closes the connections, writes the end mark. */
  stop(): Promise<void>
  /** Resolves after {@link stop}; rejects when the server had to end by itself. */
  readonly stopped: Promise<void>
}

/**
 * Resolves when the server listens. It may be a while until it serves: clients wait meanwhile.
 *
 * @param files a file system of the caller's choice; null is the real one
 * @throws StartError
 */
export const startOn = async (
  files: Files | null,
  options: ServerOptions,
): Promise<RunningServer> => {
  const settings = settingsOf(options)
  const config = replicaConfig(settings)
  const server = new Server(settings.log ?? pino({ level: 'silent' }))
  const { storage, recovered } = await openData({ files, settings, config, server })
  const replica = new Replica(config, recovered)
  const started = server.start(replica, storage, settings)
  try {
    return await Promise.race([started, server.stopped.then(() => started)])
  } catch (error) {
    if (!server.hasFailed) await storage.close()
    throw error
  }
}

class Server implements RunningServer {
  readonly #log: Logger
  readonly #hasher = new PasswordHasher()
  readonly #serving = withResolvers<void>()
  readonly #ending = withResolvers<void>()
  #parts: { node: Node; storage: Storage; listener: ClientListener; replica: Replica } | null = null
  #onSpace: (ok: boolean) => void = () => undefined
  #stopping: Promise<void> | null = null
  #hasFailed = false
  url = ''
  clientPort = 0

  constructor(log: Logger) {
    this.#log = log
    // Whoever does not look at it is not disturbed by it.
    this.#ending.promise.catch(() => undefined)
    this.#serving.promise.catch(() => undefined)
  }

  get serving(): Promise<void> {
    return this.#serving.promise
  }

  get stopped(): Promise<void> {
    return this.#ending.promise
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }

  async start(
    replica: Replica,
    storage: Storage,
    { host, clientPort: port, allowOrigins, hosts, connectionsMax }: ServerSettings,
  ): Promise<this> {
    const address = { host, port }
    const onFatal = (error: Error): void => this.fail(error)
    const onServing = (): void => this.#serving.resolve()
    const ports = { storage, hasher: this.#hasher, log: this.#log, onServing, onFatal }
    const node = new Node(replica, ports)
    const names = [...hosts, host].map((name) => name.toLowerCase())
    const room = socketRoom(connectionsMax, openFilesAllowed())
    if (room.connectionsMax < connectionsMax) {
      this.#log.warn({ ...room }, 'the system allows too few open files for all connections')
    }
    const policy = { allowOrigins, hosts: names, ...room }
    const accept: Node['accept'] = (id, from) => node.accept(id, from)
    const listener = new ClientListener(policy, accept, this.#log)
    node.serve(listener)
    this.#onSpace = (ok) => node.input({ input: 'diskSpace', ok })
    try {
      this.clientPort = await listener.listen(address)
    } catch (error) {
      node.stop()
      throw listenError(error as NodeJS.ErrnoException, address)
    }
    if (this.#hasFailed) {
      node.stop()
      listener.terminate()
      return this
    }
    this.url = `conclave://${isIP(host) === 6 ? `[${host}]` : host}:${this.clientPort}`
    this.#parts = { node, storage, listener, replica }
    return this
  }

  status(): ReplicaStatus {
    if (this.#parts === null) throw new Error('the server has not started')
    return this.#parts.replica.status
  }

  stop(): Promise<void> {
    // What fails meanwhile never completes.
    this.#stopping ??= Promise.race([this.#stop(), this.stopped])
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  diskSpace(ok: boolean): void {
    this.#log[ok ? 'info' : 'error']({}, ok ? 'there is disk space again' : 'the disk is full')
    this.#onSpace(ok)
  }

  /** What is on the disk or in memory cannot be relied on: nothing is answered any more. */
  fail(error: Error): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#log.fatal({ error: error.message, stack: error.stack }, 'the server cannot go on')
    this.#parts?.node.stop()
    this.#parts?.listener.terminate()
    this.#serving.reject(error)
    this.#ending.reject(error)
  }

  async #stop(): Promise<void> {
    if (this.#parts === null || this.#hasFailed) return this.stopped
    this.#serving.reject(new Error('the server was stopped before it served'))
    const { node, storage, listener } = this.#parts
    const allGone = listener.stopListening()
    node.input({ input: 'shutdown' })
    const grace = setTimeout(() => {
      this.#log.warn({ connections: listener.size }, 'clients that do not read are cut off')
      listener.terminate()
    }, shutdownGraceMs)
    await allGone
    clearTimeout(grace)
    node.stop()
    listener.terminate()
    await Promise.all([storage.close(), this.#hasher.stop()])
    this.#ending.resolve()
  }
}

const shutdownGraceMs = 3_000

const replicaConfig = (settings: ServerSettings): ReplicaConfig => {
  const { historyBytesMax, snapshotTxns, sessionTimeoutMsMin, sessionTimeoutMsMax } = settings
  const serverId = settings.serverId as ServerId
  return {
    serverId,
    voters: [serverId],
    newEnsembleId: randomUUID(),
    historyBytesMax: Math.max(historyBytesMax, limits.historyBytesMin),
    snapshotTxns,
    sessionTimeoutMsMin,
    sessionTimeoutMsMax,
  }
}

const openData = async ({
  files,
  settings: { data, segmentBytes, log },
  config,
  server,
}: {
  readonly files: Files | null
  readonly settings: ServerSettings
  readonly config: ReplicaConfig
  readonly server: Server
}): Promise<{ storage: Storage; recovered: Recovered }> => {
  let opened: OpenedStorage | null = null
  try {
    opened = await openStorage({
      directory: data,
      files: files ?? undefined,
      segmentBytes,
      log: (level, message, fields) => log?.[level](fields, message),
      onDiskSpace: (ok) => server.diskSpace(ok),
      onFatal: (error) => server.fail(error),
    })
    const recovery = new Recovery(config)
    const recovered = recovery.finish(await opened.recover(recovery))
    checkIdentity(recovered, config, data)
    return { storage: opened.storage, recovered }
  } catch (error) {
    await opened?.storage.close()
    throw startErrorOf(error)
  }
}

const checkIdentity = ({ hardState }: Recovered, config: ReplicaConfig, data: string): void => {
  if (hardState.serverId === config.serverId && hardState.voters.join() === config.voters.join()) {
    return
  }
  throw new StartError(
    'options',
    `${data} belongs to server ${hardState.serverId} of ${hardState.voters.join(', ')}: ` +
      'start it as that one, or name another directory.',
    { option: 'data' },
  )
}

const startErrorOf = (error: unknown): unknown => {
  if (error instanceof DamageError) return new StartError('damage', error.message, { cause: error })
  if (error instanceof DataDirectoryError) {
    const code = error.problem === 'noPermission' ? 'permission' : 'dataDirectory'
    return new StartError(code, error.message, { cause: error, option: 'data' })
  }
  return error
}

const withResolvers = <T>(): {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: Error) => void
} => {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
