import {
  type ClientFrameOf,
  isTransient,
  isWrite,
  limits,
  type Xid,
  zxidZero,
} from '@conclave/protocol'
import { assert, assertNever } from '../assert.js'
import type { HashTicket } from '../input.js'
import { Answering, refusalOf } from './answering.js'
import type { Connection } from './connection.js'
import type { Connections } from './connections.js'
import type { Confirmation, LeaderPort, WriteDecision, WriteKey } from './leader-port.js'
import type { Applied, ReplicatedState } from './replicated-state.js'
import { type Answer, type Request, requestOf } from './request.js'
import type { TurnBudget } from './turn-budget.js'
import { validate } from './validate.js'
import type { Watching } from './watching.js'

/**
 * Requests on their way: each connection has one queue in order of arrival. Writes are started as
 * they come, so they are pipelined; a read is answered when it reaches the head of the queue, so it
 * sees every write before it and none after it; replies leave in the order of the queue.
 */
export class Serving {
  readonly #state: ReplicatedState
  readonly #connections: Connections
  readonly #budget: TurnBudget
  readonly #answering: Answering
  readonly #hashes = new Map<HashTicket, { connection: Connection; request: Request }>()
  /** Those who asked for the leader's word: a ping or a linearizable read waits for a round. */
  readonly #awaiting = new Set<Connection>()
  /** Those whose requests are being gone through: what is decided at once is seen there. */
  readonly #pumping = new Set<Connection>()
  #hashTicket = 0 as HashTicket
  #leader: LeaderPort | null = null

  constructor(
    state: ReplicatedState,
    connections: Connections,
    watching: Watching,
    budget: TurnBudget,
  ) {
    this.#state = state
    this.#connections = connections
    this.#budget = budget
    this.#answering = new Answering(state, watching, budget)
  }

  /** A leader can be asked from now on, or none; each connection goes on when it learns of it. */
  lead(leader: LeaderPort | null): void {
    this.#leader = leader
    this.#awaiting.clear()
  }

  request(connection: Connection, frame: ClientFrameOf<'request'>, bytes: number): void {
    connection.queue.push(requestOf(frame, bytes))
    this.#connections.queued(connection, bytes)
    // A write tells the leader by itself what is acknowledged.
    if (isWrite(frame.op) && frame.ackedXid > connection.ackedXid) {
      connection.ackedXid = frame.ackedXid
    }
    this.acked(connection, frame.ackedXid)
  }

  /** The client has these answers: writes that were held for them may run. */
  acked(connection: Connection, ackedXid: Xid): void {
    if (ackedXid > connection.ackedXid) {
      connection.ackedXid = ackedXid
      this.#leader?.acked(connection.sessionId, ackedXid)
    }
    this.pump(connection)
  }

  ping(connection: Connection, frame: ClientFrameOf<'ping'>): void {
    // The answer to a later one says more.
    if (connection.pings.length >= limits.pingsPerConnectionMax) connection.pings.shift()
    connection.pings.push({ id: frame.id, round: null })
    this.acked(connection, frame.ackedXid)
  }

  applied({ txn, result }: Applied): void {
    const connection = this.#connections.withSession(txn.sessionId)
    if (result !== null && connection !== undefined) this.pump(connection)
  }

  /** Why a write gets no txn. */
  decided({ sessionId, attach, xid }: WriteKey, decision: WriteDecision): void {
    const connection = this.#connections.withSession(sessionId)
    if (connection === undefined || connection.attach !== attach) return
    const index = connection.startedIndexOf(xid)
    const request = index === null ? undefined : connection.queue.at(index)
    if (index === null || request === undefined || request.answer !== null) return
    if (decision.decision === 'refused') {
      request.answer = refusalOf(decision.failure)
      if (isTransient(decision.failure.code)) connection.refused(xid)
    } else {
      // Of an earlier turn: it has been asked for again.
      if (decision.turn !== connection.turn) return
      connection.hold(index, decision.ackedXid)
      this.#connections.held(connection)
    }
    this.pump(connection)
  }

