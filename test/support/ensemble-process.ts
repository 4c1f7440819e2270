import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ServerOptions } from '#server/main.js'
import { type ConfiguredServer, writeEnsembleConfig } from './ensemble-config.js'
import { repositoryRoot } from './repository.js'

/** What `/status` says of a server. */
export interface ProcessStatus {
  readonly id: number
  readonly role: 'looking' | 'following' | 'leading'
  readonly epoch: number
  readonly zxid: number
  /** What it knows to be committed and has not applied. */
  readonly lag: number
  readonly ensembleId: string | null
}

export type EnsembleSettings = Pick<ServerOptions, 'snapshotTxns' | 'segmentBytes'>

/** An ensemble of `conclave serve --config`, each server a process that can be killed or paused. */
export class EnsembleProcess implements AsyncDisposable {
  readonly directory: string
  readonly #children = new Map<number, ChildProcess>()
  readonly #servers: readonly ConfiguredServer[]
  readonly #settings: EnsembleSettings
  readonly #detours = new Map<string, number>()

  constructor(count: number, settings: EnsembleSettings = {}) {
    this.directory = mkdtempSync(join(tmpdir(), 'conclave-processes-'))
    this.#settings = settings
    this.#servers = writeEnsembleConfig(this.directory, count).servers
  }

  get ids(): readonly number[] {
    return this.#servers.map(({ id }) => id)
  }

  get running(): readonly number[] {
    return [...this.#children.keys()]
  }

  server(id: number): ConfiguredServer {
    const server = this.#servers.find((each) => each.id === id)
    if (server === undefined) throw new Error(`there is no server ${id}`)
    return server
  }

  dataOf(id: number): string {
    return join(this.directory, `server-${id}`)
  }

  /** From its next start on, a server finds another one at this port. */
  detour(from: number, to: number, peerPort: number): void {
    this.#detours.set(`${from}>${to}`, peerPort)
  }

  /** What clients connect to: one server, or all. */
  url(id?: number): string {
    const places = id === undefined ? this.#servers : [this.server(id)]
    return `conclave://${places.map(({ host, clientPort }) => `${host}:${clientPort}`).join(',')}`
  }

  start(id: number): void {
    if (this.#children.has(id)) throw new Error(`server ${id} runs already`)
    const program = join(repositoryRoot, 'server', 'bin', 'conclave.js')
    const data = this.dataOf(id)
    const words = ['serve', '--config', this.#writeConfig(id), '--server-id', String(id)]
    // Should this process be killed its servers end too.
    const until = '--until-input-ends'
    // Not a pipe: a server whose log nobody reads would wait for its reader.
    const log = openSync(this.#logOf(id), 'a')
    const child = spawn(process.execPath, [program, ...words, '--data', data, until], {
      env: { PATH: process.env['PATH'], HOME: this.directory },
      stdio: ['pipe', 'ignore', log],
    })
    closeSync(log)
    this.#children.set(id, child)
  }

  startAll(): void {
    for (const id of this.ids) this.start(id)
  }

  /** SIGKILL ends it here, SIGTERM in order; resolves when the process is gone. */
  async end(id: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#children.get(id)
    if (child === undefined) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    this.#children.delete(id)
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await gone
  }

  /** It stands still until {@link goOn}. */
  stand(id: number): void {
    this.#children.get(id)?.kill('SIGSTOP')
  }

  goOn(id: number): void {
    this.#children.get(id)?.kill('SIGCONT')
  }

  /** Null when it does not answer. */
  async status(id: number): Promise<ProcessStatus | null> {
    const { host, adminPort } = this.server(id)
    try {
      const answer = await fetch(`http://${host}:${adminPort}/status`, {
        signal: AbortSignal.timeout(1_000),
      })
      return (await answer.json()) as ProcessStatus
    } catch {
      return null
    }
  }

  /** Resolves to what all that run say, once it fits. Throws when one has ended by itself. */
  async until(
    fits: (statuses: readonly ProcessStatus[]) => boolean,
  ): Promise<readonly ProcessStatus[]> {
    for (;;) {
      const ids = [...this.#children.keys()]
      const statuses = await Promise.all(ids.map((id) => this.status(id)))
      const known = statuses.filter((status) => status !== null)
      if (known.length === ids.length && fits(known)) return known
      for (const [id, { exitCode }] of this.#children) {
        if (exitCode !== null) throw new Error(`server ${id} ended: ${this.log(id)}`)
      }
      await pause(10)
    }
  }

  log(id: number): string {
    return readFileSync(this.#logOf(id), 'utf8')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children.keys()].map((id) => this.end(id, 'SIGKILL')))
    rmSync(this.directory, { recursive: true, force: true })
  }

  #writeConfig(id: number): string {
    const config = join(this.directory, `ensemble-${id}.json`)
    const servers = this.#servers.map((server) => ({
      ...server,
      peerPort: this.#detours.get(`${id}>${server.id}`) ?? server.peerPort,
    }))
    const secretFile = './secret'
    writeFileSync(config, JSON.stringify({ servers, secretFile, ...this.#settings }))
    return config
  }

  #logOf(id: number): string {
    return join(this.directory, `server-${id}.log`)
  }
}
