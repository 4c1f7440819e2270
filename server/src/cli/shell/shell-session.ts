import {
  type AuthOptions,
  type Client,
  parseConnectString,
  Secret,
  type SessionState,
} from '@conclave/client'
import type { Command, CommandContext, PathKind } from '../command.js'
import { commandNamed } from '../commands/table.js'
import { authOf, connectStringOf, openClient, timeoutOption, waitsOf } from '../connection.js'
import type { Host } from '../host.js'
import { closeTimeoutMs } from '../limits.js'
import { escapeText } from '../output/escape.js'
import type { Output } from '../output/output.js'
import { HelpAsked, type Parsed, parseWords } from '../parser.js'
import { jsonOption, perform } from '../perform.js'
import { readInput } from '../read-input.js'
import { splitWords } from '../split-words.js'
import { treePath } from '../tree-path.js'
import { UsageError } from '../usage-error.js'
import type { AfterLine, Builtin, Shell } from './builtin.js'
import { builtinNamed, shellNames } from './builtins.js'
import { Jobs } from './jobs.js'
import type { ShellFlags } from './shell-flags.js'

/** A shell without its terminal: one session, a place in the tree, and jobs in the background. */
export class ShellSession implements Shell {
  readonly #flags: ShellFlags
  readonly #host: Host
  readonly output: Output
  readonly jobs: Jobs
  /** Asks the person for a password; null where there is nobody to ask. */
  askSecret: ((question: string) => Promise<string>) | null = null
  #client: Client | null = null
  #identities: readonly AuthOptions[]
  place = '/'

  constructor(flags: ShellFlags, { host, output }: { host: Host; output: Output }) {
    this.#flags = flags
    this.#host = host
    this.output = output
    this.jobs = new Jobs(output)
    this.#identities = authOf(flags, host.env)
  }

  /** The server that it is attached to: `10.0.0.1:7400 (leading, epoch 4)`; null when to none. */
  get standing(): string | null {
    const server = this.#client?.server ?? null
    return server === null ? null : `${server.address} (${server.role}, epoch ${server.epoch})`
  }

  /** Where it looks for servers, in short: `10.0.0.1:7400` and how many others. */
  get label(): string {
    const { servers } = parseConnectString(connectStringOf(this.#flags, this.#host.env))
    const [first = ''] = servers
    return servers.length > 1 ? `${first} +${servers.length - 1}` : first
  }

  get state(): SessionState | null {
    return this.#client?.state ?? null
  }

  /** The client of the session; a new one when there is none, or the last has ended. */
  async client(signal: AbortSignal): Promise<Client> {
    const before = this.#client
    if (before !== null && before.state !== 'expired' && before.state !== 'closed') return before
    const auth = this.#identities
    const { host, output } = { host: this.#host, output: this.output }
    this.#client = await openClient({ ...this.#flags, auth }, { host, output, signal })
    if (before !== null) {
      output.warn(`the session had ended; this is a new one, ${this.#client.sessionId}`)
    }
    return this.#client
  }

  /**
   * Runs one line.
   *
   * @throws what the command throws
   */
  async execute(line: string, signal: AbortSignal): Promise<AfterLine> {
    if (line.trimStart().startsWith('#')) return 'go on'
    const words = splitWords(line)
    const [first, ...rest] = words
    if (first === undefined) return 'go on'
    const last = rest.at(-1)
    const isBackground = last?.text === '&' && !last.isQuoted
    const typed = (isBackground ? rest.slice(0, -1) : rest).map(({ text }) => text)
    try {
      const builtin = builtinNamed(first.text)
      if (builtin !== undefined) return await this.#runBuiltin(builtin, typed, signal)
      const row = commandNamed(first.text)
      if (row === undefined) throw new UsageError(unknownName(first.text))
      const parsed = parseWords(row, typed, [jsonOption, timeoutOption])
      if (isBackground) await this.#runInBackground(row, parsed, line, signal)
      else await this.#run(row, parsed, signal)
    } catch (error) {
      if (!(error instanceof HelpAsked)) throw error
      await this.output.result(error.help.trimEnd())
    }
    return 'go on'
  }

  /** Ends the jobs and the session. */
  async close(): Promise<void> {
    this.jobs.stopAll()
    await this.#client?.close({ timeoutMs: closeTimeoutMs })
  }

  async logIn(auth: AuthOptions, signal: AbortSignal): Promise<string> {
    const { user, password } = auth
    const secret = password instanceof Secret ? password : new Secret(password ?? '')
    const kept = { ...auth, password: secret }
    const { wait } = waitsOf(this.#flags, signal)
    const identity = await (await this.client(signal)).addAuth(kept, wait)
    // A session that comes after this one shows it too.
    this.#identities = [...this.#identities.filter((known) => known.user !== user), kept]
    return `${identity.scheme}:${identity.id}`
  }

  async #runBuiltin(
    builtin: Builtin,
    words: readonly string[],
    signal: AbortSignal,
  ): Promise<AfterLine> {
    if (words[0] === '--help' || words[0] === '-h') {
      await this.output.result(`${builtin.syntax}\n\n${builtin.help}`)
      return 'go on'
    }
    return (await builtin.run(this, words, signal)) ?? 'go on'
  }

  async #runInBackground(
    row: Command,
    parsed: Parsed,
    line: string,
    signal: AbortSignal,
  ): Promise<void> {
    const client = await this.client(signal)
    const shown = line.replace(/\s*&\s*$/, '').trim()
    this.jobs.start(shown, (jobSignal) =>
      perform(row, parsed, this.#context(client, parsed, jobSignal), this.output),
    )
  }

  async #run(row: Command, parsed: Parsed, signal: AbortSignal): Promise<void> {
    const client = await this.client(signal)
    await perform(row, parsed, this.#context(client, parsed, signal), this.output)
  }

  #context(client: Client, { options }: Parsed, signal: AbortSignal): CommandContext {
    const { place } = this
    return {
      client,
      ...waitsOf({ ...this.#flags, ...options }, signal),
      endsSession: false,
      path: (text: string, kind?: PathKind) => treePath(text, place, kind),
      readInput: async (file) => {
        if (file !== '-') return readInput(file, this.#host.stdin, signal)
        throw new UsageError(
          'in a shell the standard input holds commands: give this as words, or with --file',
        )
      },
      note: (text) => this.output.note(text),
    }
  }
}

const unknownName = (name: string): string => {
  const near = shellNames().find((known) => known.startsWith(name) || name.startsWith(known))
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return `there is no command "${escapeText(name)}"${hint === '' ? '; "help" lists them' : hint}`
}