  /** The leader of this epoch led after the questions of these rounds came. */
  confirmed(confirmation: Confirmation): void {
    const { round } = confirmation
    const waiting = [...this.#awaiting]
    this.#awaiting.clear()
    for (const connection of waiting) {
      const due = questions(connection).filter(({ awaited }) => awaited <= round)
      for (const { request } of due) request.wait = { wait: 'turn' }
      if (due.length > 0 || (connection.pings.at(0)?.round ?? Infinity) <= round) {
        this.#pong(connection, confirmation)
        this.pump(connection)
      }
      const isWaiting = connection.pings.length > 0 || questions(connection).length > 0
      if (isWaiting && !isClosed(connection)) this.#awaiting.add(connection)
    }
  }

  hashed(ticket: HashTicket, hash: string | null): void {
    const waiting = this.#hashes.get(ticket)
    if (waiting === undefined) return
    this.#hashes.delete(ticket)
    const { connection, request } = waiting
    const { op } = request.frame
    if (connection.phase.phase !== 'attached' || op.op !== 'auth') return
    const { user } = op
    const ok = hash !== null
    this.#connections.effect({
      effect: 'trace',
      trace: { trace: 'authenticated', connection: connection.id, user, ok },
    })
    const identity = hash === null ? null : ({ scheme: 'digest', id: `${user}:${hash}` } as const)
    request.wait = { wait: 'identity', identity }
    this.pump(connection)
  }

  /** Starts what may start, answers what can be answered. */
  pump(connection: Connection): void {
    if (connection.phase.phase !== 'attached' || this.#pumping.has(connection)) return
    this.#pumping.add(connection)
    if (this.#connections.learns(connection)) this.#restart(connection)
    this.#startPings(connection)
    this.#goThrough(connection)
    this.#connections.writes.settle(connection)
    this.#pumping.delete(connection)
  }

  /** Those go on whose writes had to wait, as far as there is room. */
  renew(): void {
    this.#connections.writes.renew((connection) => this.pump(connection))
  }

  /** It has its session, and tells a new leader so before it asks for anything. */
  #restart(connection: Connection): void {
    connection.restart()
    const { id, sessionId, attach, ackedXid, refusedXid, identities } = connection
    const session = this.#state.sessions.get(sessionId)
    if (session === undefined) return
    const { nonceHash } = session
    const known = { sessionId, nonceHash, attach, ackedXid, lastZxidSeen: zxidZero }
    this.#leader?.claim({ connection: id, ...known, refusedXid, identities })
  }

  #goThrough(connection: Connection): void {
    const { queue } = connection
    for (;;) {
      this.#startMore(connection)
      const head = queue.at(0)
      if (head === undefined || connection.started === 0) return
      // A read must be answered before a write behind it is applied, ready or not.
      const mayWait = connection.startedWrites === 0
      if (mayWait && !connection.isReady) return this.#connections.block(connection)
      if (mayWait && this.#isDeferred(connection, head)) return
      if (head.answer === null) this.#answerAtHead(connection, head)
      if (head.answer === null) return
      queue.shift()
      connection.countStarted(head, -1)
      this.#connections.unqueued(connection, head.bytes)
      if (connection.releaseBy(head)) this.#connections.heldNoMore(connection)
      this.#reply(connection, head.frame.xid, head.answer)
      connection.repliedXid = head.frame.xid
      if (isClosed(connection) || endsSession(head)) return
    }
  }

  #startMore(connection: Connection): void {
    const { queue } = connection
    for (;;) {
      const next = queue.at(connection.started)
      if (next === undefined || connection.isBarredFor(next)) return
      if (connection.isTooEarlyFor(next)) return
      if (!this.#mayStart(connection, next)) return
      connection.countStarted(next, 1)
      this.#start(connection, next)
    }
  }

  /** What is wrong by itself is answered with or without a leader. */
  #mayStart(connection: Connection, request: Request): boolean {
    if (request.answer !== null) return true
    if (request.kind === 'write' && this.#isDeferred(connection, request)) return false
    const refusal = validate(request.frame.op)
    if (refusal !== null) request.answer = refusalOf(refusal)
    if (request.answer !== null) return true
    if (request.kind === 'write') return this.#mayWrite(connection)
    return request.kind !== 'linearizable' || this.#leader !== null
  }

  #mayWrite(connection: Connection): boolean {
    if (this.#leader === null || !connection.mayWrite) return false
    return this.#connections.writes.admits(connection)
  }

  #start(connection: Connection, request: Request): void {
    if (request.answer !== null) return
    switch (request.kind) {
      case 'write':
        return this.#startWrite(connection, request)
      case 'linearizable':
        assert(this.#leader !== null, 'a linearizable read starts when there is a leader')
        request.wait = { wait: 'round', round: this.#leader.startRound() }
        this.#awaiting.add(connection)
        return
      case 'auth':
        return this.#startAuth(connection, request)
      case 'read':
      case 'local':
        return
      default:
        return assertNever(request.kind)
    }
  }

  #isDeferred(connection: Connection, { isHeavy, answer, kind }: Request): boolean {
    const mayWait = isHeavy && answer === null
    if (!mayWait) return false
    const goOn = (): void => this.pump(connection)
    if (kind !== 'write') return this.#budget.defers(connection, goOn)
    const { writes } = this.#connections
    return this.#budget.defers(connection, () => writes.admitNext(connection, goOn))
  }

  #startWrite(connection: Connection, { frame, bytes }: Request): void {
    const { xid, op, refusedSeen } = frame
    assert(this.#leader !== null && isWrite(op), 'a write starts when there is a leader')
    const { sessionId, attach, turn, ackedXid } = connection
    this.#leader.write({ sessionId, attach, turn, xid, ackedXid, refusedSeen, op }, bytes)
  }

  #startAuth(connection: Connection, request: Request): void {
    const { op } = request.frame
    if (op.op !== 'auth' || request.wait.wait !== 'nothing') return
    this.#hashTicket = (this.#hashTicket + 1) as HashTicket
    request.wait = { wait: 'hash' }
    this.#hashes.set(this.#hashTicket, { connection, request })
    const { user, password } = op
    const ensembleId = this.#state.ensembleId ?? ''
    const ticket = this.#hashTicket
    this.#connections.effect({ effect: 'hash', ticket, ensembleId, user, password })
  }

  #answerAtHead(connection: Connection, request: Request): void {
    const answering = this.#answering
    if (request.kind === 'write') request.answer = answering.write(connection, request)
    if (request.wait.wait === 'identity') {
      request.answer = answering.identity(connection, request.wait.identity)
      const { sessionId, attach, identities } = connection
      this.#leader?.identify(sessionId, attach, identities)
    }
    const isConfirmed = request.wait.wait === 'turn'
    if (request.kind === 'read' || isConfirmed) request.answer = answering.read(connection, request)
    if (request.kind === 'local') request.answer = answering.local(connection, request)
  }

  #startPings(connection: Connection): void {
    if (this.#leader === null) return
    for (let i = connection.pings.length - 1; i >= 0; i--) {
      const ping = connection.pings.at(i)
      if (ping === undefined || ping.round !== null) return
      this.#leader.touch(connection.sessionId)
      ping.round = this.#leader.startRound()
      this.#awaiting.add(connection)
    }
  }

  #pong(connection: Connection, { round, isEnding }: Confirmation): void {
    const { pings } = connection
    for (let ping = pings.at(0); ping !== undefined; ping = pings.at(0)) {
      if (ping.round === null || ping.round > round) return
      if (isEnding(connection.sessionId)) return connection.unanswerPings(round)
      pings.shift()
      const { zxid } = this.#state.lastApplied
      this.#connections.send(connection.id, { frame: 'pong', id: ping.id, zxid })
    }
  }

  #reply(connection: Connection, xid: Xid, answer: Answer): void {
    if (answer.answer === 'nothing') return
    const { result, bytes } = answer
    const { zxid } = this.#state.lastApplied
    const frame = { frame: 'reply', xid, zxid, failure: answer.failure, result } as const
    this.#connections.send(connection.id, frame, 64 + bytes)
  }
}

/** The reads that wait for a round, and for which. Only their like is started behind them. */
const questions = ({ queue, started }: Connection): { request: Request; awaited: number }[] => {
  const found = []
  for (let index = started - 1; index >= 0; index--) {
    const request = queue.at(index)
    if (request?.kind !== 'linearizable') break
    const { wait } = request
    if (wait.wait === 'round') found.push({ request, awaited: wait.round })
  }
  return found
}

/** Nothing is left to be answered behind it: its session is over, and its connection closes. */
const endsSession = ({ frame, answer }: Request): boolean =>
  frame.op.op === 'closeSession' && answer?.answer === 'reply' && answer.failure === null

const isClosed = ({ phase }: Connection): boolean => phase.phase === 'closed'
