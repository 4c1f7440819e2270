import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { CpuWaits } from './cpu-waits.js'
import { repositoryRoot } from './repository.js'

/** A server as users start it, with a real disk, looked at from outside. */
export class ObservedServer {
  readonly port: number
  readonly url: string
  readonly directory: string
  readonly waits: CpuWaits
  /** Set when it has ended. */
  exit: string | null = null
  readonly #child: ChildProcess
  #logRead = 0

  private constructor(child: ChildProcess, directory: string, port: number) {
    this.#child = child
    this.waits = new CpuWaits(child.pid ?? 0)
    this.directory = directory
    this.port = port
    this.url = `conclave://127.0.0.1:${port}`
    child.once('exit', (code, signal) => (this.exit = `${code ?? signal}`))
  }

  static async start(flags: readonly string[] = []): Promise<ObservedServer> {
    const directory = mkdtempSync(join(tmpdir(), 'conclave-observed-'))
    const program = join(repositoryRoot, 'server', 'bin', 'conclave.js')
    const options = [
      '--data',
      join(directory, 'data'),
      '--client-port',
      '0',
      '--admin-port',
      '0',
      ...flags,
    ]
    // Not a pipe: a server whose log nobody reads would wait for its reader.
    const log = openSync(join(directory, 'stderr'), 'w')
    const child = spawn(process.execPath, [program, 'serve', ...options], {
      env: { PATH: process.env['PATH'], HOME: directory },
      stdio: ['ignore', 'pipe', log],
    })
    closeSync(log)
    const [greeting] = (await once(child.stdout as Readable, 'data')) as [Buffer]
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(greeting.toString())?.[1])
    return new ObservedServer(child, directory, port)
  }

  /** What it has logged. */
  get log(): string {
    return readFileSync(join(this.directory, 'stderr'), 'utf8')
  }

  /** What it has logged since the last call. */
  newLog(): string {
    const log = readFileSync(join(this.directory, 'stderr'))
    const unread = log.subarray(this.#logRead).toString()
    this.#logRead = log.length
    return unread
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get rssMiB(): number {
    const pages = /^\d+ (\d+)/.exec(readFileSync(`/proc/${this.pid}/statm`, 'utf8'))?.[1]
    return Math.round((Number(pages) * 4_096) / 1_048_576)
  }

  /** What it has used of the processors, in milliseconds. */
  get cpuMs(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * 10
  }

  get openFiles(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** Ends it in order. */
  async stop(): Promise<{ readonly exit: string; readonly log: string }> {
    if (this.exit === null) {
      const gone = once(this.#child, 'exit')
      this.#child.kill('SIGTERM')
      await gone
    }
    const log = existsSync(this.directory) ? this.log : ''
    rmSync(this.directory, { recursive: true, force: true })
    return { exit: this.exit ?? '', log }
  }
}
