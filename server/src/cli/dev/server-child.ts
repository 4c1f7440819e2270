import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DevDirectory, DevServer } from './dev-directory.js'
import { lineText } from './line-text.js'

/** How a process has ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The last thing it said that was no log. */
  readonly lastWords: string
}

interface ChildOptions {
  readonly directory: DevDirectory
  readonly tell: (id: number, text: string) => void
  readonly isVerbose: boolean
}

/** One server of an ensemble in a process of its own, which does not outlive this one. */
export class ServerChild {
  readonly server: DevServer
  /** Resolves when it leads or follows; never, when it ends before that. */
  readonly serving: Promise<void>
  readonly ended: Promise<Ended>
  hasServed = false
  readonly #child: ChildProcess

  constructor(server: DevServer, { directory, tell, isVerbose }: ChildOptions) {
    this.server = server
    const words = ['serve', '--config', directory.config, '--server-id', String(server.id)]
    const flags = ['--data', server.data, '--log-format', 'json', '--until-input-ends']
    this.#child = spawn(process.execPath, [programPath, ...words, ...flags], {
      // Ctrl-C at the terminal is for this process, which stops the others in order.
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    this.#child.stdin?.on('error', () => undefined)
    let lastWords = 'it ended without a word'
    let onServing: () => void = () => undefined
    this.serving = new Promise((resolve) => {
      onServing = resolve
    })
    const lines = createInterface({ input: this.#child.stderr as NodeJS.ReadableStream })
    lines.on('line', (line) => {
      const { text, isLog, isServing } = lineText(line, isVerbose)
      if (!isLog) lastWords = text ?? ''
      else if (text !== null) tell(server.id, text)
      if (!isServing) return
      this.hasServed = true
      onServing()
    })
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve({ code, signal, lastWords }))
      this.#child.once('error', (error) => {
        resolve({ code: null, signal: null, lastWords: error.message })
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** It answers what is in flight, and ends. */
  stop(): void {
    this.#child.stdin?.end()
  }
}

const programPath = fileURLToPath(new URL('../../../bin/conclave.js', import.meta.url))
