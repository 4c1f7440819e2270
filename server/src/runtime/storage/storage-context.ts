import type { Files } from './files.js'
import type { Log } from './log-level.js'
import type { Timers } from './timers.js'

/** What all of storage works with. */
export interface StorageContext {
  readonly files: Files
  readonly directory: string
  /** The size of a segment once the first one is full. */
  readonly segmentBytes: number
  readonly timers: Timers
  /** 32 bits that no client can foresee. */
  readonly random: () => number
  readonly log: Log
}
