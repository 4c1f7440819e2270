import type { ConnectionFlags } from '../connection.js'

export interface ShellFlags extends ConnectionFlags {
  readonly keepGoing?: true
}
