import {
  type Failure,
  failure,
  type Identity,
  limits,
  type SessionId,
  type WriteOp,
  type Xid,
} from '@conclave/protocol'
import type { Txn, TxnBody, TxnBodyOf } from '@conclave/protocol/peer'
import type { Tick } from '../input.js'
import { bytesKey } from '../byte-equality.js'
import { ownedBytes } from '../owned-bytes.js'
import { SessionExpiry } from '../session/expiry.js'
import type { WriteResult } from '../session/results.js'
import { Outstanding } from './outstanding.js'
import { prepare, prepareCloseSession, prepareReap } from './prepare.js'
import { answerBytes, type Applied, type ReplicatedState } from './replicated-state.js'
import { TxnClock } from './txn-clock.js'

/** The broadcast, as far as a leader's pipeline needs it. */
export interface Broadcast {
  readonly nextZxid: Txn['zxid']
  propose(proposal: Omit<Txn, 'zxid' | 'epoch'>): Txn
  startRound(): number
}

export interface WriteRequest {
  readonly sessionId: SessionId
  /** Of the connection that it came on. */
  readonly attach: number
  readonly xid: Xid
  readonly ackedXid: Xid
  /** An earlier write of the connection was refused for the moment, unseen by the client. */
  readonly overtakes: boolean
  readonly identities: readonly Identity[]
  readonly op: WriteOp
}

/** What the leader decides about a write, looking at all that is applied and proposed. */
export type WriteDecision =
  /** Its txn is on the way: the answer comes when it is applied. */
  | { readonly decision: 'proposed' }
  | { readonly decision: 'answered'; readonly result: WriteResult }
  | { readonly decision: 'refused'; readonly failure: Failure }
  /** The client has acknowledged its answer already. */
  | { readonly decision: 'stale' }
  /** The session has too many unacknowledged results: it runs when some are. */
  | { readonly decision: 'held' }

/**
 * What only an established leader does: it decides writes, keeps the time of txns and sessions,
 * and deletes what is due. It lives for one leadership and is dropped with it.
 */
export class Leadership {
  readonly #state: ReplicatedState
  readonly #broadcast: Broadcast
  readonly #clock: TxnClock
  readonly #expiry: SessionExpiry
  readonly #znodes: Outstanding
  readonly #sessions = new Map<SessionId, OutstandingSession>()
  readonly #attaches = new Map<SessionId, number>()
  readonly #newNonces = new Set<string>()
  /** What clients have acknowledged and the log does not say. */
  readonly #acks = new Map<SessionId, Xid>()
  /** Of the answers that outstanding writes will have. */
  #outstandingBytes = 0
  #hasSpace: boolean
  #ticked = false
  #isExpiring = false

  constructor(
    state: ReplicatedState,
    broadcast: Broadcast,
    start: { readonly tick: Tick; readonly hasSpace: boolean },
  ) {
    this.#state = state
    this.#broadcast = broadcast
    this.#clock = new TxnClock(state.timeMs, start.tick)
    this.#expiry = new SessionExpiry(start.tick.nowMs)
    this.#znodes = new Outstanding(state.tree)
    this.#hasSpace = start.hasSpace
    for (const session of state.sessions.values()) {
      this.#expiry.add(session.sessionId, session.sessionTimeoutMs)
    }
  }

