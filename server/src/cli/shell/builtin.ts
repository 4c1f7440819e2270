import type { AuthOptions, Client } from '@conclave/client'
import type { Output } from '../output/output.js'
import type { Jobs } from './jobs.js'

/** A command of the shell itself. */
export interface Builtin {
  readonly name: string
  readonly syntax: string
  readonly help: string
  readonly takesPath?: boolean
  run(shell: Shell, words: readonly string[], signal: AbortSignal): Promise<AfterLine | void>
}

/** What a line may ask for besides being done. */
export type AfterLine = 'go on' | 'leave'

/** What the shell's own commands work on. */
export interface Shell {
  readonly output: Output
  readonly jobs: Jobs
  /** Where relative paths start. */
  place: string
  /** Asks the person for a password; null where there is nobody to ask. */
  readonly askSecret: ((question: string) => Promise<string>) | null
  client(signal: AbortSignal): Promise<Client>
  execute(line: string, signal: AbortSignal): Promise<AfterLine>
  /** @returns the identity that the servers now know */
  logIn(auth: AuthOptions, signal: AbortSignal): Promise<string>
}
