import type { Op } from '@conclave/protocol'

/** Which number a request is sent under. */
export type Numbering =
  /** The next one. */
  | 'next'
  /** The one after the next: leaves one out. */
  | 'skip'
  /** A write that was sent and is not acknowledged, once more. */
  | 'again'
  /** A write that was acknowledged, once more. */
  | 'acked'
  /** A number that was left out, too late. */
  | 'leftOut'

export interface RequestStep {
  readonly who: number
  readonly op: Op
  readonly as: Numbering
  /** Acknowledges all that is settled. */
  readonly acks: boolean
}

export type ConnectKind =
  | 'right'
  | 'byNonce'
  | 'stale'
  | 'wrongNonce'
  | 'otherEnsemble'
  | 'historyLost'
  | 'unknown'

/** What a client does on a new connection, besides what it must. */
export interface Resumption {
  readonly auth: boolean
  readonly rearm: boolean
  readonly streams: boolean
  readonly resend: boolean
}

/** One step of a script. All of a turn comes in before the server does anything. */
export type Step =
  | { readonly step: 'turn'; readonly requests: readonly RequestStep[] }
  | { readonly step: 'ping' | 'ack' | 'probe' | 'drop'; readonly who: number }
  | {
      readonly step: 'connect'
      readonly who: number
      readonly kind: ConnectKind
      readonly resumes: Resumption
    }
  /** Time passes; the clients in `pings` (a bit each) keep their sessions. */
  | { readonly step: 'wait'; readonly ticks: number; readonly pings: number }
  /** Nothing becomes durable until the disk is released, or the server dies. */
  | { readonly step: 'hold' }
  /** One write of the disk only, or all. */
  | { readonly step: 'release'; readonly one: boolean }
  | { readonly step: 'space'; readonly ok: boolean }
  /** `returning`, a bit each: who connects again at once. */
  | {
      readonly step: 'restart'
      readonly purge: boolean
      readonly returning: number
      readonly resumes: Resumption
    }

export interface Script {
  readonly timeoutsMs: readonly number[]
  readonly snapshotTxns: number
  /** What the first client sends before all steps, at once. */
  readonly setup: readonly Op[]
  readonly steps: readonly Step[]
}
