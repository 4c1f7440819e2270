import {
  type Failure,
  failure,
  type Identity,
  limits,
  type SessionId,
  type WriteOp,
  type Xid,
} from '@conclave/protocol'
import type { Txn, TxnBody } from '@conclave/protocol/peer'
import type { Tick } from '../input.js'
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
  #hasSpace: boolean
  #ticked = false

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
    if (!this.#ticked || !this.#hasSpace) return
    this.#ticked = false
    for (const sessionId of this.#expiry.expired()) {
      if (!this.isClosing(sessionId)) this.#close(sessionId, true)
    }
    this.#reap()
  }

  /** The decision of docs/SPEC.md (ONCE). Held, refused and stale writes leave no trace. */
  write(request: WriteRequest): WriteDecision {
    const { sessionId, xid } = request
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
    if (!this.#hasSpace) return refused('noSpace')
    const kept = session.results.beyond(request.ackedXid)
    const unacked = kept.size + (outstanding?.xids.size ?? 0)
    const bytes = kept.bytes + (outstanding?.bytes ?? 0)
    if (unacked >= limits.resultsPerSessionMax || bytes >= limits.resultBytesPerSessionMax) {
      return { decision: 'held' }
    }
    this.#propose(request)
    return { decision: 'proposed' }
  }

  /** Proposes a new session, unless one with this nonce is on the way already. */
  createSession(nonceHash: Uint8Array, sessionTimeoutMs: number): Failure | null {
    if (!this.#hasSpace) return failure('noSpace')
    const key = nonceHash.join()
    if (this.#newNonces.has(key)) return null
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
  attach(sessionId: SessionId, attach: number): boolean {
    if (!this.#isNewest(sessionId, attach)) return false
    this.#expiry.touch(sessionId)
    return true
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
      this.#newNonces.delete(body.nonceHash.join())
      this.#expiry.add(txn.zxid as number as SessionId, body.sessionTimeoutMs)
    }
    if (ended !== null) {
      this.#expiry.remove(ended.sessionId)
      this.#sessions.delete(ended.sessionId)
      this.#attaches.delete(ended.sessionId)
    }
  }

  /** Remembers the highest attach of each session, whoever shows it. */
  #isNewest(sessionId: SessionId, attach: number): boolean {
    if (attach < (this.#attaches.get(sessionId) ?? 0)) return false
    this.#attaches.set(sessionId, attach)
    return true
  }

  #propose({ sessionId, xid, ackedXid, identities, op }: WriteRequest): void {
    const { timeMs } = this.#clock
    const zxid = this.#broadcast.nextZxid
    const judgement = { znodes: this.#znodes, zxid, timeMs, sessionId, identities }
    const body = prepare(judgement, this.#state.tree, op)
    const outstanding = this.#outstandingOf(sessionId)
    outstanding.xids.add(xid)
    outstanding.bytes += answerBytes(body)
    outstanding.lastXid = xid
    if (body.body === 'closeSession') outstanding.isClosing = true
    this.#znodes.keep(zxid)
    this.#broadcast.propose({ timeMs, sessionId, xid, ackedXid, body })
  }

  #close(sessionId: SessionId, expired: boolean): void {
    const judgement = { znodes: this.#znodes, zxid: this.#broadcast.nextZxid }
    const body = prepareCloseSession(judgement, sessionId, expired)
    this.#outstandingOf(sessionId).isClosing = true
    this.#system(body)
  }

  /** Looks at some of the containers and ttl znodes, in turn. */
  #reap(): void {
    const { timeMs } = this.#clock
    for (const { path } of this.#state.tree.reapable.due(timeMs, reapLooksPerTick)) {
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

  #settle({ sessionId, xid, body }: Txn): void {
    const outstanding = this.#sessions.get(sessionId)
    if (outstanding === undefined) return
    if (outstanding.xids.delete(xid)) outstanding.bytes -= answerBytes(body)
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

const reapLooksPerTick = 5_000

const refused = (
  code: 'sessionExpired' | 'sessionMoved' | 'notExecuted' | 'noSpace',
): WriteDecision => ({
  decision: 'refused',
  failure: failure(code),
})
