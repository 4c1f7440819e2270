import { isIP } from 'node:net'
import { type Logger, pino } from 'pino'
import type { ReplicaStatus } from './core/replica-status.js'
import { type Incarnation, openIncarnation } from './incarnation.js'
import { type Listeners, listenOn, makeListeners } from './listeners.js'
import { stateOf } from './server-state.js'
import type { ServerState } from './runtime/admin/server-state.js'
import type { Accept } from './runtime/net/client-listener.js'
import { PasswordHasher } from './runtime/password-hasher.js'
import type { Files } from './runtime/storage/index.js'
import {
  type ServerOptions,
  type ServerSettings,
  isLoopback,
  settingsOf,
} from './server-options.js'

export interface RunningServer extends AsyncDisposable {
  /** What clients connect to, as `conclave://127.0.0.1:7400`. */
  readonly url: string
  readonly clientPort: number
  /** Null without admin HTTP. */
  readonly adminPort: number | null
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
  const server = new Server(settings, files)
  await Promise.race([server.start(), server.stopped])
  return server
}

class Server implements RunningServer {
  readonly #settings: ServerSettings
  readonly #files: Files | null
  readonly #log: Logger
  readonly #hasher = new PasswordHasher()
  readonly #listeners: Listeners
  readonly #serving = withResolvers<void>()
  readonly #retired = withResolvers<void>()
  readonly #ending = withResolvers<void>()
  /** Null until the first one, and while one is being replaced by the next. */
  #incarnation: Incarnation | null = null
  #restarting: Promise<void> = Promise.resolve()
  #stopping: Promise<void> | null = null
  #hasFailed = false
  #hasSpace = true
  url = ''
  clientPort = 0
  adminPort: number | null = null

  constructor(settings: ServerSettings, files: Files | null) {
    this.#settings = settings
    this.#files = files
    this.#log = settings.log ?? pino({ level: 'silent' })
    this.#listeners = makeListeners(settings, {
      accept: this.#accept,
      state: () => this.#state(),
      log: this.#log,
    })
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

  async start(): Promise<void> {
    const { host, own } = this.#settings
    if (!isLoopback(host)) {
      this.#log.warn({ host }, 'others on this network can read and change what passes: no TLS')
    }
    const { clients, peers, admin } = this.#listeners
    await this.#open()
    try {
      this.clientPort = await listenOn(clients, { host, port: own.clientPort }, 'clientPort')
      if (peers !== null && own.peerPort !== null) {
        await listenOn(peers, { host, port: own.peerPort }, 'peerPort')
      }
      if (own.adminPort !== null) {
        this.adminPort = await listenOn(admin, { host, port: own.adminPort }, 'adminPort')
      }
    } catch (error) {
      await this.#abandon()
      throw error
    }
    this.url = `conclave://${isIP(own.host) === 6 ? `[${own.host}]` : own.host}:${this.clientPort}`
    if (this.#hasFailed) this.#cut()
  }

  status(): ReplicaStatus {
    if (this.#incarnation === null) throw new Error('the server is reading its data')
    return this.#incarnation.replica.status
  }

  stop(): Promise<void> {
    // What fails meanwhile never completes.
    this.#stopping ??= Promise.race([this.#stop(), this.stopped])
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Clients that come while there is nothing to serve them from go to another server. */
  readonly #accept: Accept = (id, address) =>
    this.#incarnation?.node.accept(id, address) ?? 'resync'

  async #state(): Promise<ServerState> {
    const incarnation = this.#incarnation
    const { peers } = this.#listeners
    return stateOf({
      settings: this.#settings,
      status: incarnation?.replica.status ?? null,
      isServing: incarnation?.node.isServing === true && this.#stopping === null,
      peerLinks: peers?.size ?? 0,
    })
  }

  async #open(): Promise<void> {
    const { clients, peers, metrics } = this.#listeners
    const incarnation = await openIncarnation(this.#settings, {
      files: this.#files,
      hasher: this.#hasher,
      clients,
      peers,
      log: this.#log,
      metrics,
      onServing: () => this.#serving.resolve(),
      onRetired: () => this.#retired.resolve(),
      onRestart: (why) => this.#restart(why),
      onDiskSpace: (ok) => this.#diskSpace(ok),
      onFatal: (error) => this.#fail(error),
    })
    if (this.#hasFailed) return incarnation.node.stop()
    this.#incarnation = incarnation
    if (!this.#hasSpace) incarnation.node.input({ input: 'diskSpace', ok: false })
    peers?.attach(incarnation.peerHost)
  }

  /** The listeners stay; all connections end, and the next incarnation begins from the disk. */
  #restart(why: string): void {
    const old = this.#incarnation
    if (old === null) return
    if (this.#stopping !== null) {
      this.#listeners.clients.closeAll('shutdown')
      this.#retired.resolve()
      return
    }
    this.#log.info({ why }, 'reading the data again')
    this.#incarnation = null
    this.#listeners.peers?.detach()
    this.#listeners.clients.closeAll('resync')
    this.#restarting = old.storage
      .close()
      .then(() => this.#open())
      .catch((error: unknown) => this.#fail(error as Error))
  }

  #diskSpace(ok: boolean): void {
    this.#hasSpace = ok
    this.#log[ok ? 'info' : 'error']({}, ok ? 'there is disk space again' : 'the disk is full')
    this.#incarnation?.node.input({ input: 'diskSpace', ok })
  }

  /** What is on the disk or in memory cannot be relied on: nothing is answered any more. */
  #fail(error: Error): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    this.#log.fatal({ error: error.message, stack: error.stack }, 'the server cannot go on')
    this.#cut()
    this.#serving.reject(error)
    this.#ending.reject(error)
  }

  #cut(): void {
    this.#incarnation?.node.stop()
    this.#listeners.peers?.stop()
    this.#listeners.clients.terminate()
    this.#listeners.admin.close()
  }

  /** It could not listen: nothing of it may stay behind. */
  async #abandon(): Promise<void> {
    this.#cut()
    if (!this.#hasFailed) await this.#incarnation?.storage.close()
    await this.#hasher.stop()
  }

  async #stop(): Promise<void> {
    await this.#restarting
    if (this.#incarnation === null || this.#hasFailed) return this.stopped
    this.#serving.reject(new Error('the server was stopped before it served'))
    const { node, storage } = this.#incarnation
    const { clients, peers } = this.#listeners
    const allGone = clients.stopListening()
    // The others elect without it, and need not wait for a client that does not read.
    const retired = this.#retired.promise.then(() => peers?.stop())
    node.input({ input: 'shutdown' })
    const grace = setTimeout(() => {
      this.#log.warn({ connections: clients.size }, 'clients that do not read are cut off')
      clients.terminate()
    }, shutdownGraceMs)
    await Promise.all([allGone, retired])
    clearTimeout(grace)
    this.#cut()
    await Promise.all([storage.close(), this.#hasher.stop()])
    this.#ending.resolve()
  }
}

const shutdownGraceMs = 3_000

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
