import type {
  ChangeType,
  ClientFrame,
  Failure,
  StreamEvent,
  StreamPosition,
  WatchKind,
  Zxid,
} from '@conclave/protocol'

/** All that the session machine ever asks of the world, in the order in which it is to happen. */
export type Effect<Token> =
  | { readonly effect: 'open'; readonly connection: number; readonly server: string }
  | { readonly effect: 'close'; readonly connection: number; readonly reason: string }
  | {
      readonly effect: 'send'
      readonly connection: number
      /** One message. */
      readonly frames: readonly ClientFrame[]
    }
  | { readonly effect: 'settle'; readonly token: Token; readonly settlement: Settlement }
  /** A one-shot watch fired: every registration is told once. */
  | { readonly effect: 'event'; readonly tokens: readonly Token[]; readonly event: OneShotEvent }
  /** One-shot watches that will never fire. */
  | { readonly effect: 'watchesLost'; readonly tokens: readonly Token[]; readonly why: Ending }
  | { readonly effect: 'stream'; readonly token: Token; readonly item: StreamItem }
  /** A connection is attached, authenticated, and its requests are on their way. */
  | { readonly effect: 'ready' }
  /** An identity named at the start was refused. */
  | { readonly effect: 'identityRefused'; readonly user: string; readonly failure: Failure }
  | { readonly effect: 'state'; readonly change: StateChange }

export type Settlement =
  | { readonly settled: 'done'; readonly zxid: Zxid | null; readonly result: unknown }
  | ({ readonly settled: 'failed'; readonly zxid: Zxid | null } & Ending)

export interface Ending {
  readonly failure: Failure
  readonly outcome: 'notExecuted' | 'unknown'
}

export interface OneShotEvent {
  readonly type: ChangeType
  readonly kind: WatchKind
  readonly path: string
  readonly zxid: Zxid
}

export type StreamItem =
  /** The server knows the stream; it starts after this position. */
  | { readonly item: 'opened'; readonly position: StreamPosition }
  | { readonly item: 'event'; readonly event: StreamEvent; readonly position: StreamPosition }
  | {
      readonly item: 'gap'
      readonly from: Zxid
      readonly to: Zxid
      readonly position: StreamPosition
    }
  | { readonly item: 'caughtUp'; readonly position: StreamPosition }
  | { readonly item: 'ended'; readonly why: Ending; readonly standing: StreamStanding }

/** How far a stream has come, and how old that is. */
export interface StreamStanding {
  readonly position: StreamPosition | null
  readonly isCaughtUp: boolean
  /** The server was asked at this time, or later, and there was no more; null: never yet. */
  readonly currentAtMs: number | null
}

export type SessionState = 'connected' | 'suspended' | 'expired' | 'closed'

/**
 * The state of a client's session.
 * - `connected`: attached to a server, and the session is certainly alive.
 * - `suspended`: not attached, or no server has confirmed the session in time. Calls wait.
 * - `expired`: a server said that the session is gone. Final.
 * - `closed`: the client was closed. Final.
 */
export interface StateChange {
  readonly state: SessionState
  /**
   * When the session may be gone, in milliseconds of the monotonic clock (`performance.now()`);
   * null before the first connection and in the final states.
   */
  readonly deadline: number | null
  /** True once it has passed without a word from a server: count every grant as lost. */
  readonly deadlinePassed: boolean
  /** Why, for people; null when there is nothing to say. */
  readonly reason: string | null
}
