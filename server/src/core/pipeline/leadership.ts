import {
  failure,
  type Identity,
  isTransient,
  limits,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import type { CreationRefusal, Txn, TxnBody, TxnBodyOf, Verdict } from '@conclave/protocol/peer'
import type { Trace } from '../effect.js'
import type { Tick } from '../input.js'
import { bytesKey } from '../byte-equality.js'
import { ownedBytes } from '../owned-bytes.js'
import { SessionExpiry } from '../session/expiry.js'
import type { Session } from '../session/session-table.js'
import { isHeavy, looksOfWrite } from './heavy-op.js'
import type { Claim, LeaderAnswers, WriteDecision, WriteRequest } from './leader-port.js'
import { Outstanding } from './outstanding.js'
import { OutstandingWrites } from './outstanding-writes.js'
import { prepare, prepareCloseSession, prepareReap } from './prepare.js'
import { answerBytes, type Applied, type ReplicatedState } from './replicated-state.js'
import { type SessionHome, SessionHomes } from './session-homes.js'
import type { TurnBudget } from './turn-budget.js'
import { TxnClock } from './txn-clock.js'

/** The broadcast, as far as a leader's pipeline needs it. */
export interface Broadcast {
  readonly nextZxid: Zxid
  readonly lastCommitted: Zxid
  propose(proposal: Omit<Txn, 'zxid' | 'epoch'>): Txn
  startRound(): number
  trace(trace: Trace): void
}

/**
 * What only an established leader does: it decides writes, keeps the time of txns and sessions,
 * and deletes what is due. It lives for one leadership and is dropped with it.
 */
export class Leadership {
  readonly #state: ReplicatedState
  readonly #broadcast: Broadcast
  readonly #budget: TurnBudget
  readonly #clock: TxnClock
  readonly #expiry: SessionExpiry
  readonly #znodes: Outstanding
  readonly #writes = new OutstandingWrites()
  readonly #homes: SessionHomes
  readonly #newNonces = new Set<string>()
  /** What clients have acknowledged and the log does not say. */
  readonly #acks = new Map<SessionId, Xid>()
  #hasSpace: boolean
  #isDivided = false
  #ticked = false
  #isExpiring = false

  constructor(
    state: ReplicatedState,
    broadcast: Broadcast,
    budget: TurnBudget,
    start: { readonly tick: Tick; readonly hasSpace: boolean },
  ) {
    this.#state = state
    this.#broadcast = broadcast
    this.#budget = budget
    this.#homes = new SessionHomes(state)
    this.#clock = new TxnClock(state.timeMs, start.tick)
    this.#expiry = new SessionExpiry(start.tick.nowMs)
    this.#znodes = new Outstanding(state.tree)
    this.#hasSpace = start.hasSpace
    for (const session of state.sessions.values()) {
      this.#expiry.add(session.sessionId, session.sessionTimeoutMs)
    }
  }

  /** More than this server has applied, at times: others may have told clients of it. */
  get lastCommitted(): Zxid {
    return this.#broadcast.lastCommitted
  }

  get lastApplied(): Zxid {
    return this.#state.lastApplied.zxid
  }

  tick(tick: Tick): void {
    this.#clock.advance(tick)
    this.#ticked = true
    // Nobody's session ends while nobody's could be renewed by a write.
    if (this.#mayLog) this.#expiry.advance(tick.nowMs)
  }

  /** The servers' states differ and none can be trusted: what is written builds on one of them. */
  divided(isDivided: boolean): void {
    this.#isDivided = isDivided
  }

  diskSpace(ok: boolean): void {
    this.#hasSpace = ok
  }

  /** After all input of the turn was stepped: only now may a session have been silent too long. */
  beforeDrain(): void {
    if (!this.#mayLog || (!this.#ticked && !this.#isExpiring)) return
    this.#isExpiring = this.#expire()
    if (this.#ticked) {
      this.#acknowledge()
      this.#reap()
    }
    this.#ticked = false
  }

  get #mayLog(): boolean {
    return this.#hasSpace && !this.#isDivided
  }

  /** More sessions have expired than one drain should end. */
  get isBehind(): boolean {
    return this.#isExpiring && this.#mayLog
  }

  /**
   * The decision of docs/SPEC.md (ONCE), looking at all that is applied and proposed. Held, refused
   * and acknowledged writes leave no trace.
   * @param answers who asks
   */
  write(request: WriteRequest, answers: LeaderAnswers): LeaderDecision {
    const { sessionId, xid } = request
    const session = this.#state.sessions.get(sessionId)
    if (session === undefined) return refused('sessionExpired')
    const home = this.#homes.of(request, answers)
    if (home === undefined) return refused('sessionMoved')
    this.#expiry.touch(sessionId)
    if (xid <= Math.max(session.ackedXid, request.ackedXid)) return { decision: 'settled' }
    const outstanding = this.#writes.of(sessionId)
    const isOutstanding = outstanding?.xids.has(xid) === true
    if (isOutstanding || session.results.get(xid) !== undefined) {
      const where = isOutstanding ? 'outstanding' : 'table'
      this.#broadcast.trace({ trace: 'foundAgain', where, sessionId })
      return { decision: 'settled' }
    }
    if (xid <= Math.max(session.lastXid, outstanding?.lastXid ?? 0)) return refused('notExecuted')
    if (outstanding?.isClosing === true) return refused('sessionExpired')
    const decision = this.#writeNew(request, session, home)
    if (decision.decision === 'held') home.heldTurn = request.turn
    const isPassing = decision.decision === 'refused' && isTransient(decision.failure.code)
    if (isPassing && xid > home.refusedXid) home.refusedXid = xid
    return decision
  }

  /** Proposes a new session, unless one with this nonce is there or on the way. */
  createSession(nonceHash: Uint8Array, sessionTimeoutMs: number): CreationRefusal | null {
    const key = bytesKey(nonceHash)
    const isKnown = this.#state.sessions.withNonce(nonceHash) !== undefined
    if (isKnown || this.#newNonces.has(key)) return null
    if (this.#isDivided) return 'divided'
    if (!this.#hasSpace) return 'noSpace'
    if (this.#isSpent(0)) return 'noQuorum'
    if (this.#state.sessions.size + this.#newNonces.size >= limits.sessionsMax) {
      return 'tooManyConnections'
    }
    this.#newNonces.add(key)
    const body = { body: 'createSession', sessionTimeoutMs } as const
    this.#system({ ...body, nonceHash: ownedBytes(nonceHash) })
    return null
  }

  createEnsemble(ensembleId: string, digestAlgorithm: number): void {
    this.#system({ body: 'createEnsemble', ensembleId, digestAlgorithm })
  }

  /** A connection wants the session; see {@link SessionHomes}. */
  claim(claim: Claim, answers: LeaderAnswers): Verdict {
    const verdict = this.#homes.claim(claim, answers)
    if (verdict !== 'granted') return verdict
    this.#expiry.touch(claim.sessionId)
    this.acked(claim.sessionId, claim.ackedXid)
    return verdict
  }

  /** True when a later claim than this one was granted. */
  hasMoved(claim: Claim): boolean {
    return this.#homes.hasMoved(claim)
  }

  /** Who the connection is from now on. */
  identify(
    connection: { readonly sessionId: SessionId; readonly attach: number },
    identities: readonly Identity[],
    answers: LeaderAnswers,
  ): void {
    const home = this.#homes.of(connection, answers)
    if (home !== undefined) home.identities = identities
  }

  /** The client has its answers up to here. */
  acked(sessionId: SessionId, ackedXid: Xid): void {
    const session = this.#state.sessions.get(sessionId)
    const known = Math.max(session?.ackedXid ?? ackedXid, this.#acks.get(sessionId) ?? 0)
    if (ackedXid > known) this.#acks.set(sessionId, ackedXid)
  }

  /** The session was heard of. */
  touch(sessionId: SessionId): void {
    this.#expiry.touch(sessionId)
  }

  /** Its end is applied, or on the way. */
  isEnding(sessionId: SessionId): boolean {
    const isOpen = this.#state.sessions.get(sessionId) !== undefined
    return !isOpen || this.#writes.of(sessionId)?.isClosing === true
  }

  /** What is asked now is answered when this round is confirmed. */
  startRound(): number {
    return this.#broadcast.startRound()
  }

  /** It is over. */
  end(): void {
    this.#broadcast.trace({ trace: 'deposed', outstandingWrites: this.#writes.count })
  }

  applied({ txn, ended }: Applied): void {
    this.#znodes.applied(txn.zxid)
    this.#writes.settle(txn)
    if ((this.#acks.get(txn.sessionId) ?? Infinity) <= txn.ackedXid) {
      this.#acks.delete(txn.sessionId)
    }
    const { body } = txn
    if (body.body === 'createSession') {
      this.#newNonces.delete(bytesKey(body.nonceHash))
      this.#expiry.add(txn.zxid as number as SessionId, body.sessionTimeoutMs)
    }
    if (ended !== null) {
      this.#expiry.remove(ended.sessionId)
      this.#writes.ended(ended.sessionId)
      this.#homes.ended(ended.sessionId)
      this.#acks.delete(ended.sessionId)
    }
  }

  /** The session has not asked for it before. */
  #writeNew(request: WriteRequest, session: Session, home: SessionHome): LeaderDecision {
    const { sessionId, xid, ackedXid, turn, op } = request
    if (turn <= home.heldTurn) return { decision: 'held', turn, ackedXid }
    if (request.refusedSeen < home.refusedXid) {
      return refused('throttled', 'an earlier write was refused')
    }
    if (this.#isDivided) return refused('throttled', statesDiffer)
    if (!this.#hasSpace) return refused('noSpace')
    if (this.#isSpent(op.op === 'closeSession' ? 0 : limits.zxidsForSessions)) {
      return { decision: 'refused', failure: numbersSpent }
    }
    const outstanding = this.#writes.of(sessionId)
    const kept = session.results.beyond(ackedXid)
    const unacked = kept.size + (outstanding?.xids.size ?? 0)
    const bytes = kept.bytes + (outstanding?.bytes ?? 0)
    if (unacked >= limits.resultsPerSessionMax || bytes >= limits.resultBytesPerSessionMax) {
      return { decision: 'held', turn, ackedXid }
    }
    const { timeMs } = this.#clock
    const zxid = this.#broadcast.nextZxid
    const judgement = { znodes: this.#znodes, zxid, timeMs, sessionId, identities: home.identities }
    const body = prepare(judgement, this.#state.tree, op)
    const answer = answerBytes(body)
    // A session may have a part of what is free for the answers of all. So these stay below their
    // bound, but for what each is guaranteed; and a session that acknowledges is not kept waiting
    // by others that do not.
    if (bytes + answer > this.#answerShare()) {
      this.#znodes.takeBack()
      if (bytes > 0) return { decision: 'held', turn, ackedXid }
      return { decision: 'refused', failure: answersCrowded }
    }
    if (isHeavy(op)) this.#budget.spend(looksOfWrite(op))
    this.#writes.add(sessionId, xid, answer)
    if (body.body === 'closeSession') this.#writes.close(sessionId)
    this.#znodes.keep(zxid)
    this.#broadcast.propose({ timeMs, sessionId, xid, ackedXid, body })
    return { decision: 'settled' }
  }

  #answerShare(): number {
    const taken = this.#state.sessions.liveResultBytes + this.#writes.bytes
    const free = limits.liveResultBytesMax - taken
    return Math.max(free / limits.resultSharesOfFree, limits.resultBytesGuaranteed)
  }

  /** True when the next zxid is too high, with some left over for others. */
  #isSpent(leftOver: number): boolean {
    return this.#broadcast.nextZxid > limits.zxidMax - leftOver
  }

  /** Lets all servers forget what clients have, when it is much and no write says so. */
  #acknowledge(): void {
    const { sessions } = this.#state
    const isMuch = sessions.liveResultBytes * 2 > limits.liveResultBytesMax
    if (!isMuch || this.#isSpent(limits.zxidsForSessions)) return
    const acked: TxnBodyOf<'acknowledge'>['acked'][number][] = []
    for (const [sessionId, ackedXid] of this.#acks) {
      if (acked.length === limits.acknowledgedSessionsPerTxnMax) break
      this.#acks.delete(sessionId)
      acked.push({ sessionId, ackedXid })
    }
    if (acked.length > 0) this.#system({ body: 'acknowledge', acked })
  }

  /** @returns true when there are more than should end at once */
  #expire(): boolean {
    let work = 0
    if (this.#isSpent(0)) return false
    for (const sessionId of this.#expiry.expired()) {
      if (this.isEnding(sessionId)) continue
      work += 1 + this.#close(sessionId)
      if (this.#isSpent(0)) return false
      if (work >= expiryWorkPerDrain) return true
    }
    return false
  }

  /** @returns how many ephemerals go with the session */
  #close(sessionId: SessionId): number {
    const judgement = { znodes: this.#znodes, zxid: this.#broadcast.nextZxid }
    const body = prepareCloseSession(judgement, sessionId, true)
    this.#writes.close(sessionId)
    this.#system(body)
    return body.changes.length
  }

  /** Looks at some of the containers and ttl znodes, in turn. */
  #reap(): void {
    if (this.#isSpent(limits.zxidsForSessions)) return
    const { timeMs } = this.#clock
    for (const path of this.#state.tree.reapable.due(timeMs, reapedPerTick)) {
      const judgement = { znodes: this.#znodes, zxid: this.#broadcast.nextZxid, timeMs }
      const body = prepareReap(judgement, path)
      if (body !== null) this.#system(body)
    }
  }

  /** A txn of the system's own, with what is staged for it. */
  #system(body: TxnBody): void {
    this.#znodes.keep(this.#broadcast.nextZxid)
    const { timeMs } = this.#clock
    const nobody = { sessionId: 0 as SessionId, xid: 0 as Xid, ackedXid: 0 as Xid }
    this.#broadcast.propose({ timeMs, ...nobody, body })
  }
}

/** Settled: the answer is that of its txn, on the way or applied, or the client has had it. */
type LeaderDecision = WriteDecision | { readonly decision: 'settled' }

/** Ends of sessions and deletes of their ephemerals. One session goes whole, whatever it has. */
const expiryWorkPerDrain = 1_000
const reapedPerTick = { looks: 5_000, found: 256 }

/** There is no zxid for a write any more. */
export const numbersSpent = failure(
  'tooLarge',
  'the transaction numbers of this ensemble are used up, it can only be read: copy what it holds ' +
    'to a new one',
)
const answersCrowded = failure(
  'throttled',
  'answers that clients have not acknowledged leave no room for one so large: write less at ' +
    'once, or try again later',
)

const statesDiffer =
  'the servers disagree about the state and no majority is right: nothing is written until then; ' +
  'their logs say where, and `rejoin` makes one of them learn from the others'

const refused = (
  code: 'sessionExpired' | 'sessionMoved' | 'notExecuted' | 'throttled' | 'noSpace',
  message?: string,
): Extract<WriteDecision, { decision: 'refused' }> => ({
  decision: 'refused',
  failure: failure(code, message),
})
