import type { Identity, SessionId, Xid } from '@conclave/protocol'
import type { Verdict } from '@conclave/protocol/peer'
import { sameBytes } from '../byte-equality.js'
import type { Claim, LeaderAnswers, WriteRequest } from './leader-port.js'
import type { ReplicatedState } from './replicated-state.js'

/** Where a session is attached, as its leader knows it. */
export interface SessionHome {
  /** The server that serves it, by who hears the answers there. */
  readonly answers: LeaderAnswers
  /** The highest that any connection has claimed it with. */
  readonly attach: number
  identities: readonly Identity[]
  /** The highest write of the connection that was refused for a passing reason. */
  refusedXid: Xid
  /** Writes up to this turn are held, so that none overtakes the one that was held first. */
  heldTurn: number
}

/**
 * The homes of the sessions in one leadership. Each is where the newest connection that has claimed
 * the session is: what comes from elsewhere is from connections that the client has left.
 */
export class SessionHomes {
  readonly #state: ReplicatedState
  readonly #homes = new Map<SessionId, SessionHome>()

  constructor(state: ReplicatedState) {
    this.#state = state
  }

  /** The home of the session, if the request comes from there. */
  of(
    { sessionId, attach }: Pick<WriteRequest, 'sessionId' | 'attach'>,
    answers: LeaderAnswers,
  ): SessionHome | undefined {
    const home = this.#homes.get(sessionId)
    return home?.answers === answers && home.attach === attach ? home : undefined
  }

  /** Only who knows the nonce takes the session over, and tells its old home so. */
  claim(claim: Claim, answers: LeaderAnswers): Verdict {
    const { sessionId, nonceHash, attach, lastZxidSeen, identities, refusedXid } = claim
    const { sessions, lastApplied } = this.#state
    const isOpen = sessions.get(sessionId) !== undefined
    const known = sessions.get(sessionId) ?? sessions.tombstone(sessionId)
    if (known === undefined || !sameBytes(known.nonceHash, nonceHash)) return 'gone'
    // Also of a session that has ended: what its tombstone says may have been followed by more.
    if (lastZxidSeen > lastApplied.zxid) return 'historyLost'
    if (!isOpen) return 'gone'
    const home = this.#homes.get(sessionId)
    if (home !== undefined && attach < home.attach) return 'moved'
    if (home !== undefined && home.answers !== answers) home.answers.moved(sessionId, attach)
    this.#homes.set(sessionId, { answers, attach, identities, refusedXid, heldTurn: noTurn })
    return 'granted'
  }

  /** True when a later claim than this one was granted. */
  hasMoved({ sessionId, attach }: Pick<Claim, 'sessionId' | 'attach'>): boolean {
    return attach < (this.#homes.get(sessionId)?.attach ?? 0)
  }

  ended(sessionId: SessionId): void {
    this.#homes.delete(sessionId)
  }
}

const noTurn = -1