  tick(tick: Tick): void {
    this.#clock.advance(tick)
    this.#ticked = true
    // Nobody's session ends while nobody's could be renewed by a write.
    if (this.#hasSpace) this.#expiry.advance(tick.nowMs)
  }

  diskSpace(ok: boolean): void {
    this.#hasSpace = ok
  }

  /** After all input of the turn was stepped: only now may a session have been silent too long. */
  beforeDrain(): void {
    if (!this.#hasSpace || (!this.#ticked && !this.#isExpiring)) return
    this.#isExpiring = this.#expire()
    if (this.#ticked) {
      this.#acknowledge()
      this.#reap()
    }
    this.#ticked = false
  }

  /** More sessions have expired than one drain should end. */
  get isBehind(): boolean {
    return this.#isExpiring && this.#hasSpace
  }

  /** The decision of docs/SPEC.md (ONCE). Held, refused and stale writes leave no trace. */
  write(request: WriteRequest): WriteDecision {
    const { sessionId, xid, op } = request
    const session = this.#state.sessions.get(sessionId)
    if (session === undefined) return refused('sessionExpired')
    if (!this.#isNewest(sessionId, request.attach)) return refused('sessionMoved')
    if (xid <= Math.max(session.ackedXid, request.ackedXid)) return { decision: 'stale' }
    const result = session.results.get(xid)
    if (result !== undefined) return { decision: 'answered', result }
    const outstanding = this.#sessions.get(sessionId)
    if (outstanding?.xids.has(xid) === true) return { decision: 'proposed' }
    if (xid <= Math.max(session.lastXid, outstanding?.lastXid ?? 0)) return refused('notExecuted')
    if (outstanding?.isClosing === true) return refused('sessionExpired')
    if (request.overtakes) return refused('throttled', 'an earlier write was refused')
    if (!this.#hasSpace) return refused('noSpace')
    if (this.#isSpent(op.op === 'closeSession' ? 0 : limits.zxidsForSessions)) {
      return { decision: 'refused', failure: numbersSpent }
    }
    const kept = session.results.beyond(request.ackedXid)
    const unacked = kept.size + (outstanding?.xids.size ?? 0)
    const bytes = kept.bytes + (outstanding?.bytes ?? 0)
    if (unacked >= limits.resultsPerSessionMax || bytes >= limits.resultBytesPerSessionMax) {
      return { decision: 'held' }
    }
    return this.#propose(request, bytes)
  }

  /** Proposes a new session, unless one with this nonce is on the way already. */
  createSession(
    nonceHash: Uint8Array,
    sessionTimeoutMs: number,
  ): 'noSpace' | 'noQuorum' | 'tooManyConnections' | null {
    if (!this.#hasSpace) return 'noSpace'
    if (this.#isSpent(0)) return 'noQuorum'
    const key = bytesKey(nonceHash)
    if (this.#newNonces.has(key)) return null
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

  /**
   * A connection claims the session.
   * @returns false when a newer connection has claimed it already
   */
  attach(sessionId: SessionId, connect: { attach: number; ackedXid: Xid }): boolean {
    if (!this.#isNewest(sessionId, connect.attach)) return false
    this.#expiry.touch(sessionId)
    this.acked(sessionId, connect.ackedXid)
    return true
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

  isClosing(sessionId: SessionId): boolean {
    return this.#sessions.get(sessionId)?.isClosing === true
  }

  /** What is asked now is answered when this round is confirmed. */
  startRound(): number {
    return this.#broadcast.startRound()
  }

  applied({ txn, ended }: Applied): void {
    this.#znodes.applied(txn.zxid)
    this.#settle(txn)
    const { body } = txn
    if (body.body === 'createSession') {
      this.#newNonces.delete(bytesKey(body.nonceHash))
      this.#expiry.add(txn.zxid as number as SessionId, body.sessionTimeoutMs)
    }
    if (ended !== null) {
      this.#expiry.remove(ended.sessionId)
      this.#sessions.delete(ended.sessionId)
      this.#attaches.delete(ended.sessionId)
      this.#acks.delete(ended.sessionId)
    }
  }

  /** Remembers the highest attach of each session, whoever shows it. */
  #isNewest(sessionId: SessionId, attach: number): boolean {
    if (attach < (this.#attaches.get(sessionId) ?? 0)) return false
    this.#attaches.set(sessionId, attach)
    return true
  }

  /**
   * Proposes the write unless its answer would take more than a session may have of what is free
   * for the answers of all. So these stay below their bound, but for what each is guaranteed; and a
   * session that acknowledges is not kept waiting by others that do not.
   * @param bytes of the answers that the session has not acknowledged
   */
  #propose(
    { sessionId, xid, ackedXid, identities, op }: WriteRequest,
    bytes: number,
  ): WriteDecision {
    const { timeMs } = this.#clock
    const zxid = this.#broadcast.nextZxid
    const judgement = { znodes: this.#znodes, zxid, timeMs, sessionId, identities }
    const body = prepare(judgement, this.#state.tree, op)
    const answer = answerBytes(body)
    if (bytes + answer > this.#answerShare()) {
      this.#znodes.takeBack()
      return bytes > 0 ? { decision: 'held' } : { decision: 'refused', failure: answersCrowded }
    }
    const outstanding = this.#outstandingOf(sessionId)
    outstanding.xids.add(xid)
    outstanding.bytes += answer
    this.#outstandingBytes += answer
    outstanding.lastXid = xid
    if (body.body === 'closeSession') outstanding.isClosing = true
    this.#znodes.keep(zxid)
    this.#broadcast.propose({ timeMs, sessionId, xid, ackedXid, body })
    return { decision: 'proposed' }
  }

  #answerShare(): number {
    const taken = this.#state.sessions.liveResultBytes + this.#outstandingBytes
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
      if (this.isClosing(sessionId)) continue
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
    this.#outstandingOf(sessionId).isClosing = true
    this.#system(body)
    return body.changes.length
  }

  /** Looks at some of the containers and ttl znodes, in turn. */
  #reap(): void {
    if (this.#isSpent(limits.zxidsForSessions)) return
    const { timeMs } = this.#clock
    for (const path of this.#state.tree.reapable.due(timeMs, reapLooksPerTick)) {
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

  #outstandingOf(sessionId: SessionId): OutstandingSession {
    let outstanding = this.#sessions.get(sessionId)
    if (outstanding === undefined) {
      outstanding = { xids: new Set(), lastXid: 0 as Xid, bytes: 0, isClosing: false }
      this.#sessions.set(sessionId, outstanding)
    }
    return outstanding
  }

  #settle({ sessionId, xid, ackedXid, body }: Txn): void {
    if ((this.#acks.get(sessionId) ?? ackedXid + 1) <= ackedXid) this.#acks.delete(sessionId)
    const outstanding = this.#sessions.get(sessionId)
    if (outstanding === undefined) return
    if (outstanding.xids.delete(xid)) {
      const answer = answerBytes(body)
      outstanding.bytes -= answer
      this.#outstandingBytes -= answer
    }
    if (outstanding.xids.size === 0 && !outstanding.isClosing) this.#sessions.delete(sessionId)
  }
}

interface OutstandingSession {
  readonly xids: Set<Xid>
  lastXid: Xid
  /** Of the answers that they will have. */
  bytes: number
  isClosing: boolean
}

/** Ends of sessions and deletes of their ephemerals. One session goes whole, whatever it has. */
const expiryWorkPerDrain = 1_000
const reapLooksPerTick = 5_000

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

const refused = (
  code: 'sessionExpired' | 'sessionMoved' | 'notExecuted' | 'throttled' | 'noSpace',
  message?: string,
): WriteDecision => ({
  decision: 'refused',
  failure: failure(code, message),
})
