import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { writeEnsembleConfig } from './ensemble-config.js'
import { repositoryRoot } from './repository.js'

/** What `/status` says of a server. */
export interface ProcessStatus {
  readonly id: number
  readonly role: 'looking' | 'following' | 'leading'
  readonly epoch: number
  readonly zxid: number
  readonly ensembleId: string | null
}

/** An ensemble of `conclave serve --config`, each server a process that can be killed or paused. */
export class EnsembleProcess implements AsyncDisposable {
  readonly directory: string
  readonly #config: string
  readonly #children = new Map<number, ChildProcess>()
  readonly #places: readonly Place[]

  constructor(count: number) {
    this.directory = mkdtempSync(join(tmpdir(), 'conclave-processes-'))
    this.#config = writeEnsembleConfig(this.directory, count).config
    const written = JSON.parse(readFileSync(this.#config, 'utf8')) as { servers: readonly Place[] }
    this.#places = written.servers
  }

  get ids(): readonly number[] {
    return this.#places.map(({ id }) => id)
  }

  /** What clients connect to: one server, or all. */
  url(id?: number): string {
    const places = this.#places.filter((place) => id === undefined || place.id === id)
    return `conclave://${places.map(({ host, clientPort }) => `${host}:${clientPort}`).join(',')}`
  }

  start(id: number): void {
    if (this.#children.has(id)) throw new Error(`server ${id} runs already`)
    const program = join(repositoryRoot, 'server', 'bin', 'conclave.js')
    const words = ['serve', '--config', this.#config, '--server-id', String(id)]
    const data = join(this.directory, `server-${id}`)
    // Not a pipe: a server whose log nobody reads would wait for its reader.
    const log = openSync(this.#logOf(id), 'a')
    const child = spawn(process.execPath, [program, ...words, '--data', data], {
      env: { PATH: process.env['PATH'], HOME: this.directory },
      stdio: ['ignore', 'ignore', log],
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
    const place = this.#places.find((each) => each.id === id)
    try {
      const answer = await fetch(`http://${place?.host}:${place?.adminPort}/status`, {
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

  #logOf(id: number): string {
    return join(this.directory, `server-${id}.log`)
  }
}

interface Place {
  readonly id: number
  readonly host: string
  readonly clientPort: number
  readonly adminPort: number
}
