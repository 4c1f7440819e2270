import { PassThrough, Writable } from 'node:stream'
import { connect } from '#client/index.js'
import type { EndSignal, Host } from '#server/cli/host.js'
import { runProgram } from '#server/cli/program.js'
import type { RunningServer } from '#server/main.js'

/** What a stream was given, which can be waited for. */
export class Gathered extends Writable {
  readonly isTTY: boolean
  readonly columns = 100
  readonly rows = 50
  text = ''
  #waiting = new Set<() => void>()

  constructor(isTTY = false) {
    super()
    this.isTTY = isTTY
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    for (const look of this.#waiting) look()
    done()
  }

  /** Resolves once the pattern is in what came after the given character. */
  seen(pattern: RegExp | string, from = 0): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        const text = this.text.slice(from)
        if (typeof pattern === 'string' ? !text.includes(pattern) : !pattern.test(text)) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly stdin?: string | null
  readonly env?: Readonly<Record<string, string>>
  readonly isTerminal?: boolean
  readonly connect?: Host['connect']
}

/** A command line that runs in this process. */
export interface Running {
  readonly stdin: PassThrough
  readonly stdout: Gathered
  readonly stderr: Gathered
  readonly ended: Promise<Ran>
  /** What the process was told to end with at once. */
  readonly exits: readonly number[]
  signal(name: EndSignal): void
}

export const startCli = (words: readonly string[], options: CliOptions = {}): Running => {
  const { stdin: input = '', env = {}, isTerminal = false } = options
  const stdin = Object.assign(new PassThrough(), isTerminal ? terminalInput : {})
  if (input !== null) stdin.end(input)
  const stdout = new Gathered(isTerminal)
  const stderr = new Gathered(isTerminal)
  const listeners = new Set<(name: EndSignal) => void>()
  const exits: number[] = []
  const host: Host = {
    stdin,
    stdout,
    stderr,
    env: { CONCLAVE_HISTORY: '', ...env },
    connect: options.connect ?? connect,
    onSignal(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    exit: (code) => void exits.push(code),
  }
  const ended = runProgram(words, host).then((code) => ({
    code,
    stdout: stdout.text,
    stderr: stderr.text,
  }))
  return {
    stdin,
    stdout,
    stderr,
    ended,
    exits,
    signal: (name) => listeners.forEach((to) => to(name)),
  }
}

/** Runs a command line to its end. */
export const runCli = (words: readonly string[], options: CliOptions = {}): Promise<Ran> =>
  startCli(words, options).ended

export type Cli = (words: readonly string[], options?: CliOptions) => Promise<Ran>

/** Command lines that speak to one server. */
export const cliOf =
  ({ url }: RunningServer): Cli =>
  (words, options = {}) =>
    runCli(words, { ...options, env: { CONCLAVE_CONNECT: url, ...options.env } })

const terminalInput = { isTTY: true, setRawMode() {} }
