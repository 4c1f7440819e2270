import { Fifo, type Identity, type SessionId, type Xid, type Zxid } from '@conclave/protocol'
import type { Verdict } from '@conclave/protocol/peer'
import type { Claim, LeaderAnswers, LeaderPort, WriteRequest } from './leader-port.js'
import type { Leadership } from './leadership.js'

/** Where a leader serves one server, itself or a learner: asks in, answers out. */
export class LeaderDesk implements LeaderPort {
  readonly #leadership: Leadership
  readonly #answers: LeaderAnswers
  /** Each until the leader has applied what it had committed when the claim came. */
  readonly #unjudged = new Fifo<{ readonly claim: Claim; readonly zxid: Zxid }>()
  readonly #claims = new Fifo<JudgedClaim>()

  constructor(leadership: Leadership, answers: LeaderAnswers) {
    this.#leadership = leadership
    this.#answers = answers
  }

  write(request: WriteRequest): void {
    const decision = this.#leadership.write(request, this.#answers)
    if (decision.decision !== 'settled') this.#answers.decided(request, decision)
  }

  createSession(nonceHash: Uint8Array, sessionTimeoutMs: number): void {
    const refusal = this.#leadership.createSession(nonceHash, sessionTimeoutMs)
    if (refusal !== null) this.#answers.creationRefused(nonceHash, refusal)
  }

  /** @param zxid what was committed when it came */
  claim(claim: Claim, zxid: Zxid = this.#leadership.lastCommitted): void {
    this.#unjudged.push({ claim, zxid })
    this.applied(this.#leadership.lastApplied)
  }

  touch(sessionId: SessionId): void {
    this.#leadership.touch(sessionId)
  }

  acked(sessionId: SessionId, ackedXid: Xid): void {
    this.#leadership.acked(sessionId, ackedXid)
  }

  identify(sessionId: SessionId, attach: number, identities: readonly Identity[]): void {
    this.#leadership.identify({ sessionId, attach }, identities, this.#answers)
  }

  startRound(): number {
    return this.#leadership.startRound()
  }

  /** Other servers may have applied more, and told clients: a claim is judged by all of that. */
  applied(zxid: Zxid): void {
    for (let head = this.#unjudged.at(0); head !== undefined; head = this.#unjudged.at(0)) {
      if (head.zxid > zxid) return
      this.#unjudged.shift()
      const { claim } = head
      const verdict = this.#leadership.claim(claim, this.#answers)
      this.#claims.push({ claim, verdict, round: this.startRound() })
    }
  }

  /** This server led when the round began: its verdicts up to there are true. */
  confirmed(round: number): void {
    const verdicts = []
    for (let head = this.#claims.at(0); head !== undefined; head = this.#claims.at(0)) {
      if (head.round > round) break
      this.#claims.shift()
      verdicts.push({ connection: head.claim.connection, verdict: this.#verdictNow(head) })
    }
    const isEnding = (sessionId: SessionId): boolean => this.#leadership.isEnding(sessionId)
    this.#answers.confirmed({ round, verdicts, isEnding })
  }

  /** What was granted may have been overtaken since. */
  #verdictNow({ claim, verdict }: JudgedClaim): Verdict {
    if (verdict !== 'granted') return verdict
    if (this.#leadership.isEnding(claim.sessionId)) return 'ending'
    return this.#leadership.hasMoved(claim) ? 'moved' : 'granted'
  }
}

interface JudgedClaim {
  readonly claim: Claim
  readonly verdict: Verdict
  readonly round: number
}
