import type { Writable } from 'node:stream'
import { escapeText, safeJson } from './escape.js'
import { type Style, styleFor } from './style.js'
import type { Shown, View } from './view.js'

/** A place to print to; `isTTY` when a person looks at it. */
export type Sink = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/**
 * Where commands print: results to stdout, notes and errors to stderr, so that what is piped on
 * holds nothing but results.
 */
export class Output {
  readonly #stdout: Sink
  readonly #stderr: Sink
  readonly #nowMs: () => number
  readonly style: Style
  readonly noteStyle: Style
  /** When set, everything goes through it: a shell keeps its input line below what is printed. */
  around: (print: () => void) => void = (print) => print()

  constructor(
    { stdout, stderr }: { readonly stdout: Sink; readonly stderr: Sink },
    env: Readonly<Record<string, string | undefined>>,
    nowMs: () => number = Date.now,
  ) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.#nowMs = nowMs
    this.style = styleFor(stdout.isTTY === true, env)
    this.noteStyle = styleFor(stderr.isTTY === true, env)
  }

  get view(): View {
    return { style: this.style, isTerminal: this.#stdout.isTTY === true, nowMs: this.#nowMs() }
  }

  /** @returns once the reader takes more, so that a slow one bounds what waits in memory */
  async result(shown: Shown): Promise<void> {
    if (typeof shown !== 'string') return this.#print(shown)
    if (shown !== '') await this.#print(`${shown}\n`)
  }

  json(value: unknown): Promise<void> {
    return this.#print(`${safeJson(value)}\n`)
  }

  /** For the person at the terminal; never part of the result. One line, escaped. */
  note(text: string): void {
    this.#say(this.noteStyle.dim(escapeText(text)))
  }

  warn(text: string): void {
    this.#say(this.noteStyle.warn(escapeText(text)))
  }

  error(sentence: string): void {
    this.#say(`${this.noteStyle.bad('conclave:')} ${escapeText(sentence)}`)
  }

  /** For debugging only: several lines, as they are but for what would steer the terminal. */
  detail(text: string): void {
    this.#say(text.split('\n').map(escapeText).join('\n'))
  }

  #say(line: string): void {
    this.around(() => this.#stderr.write(`${line}\n`))
  }

  async #print(chunk: string | Uint8Array): Promise<void> {
    let isFlowing = true
    this.around(() => {
      isFlowing = this.#stdout.write(chunk)
    })
    if (isFlowing || this.#stdout.destroyed) return
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#stdout.off('drain', go)
        this.#stdout.off('close', go)
        resolve()
      }
      this.#stdout.on('drain', go)
      this.#stdout.on('close', go)
    })
  }
}
