import type {
  CloseReason,
  Failure,
  Identity,
  SessionId,
  WriteOp,
  Xid,
  Zxid,
} from '@conclave/protocol'
import type { CreationRefusal, Verdict } from '@conclave/protocol/peer'
import type { ConnectionId } from '../input.js'

/**
 * What a server asks of the leader for its clients; the leader itself asks in the same way. Nothing
 * is answered here: see {@link LeaderAnswers}. When the leadership ends no more answers come, and
 * whatever still matters is asked of the next one.
 */
export interface LeaderPort {
  /**
   * Its answer is that of its txn, once that is applied; none, when the client has acknowledged it;
   * unless the leader decides otherwise.
   * @param bytes about what it takes
   */
  write(request: WriteRequest, bytes: number): void
  createSession(nonceHash: Uint8Array, sessionTimeoutMs: number): void
  /** Answered by a verdict in one of the next confirmations. */
  claim(claim: Claim): void
  /** The session was heard of. */
  touch(sessionId: SessionId): void
  acked(sessionId: SessionId, ackedXid: Xid): void
  identify(sessionId: SessionId, attach: number, identities: readonly Identity[]): void
  /**
   * What is asked before this is answered by the leader of this epoch when this round, or a later
   * one, is confirmed.
   * @returns its number, shared by all who ask between two drains
   */
  startRound(): number
}

/** What comes back, to be heard when all is applied that the leader knew when it said so. */
export interface LeaderAnswers {
  decided(write: WriteKey, decision: WriteDecision): void
  confirmed(confirmation: Confirmation): void
  creationRefused(nonceHash: Uint8Array, reason: CreationRefusal & CloseReason): void
  /** A connection with this attach has claimed the session, on another server. */
  moved(sessionId: SessionId, attach: number): void
}

/** Which write of which connection. */
export interface WriteKey {
  readonly sessionId: SessionId
  readonly attach: number
  readonly xid: Xid
}

export interface WriteRequest extends WriteKey {
  /** One higher after each time that writes of the connection were held. */
  readonly turn: number
  readonly ackedXid: Xid
  readonly refusedSeen: Xid
  readonly op: WriteOp
}

/** A connection wants the session for its own, or tells a new leader that it has it. */
export interface Claim {
  readonly connection: ConnectionId
  readonly sessionId: SessionId
  readonly nonceHash: Uint8Array
  readonly attach: number
  readonly ackedXid: Xid
  /** The highest write of the connection that was refused for a passing reason. */
  readonly refusedXid: Xid
  readonly lastZxidSeen: Zxid
  readonly identities: readonly Identity[]
}

/** Why a write gets no txn, as far as the leader's table and proposals go. */
export type WriteDecision =
  | { readonly decision: 'refused'; readonly failure: Failure }
  /** The session has too many unacknowledged results: it is to be asked again when some are. */
  | { readonly decision: 'held'; readonly turn: number; readonly ackedXid: Xid }

export interface Confirmation {
  /** The last round of the asking server that is confirmed. */
  readonly round: number
  /** True for a session touched with these rounds that ends or has ended: it is not confirmed. */
  readonly isEnding: (sessionId: SessionId) => boolean
  readonly verdicts: readonly ClaimVerdict[]
}

export interface ClaimVerdict {
  readonly connection: ConnectionId
  readonly verdict: Verdict
}
