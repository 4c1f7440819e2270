import type { Latencies } from './latencies.js'
import type { Interval } from './timeline.js'

export type Operation = 'set' | 'create' | 'get' | 'linearizableGet' | 'mixed' | 'ping'

/** What the connections of one generator do at the same time. */
export interface Load {
  /** `mixed` is nine local reads to one write. */
  readonly operation: Operation
  /** Operations that each connection has in flight; with a rate, at most. */
  readonly inFlight: number
  readonly until: { readonly seconds: number } | { readonly operations: number }
  readonly valueBytes: number
  /**
   * Operations a second of all connections together, due whether or not answers come; latencies
   * count from when each was due. Null: as many as there are answers.
   */
  readonly perSecond: number | null
  /** Also tells intervals of so many ms apart. */
  readonly intervalMs?: number
}

export interface LoadResult {
  /** Answered in the time given, or until all were. */
  readonly perSecond: number
  /** Answered in all, also those that were still in flight at the end. */
  readonly operations: number
  readonly latencies: Latencies
  /** Refused because a server was over a limit; none of the others. */
  readonly throttled: number
  /** Came due, and could not be sent in the time given. */
  readonly unsent: number
  /** Empty unless asked for. */
  readonly intervals: readonly Interval[]
  /** What the generator itself took of the CPUs. */
  readonly clientCpuMs: number
}

/** One connection writes, the others watch. */
export interface Broadcast {
  readonly seconds: number
  readonly valueBytes: number
}

/**
 * Latencies count from when a write was sent until the last watcher was told; an operation is one
 * watcher being told of one write.
 */
export type BroadcastResult = LoadResult
