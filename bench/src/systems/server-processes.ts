import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, openSync, closeSync, readFileSync } from 'node:fs'
import { cpuMsOf, rssOf } from './proc.js'

export interface ServerCommand {
  readonly program: string
  readonly args: readonly string[]
  /** Where its output goes. */
  readonly log: string
}

/** Processes of one ensemble. They end with this process, however it ends. */
export class ServerProcesses {
  readonly #commands: readonly ServerCommand[]
  readonly #running = new Map<number, ChildProcess>()
  readonly #prefix: readonly string[]
  readonly #onExit = (): void => {
    for (const child of this.#running.values()) child.kill('SIGKILL')
  }

  /** @param cpu the only one that they may use; all when null */
  constructor(commands: readonly ServerCommand[], cpu: number | null) {
    this.#commands = commands
    this.#prefix = [
      ...(existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL'] : []),
      ...(cpu === null ? [] : ['taskset', '-c', String(cpu)]),
    ]
    process.once('exit', this.#onExit)
  }

  isRunning(index: number): boolean {
    return this.#running.has(index)
  }

  start(index: number): void {
    const { program, args, log } = this.#commands[index] as ServerCommand
    const [first, ...rest] = [...this.#prefix, program, ...args] as [string, ...string[]]
    const output = openSync(log, 'a')
    const child = spawn(first, rest, { stdio: ['ignore', output, output] })
    closeSync(output)
    this.#running.set(index, child)
    child.once('error', () => this.#gone(index, child))
    child.once('exit', () => this.#gone(index, child))
  }

  /** Resolves when it is gone; kills it when it does not go within half a minute. */
  async end(index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#running.get(index)
    if (child === undefined) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), endMsMax)
    await gone
    clearTimeout(timer)
  }

  async endAll(): Promise<void> {
    await Promise.all(this.#commands.map((_, index) => this.end(index, 'SIGTERM')))
    process.removeListener('exit', this.#onExit)
  }

  /** CPU time of all that run since each was started, user and system. */
  cpuMs(): number {
    return sum(this.#pids().map(cpuMsOf))
  }

  /** Resident memory of each server that runs, in bytes. */
  rss(): readonly number[] {
    return this.#pids().map(rssOf)
  }

  /** The end of what a server said, for an error message. */
  lastWords(index: number): string {
    const { log } = this.#commands[index] as ServerCommand
    return existsSync(log) ? readFileSync(log, 'utf8').slice(-lastWordsCharacters) : ''
  }

  #pids(): number[] {
    return [...this.#running.values()].flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
  }

  #gone(index: number, child: ChildProcess): void {
    if (this.#running.get(index) === child) this.#running.delete(index)
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** Of util-linux: the kernel kills the servers also when this process gets a SIGKILL. */
const setpriv = '/usr/bin/setpriv'
const endMsMax = 30_000
const lastWordsCharacters = 2_000
