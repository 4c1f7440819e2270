import {
  clearScreenDown,
  createInterface,
  cursorTo,
  type Interface,
  moveCursor,
} from 'node:readline'
import { commandNamed } from '../commands/table.js'
import type { Host } from '../host.js'
import { Interrupted } from '../interrupted.js'
import { completionChildrenMax, completionTimeoutMs, historyLinesMax } from '../limits.js'
import { escapeText } from '../output/escape.js'
import type { ProgramContext } from '../program-context.js'
import { sentenceOf } from '../sentence.js'
import { scanWords } from '../split-words.js'
import { complete, type CompletionChild } from './completion.js'
import { type History, historyFile, holdsSecret, openHistory } from './history.js'
import type { ShellFlags } from './shell-flags.js'
import { ShellSession } from './shell-session.js'

/** A shell for a person: a prompt, a history, completion, and news above the input line. */
export const runTerminal = (flags: ShellFlags, context: ProgramContext): Promise<void> =>
  context.interruptible(async (signal) => {
    const session = new ShellSession(flags, context)
    const { output } = session
    output.note(`looking for a server at ${session.label}`)
    const client = await session.client(signal)
    output.note(
      `session ${client.sessionId}; "help" says what there is, Tab completes, Ctrl-D leaves`,
    )
    const terminal = new Terminal(session, context.host, openHistory(historyFile(context.host.env)))
    try {
      await terminal.run(signal)
    } finally {
      output.around = (print) => print()
      await session.close()
    }
    // Told to end from outside: the exit code says so.
    signal.throwIfAborted()
  })

class Terminal {
  readonly #session: ShellSession
  readonly #host: Host
  readonly #history: History
  readonly #reader: Interface
  readonly #waiting: string[] = []
  #running: AbortController | null = null
  #isPrompting = false
  /** Who waits for a line that is no command and is not to be seen. */
  #answer: { resolve(line: string): void; reject(reason: Error): void } | null = null
  #onEnd: () => void = () => undefined

