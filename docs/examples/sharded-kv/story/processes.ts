import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ChildOrder } from '../child.js'

/** Real processes in one temporary directory; none of them outlives {@link end}. */
export class Processes {
  readonly directory = mkdtempSync(join(tmpdir(), 'conclave-example-'))
  /** Where the storage writes down what it accepts. */
  readonly journal = join(this.directory, 'journal')
  readonly #children = new Map<string, ChildProcess>()
  readonly #expected = new Set<ChildProcess>()
  /** Rejects when one ends that was not told to, or something else fails behind the story. */
  readonly fault: Promise<never>
  #onFault: (error: unknown) => void = () => undefined

  constructor() {
    this.fault = new Promise((_resolve, reject) => (this.#onFault = reject))
    this.fault.catch(() => {})
  }

  /** A program of this folder. @returns the first thing it says */
  fork(name: string, order: ChildOrder): Promise<string> {
    const script = fileURLToPath(new URL('../child.js', import.meta.url))
    const log = openSync(this.#logOf(name), 'a')
    const stdio = ['ignore', log, log, 'ipc'] as const
    const child = fork(script, [JSON.stringify(order)], { stdio: [...stdio], detached: true })
    this.#keep(name, child)
    return new Promise((resolve) => child.once('message', (said) => resolve(said as string)))
  }

  /** A program of its own, which ends when its standard input does. */
  spawn(name: string, words: readonly string[]): void {
    const log = openSync(this.#logOf(name), 'a')
    const stdio = ['pipe', log, log] as const
    this.#keep(name, spawn(process.execPath, words, { stdio: [...stdio], detached: true }))
  }

  /** As `kill -9` does it. */
  async kill(name: string): Promise<void> {
    const child = this.#children.get(name)
    if (child === undefined) return
    this.#children.delete(name)
    this.#expected.add(child)
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  /** A process that was stopped goes on. */
  goOn(name: string): void {
    this.#children.get(name)?.kill('SIGCONT')
  }

  fail(error: unknown): void {
    this.#onFault(error)
  }

  /** Ends all that run, also those that stand still, and removes their directory. */
  end(): void {
    for (const child of this.#children.values()) {
      this.#expected.add(child)
      child.kill('SIGKILL')
    }
    this.#children.clear()
    rmSync(this.directory, { recursive: true, force: true })
  }

  #keep(name: string, child: ChildProcess): void {
    this.#children.set(name, child)
    child.once('exit', (code, signal) => {
      if (this.#expected.has(child)) return
      const words = readFileSync(this.#logOf(name), 'utf8').trim().split('\n').slice(-5)
      this.#onFault(new Error([`${name} ended (${signal ?? code})`, ...words].join('\n')))
    })
  }

  #logOf(name: string): string {
    return join(this.directory, `${name}.log`)
  }
}
