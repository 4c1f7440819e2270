import type { Host } from './host.js'
import type { Output } from './output/output.js'

/** What a subcommand of the program may use. */
export interface ProgramContext {
  readonly host: Host
  readonly output: Output
  readonly say: (help: string) => void
  /** Runs with a signal that aborts when the process is told to end. */
  readonly interruptible: (run: (signal: AbortSignal) => Promise<number | void>) => Promise<void>
}