  constructor(session: ShellSession, host: Host, history: History) {
    this.#session = session
    this.#host = host
    this.#history = history
    this.#reader = createInterface({
      input: host.stdin,
      output: this.#echo(host.stdout),
      terminal: true,
      historySize: historyLinesMax,
      history: history.lines.toReversed(),
      completer: (line: string, show: Completed) => void this.#complete(line, show),
    })
  }

  /** @returns when the person leaves, or the process is told to end */
  run(signal: AbortSignal): Promise<void> {
    const { output } = this.#session
    output.around = (print) => this.#above(print)
    this.#session.askSecret = (question) => this.#askSecret(question)
    this.#reader.on('line', (line) => this.#onLine(line))
    this.#reader.on('SIGINT', () => this.#onInterrupt())
    this.#reader.on('history', (lines) => {
      const [newest] = lines
      if (this.#answer !== null || (newest !== undefined && holdsSecret(newest))) lines.shift()
    })
    const end = (): void => this.#reader.close()
    signal.addEventListener('abort', end)
    this.#prompt()
    return new Promise((resolve) => {
      this.#onEnd = resolve
      this.#reader.on('close', () => {
        signal.removeEventListener('abort', end)
        if (this.#isPrompting) this.#host.stdout.write('\n')
        this.#isPrompting = false
        this.#waiting.length = 0
        this.#answer?.reject(new Interrupted('SIGINT'))
        if (this.#running === null) resolve()
        else this.#running.abort(new Interrupted('SIGINT'))
      })
    })
  }

  #onLine(line: string): void {
    if (this.#answer !== null) return this.#answer.resolve(line)
    this.#isPrompting = false
    this.#waiting.push(line)
    if (this.#running === null) void this.#runWaiting()
  }

  async #runWaiting(): Promise<void> {
    for (let line = this.#waiting.shift(); line !== undefined; line = this.#waiting.shift()) {
      this.#history.add(line)
      if (await this.#runLine(line)) continue
      this.#reader.close()
      return this.#onEnd()
    }
    if (this.#isClosed) this.#onEnd()
    else this.#prompt()
  }

  /** @returns whether to go on */
  async #runLine(line: string): Promise<boolean> {
    const { output } = this.#session
    this.#running = new AbortController()
    try {
      return (await this.#session.execute(line, this.#running.signal)) === 'go on'
    } catch (error) {
      const advice = commandNamed(scanWords(line).words[0]?.text ?? '')?.advice
      if (error instanceof Interrupted) this.#waiting.length = 0
      else output.error(sentenceOf(error, advice))
      return true
    } finally {
      this.#running = null
    }
  }

  /** Ctrl-C: ends the command that runs, or empties the line. */
  #onInterrupt(): void {
    this.#host.stdout.write('^C\n')
    this.#answer?.reject(new Interrupted('SIGINT'))
    const wasEmpty = this.#reader.line === ''
    this.#isPrompting = false
    // What was typed while a command ran goes too.
    Object.assign(this.#reader, { line: '', cursor: 0, prevRows: 0 })
    if (this.#running !== null) return this.#running.abort(new Interrupted('SIGINT'))
    if (wasEmpty) this.#session.output.note('Ctrl-D leaves')
    this.#prompt()
  }

  #prompt(): void {
    if (this.#isClosed) return
    this.#isPrompting = true
    this.#reader.setPrompt(this.#promptText())
    this.#reader.prompt(true)
  }

  #promptText(): string {
    const { style } = this.#session.output
    const { state, label, place, standing } = this.#session
    const isFine = state === 'connected' && standing !== null
    const where = isFine ? standing : `${label} ${style.warn(`(${state ?? 'not connected'})`)}`
    return `${style.dim('conclave')} ${where} ${style.path(escapeText(place))}> `
  }

  /** Prints where the input line is, and the line again below it, with all that was typed. */
  #above(print: () => void): void {
    if (!this.#isPrompting || this.#isClosed) return print()
    const { stdout } = this.#host
    moveCursor(stdout, 0, -this.#reader.getCursorPos().rows)
    cursorTo(stdout, 0)
    clearScreenDown(stdout)
    print()
    // The reader would go up as many rows as its line had; they are gone.
    Object.assign(this.#reader, { prevRows: 0 })
    this.#prompt()
  }

  get #isClosed(): boolean {
    return (this.#reader as { readonly closed?: boolean }).closed === true
  }

  async #complete(line: string, show: Completed): Promise<void> {
    const source = { place: this.#session.place, children: (path: string) => this.#children(path) }
    let hits: readonly string[] = []
    let fragment = line
    try {
      ;({ hits, fragment } = await complete(line, source))
    } catch {
      // What cannot be known is not completed.
    }
    show(null, [[...hits], fragment])
  }

  async #children(path: string): Promise<readonly CompletionChild[]> {
    const signal = AbortSignal.timeout(completionTimeoutMs)
    const client = await this.#session.client(signal)
    const found: CompletionChild[] = []
    const pageSize = completionChildrenMax
    for await (const { name, stat } of client.list(path, { withStat: true, pageSize, signal })) {
      found.push({ name, hasChildren: stat.numChildren > 0 })
      if (found.length === completionChildrenMax) break
    }
    return found
  }

  async #askSecret(question: string): Promise<string> {
    this.#host.stdout.write(escapeText(question))
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#answer = { resolve, reject }
      })
    } finally {
      this.#answer = null
      this.#host.stdout.write('\n')
    }
  }

  /** The reader's own output, which is silent while a password is typed. */
  #echo(stdout: Host['stdout']): Host['stdout'] {
    return new Proxy(stdout, {
      get: (target, key): unknown => {
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        if (key === 'write' && this.#answer !== null) return () => true
        return value.bind(target)
      },
    })
  }
}

type Completed = (error: null, result: [string[], string]) => void
