import {
  type ClientFrameOf,
  encodeResult,
  type Failure,
  failure,
  type Identity,
  isTransient,
  limits,
  type Op,
  type OpName,
  type OpResult,
  type WatchKind,
  type WriteOp,
  type Xid,
} from '@conclave/protocol'
import { assertNever } from '../assert.js'
import type { HashTicket } from '../input.js'
import type { Connection } from './connection.js'
import type { Connections } from './connections.js'
import { looksOfWrite } from './heavy-op.js'
import type { Leadership } from './leadership.js'
import { isFailure } from './prepare-change.js'
import { read, type Readable, type Reader } from './read.js'
import type { Applied, ReplicatedState } from './replicated-state.js'
import { type Answer, isBarrier, replyOf, type Request, requestOf } from './request.js'
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
  readonly #watching: Watching
  readonly #budget: TurnBudget
  readonly #hashes = new Map<HashTicket, { connection: Connection; request: Request }>()
  /** Those who asked for the leader's word: a ping or a linearizable read waits for a round. */
  readonly #awaiting = new Set<Connection>()
  #hashTicket = 0 as HashTicket
  #leadership: Leadership | null = null

  constructor(
    state: ReplicatedState,
    connections: Connections,
    watching: Watching,
    budget: TurnBudget,
  ) {
    this.#state = state
    this.#connections = connections
    this.#watching = watching
    this.#budget = budget
  }

  /** A leader can be asked from now on, or none; what was asked of the last one is asked anew. */
  lead(leadership: Leadership | null): void {
    this.#leadership = leadership
    for (const connection of this.#connections.values()) {
      connection.restart()
      this.pump(connection)
    }
  }

  request(connection: Connection, frame: ClientFrameOf<'request'>, bytes: number): void {
    connection.queue.push(requestOf(frame, bytes))
    this.#connections.queued(connection, bytes)
    this.acked(connection, frame.ackedXid)
  }

  /** The client has these answers: writes that were held for them may run. */
  acked(connection: Connection, ackedXid: Xid): void {
    if (ackedXid > connection.ackedXid) {
      connection.ackedXid = ackedXid
      this.#leadership?.acked(connection.sessionId, ackedXid)
    }
    this.pump(connection)
  }

  ping(connection: Connection, frame: ClientFrameOf<'ping'>): void {
    connection.pings.push({ id: frame.id, round: null })
    this.acked(connection, frame.ackedXid)
  }

  applied({ txn, result }: Applied): void {
    const connection = this.#connections.withSession(txn.sessionId)
    if (result !== null && connection !== undefined) this.pump(connection)
  }

  /** Rounds up to this one prove that this server led after the question came. */
  confirmed(round: number): void {
    const waiting = [...this.#awaiting]
    this.#awaiting.clear()
    for (const connection of waiting) {
      this.#pong(connection, round)
      const asked = awaited(connection)
      if (asked?.wait.wait === 'round' && asked.wait.round <= round) asked.wait = { wait: 'turn' }
      this.pump(connection)
      const isWaiting = connection.pings.length > 0 || awaited(connection) !== undefined
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
    if (connection.phase.phase !== 'attached') return
    this.#startPings(connection)
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
      this.#reply(connection, head.frame.xid, head.answer)
      connection.repliedXid = head.frame.xid
      if (isClosed(connection) || endsSession(head)) return
    }
  }

  #startMore(connection: Connection): void {
    const { queue } = connection
    for (;;) {
      const last = queue.at(connection.started - 1)
      const waits = last !== undefined && connection.started > 0 && isBarrier(last)
      const next = queue.at(connection.started)
      if (waits || next === undefined || connection.isTooEarlyFor(next)) return
      if (!this.#start(connection, next)) return
      connection.countStarted(next, 1)
    }
  }

  /** @returns false when it cannot be started yet */
  #start(connection: Connection, request: Request): boolean {
    if (request.answer !== null) return true
    if (request.kind === 'write' && this.#isDeferred(connection, request)) return false
    const refusal = validate(request.frame.op)
    if (refusal !== null) {
      request.answer = this.#refusal(refusal)
      return true
    }
    switch (request.kind) {
      case 'write':
        return this.#startWrite(connection, request)
      case 'linearizable':
        if (this.#leadership === null) return false
        request.wait = { wait: 'round', round: this.#leadership.startRound() }
        this.#awaiting.add(connection)
        return true
      case 'auth':
        this.#startAuth(connection, request)
        return true
      case 'read':
      case 'local':
        return true
      default:
        return assertNever(request.kind)
    }
  }

  #isDeferred(connection: Connection, { isHeavy, answer }: Request): boolean {
    return isHeavy && answer === null && this.#budget.defers(connection)
  }

  #startWrite(connection: Connection, request: Request): boolean {
    if (this.#leadership === null) return false
    const { xid, op, refusedSeen } = request.frame
    const { sessionId, attach, ackedXid, identities, refusedXid } = connection
    const overtakes = refusedSeen < refusedXid
    const asked = { sessionId, attach, xid, ackedXid, overtakes, identities, op: op as WriteOp }
    const decided = this.#leadership.write(asked)
    if (connection.isHeld && decided.decision !== 'held') this.#connections.held(connection, false)
    switch (decided.decision) {
      case 'proposed':
        if (request.isHeavy) this.#budget.spend(looksOfWrite(op))
        return true
      case 'answered':
        request.answer = replyOf(decided.result)
        return true
      case 'refused':
        request.answer = this.#refusal(decided.failure)
        if (isTransient(decided.failure.code)) connection.refused(xid)
        return true
      case 'stale':
        request.answer = { answer: 'nothing' }
        return true
      case 'held':
        this.#connections.held(connection, true)
        return false
      default:
        return assertNever(decided)
    }
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
    if (request.kind === 'write') this.#answerWrite(connection, request)
    if (request.wait.wait === 'identity') {
      request.answer = this.#identify(connection, request.wait.identity)
    }
    const isConfirmed = request.wait.wait === 'turn'
    if (request.kind === 'read' || isConfirmed) this.#answerRead(connection, request)
    if (request.kind === 'local') this.#answerLocal(connection, request)
  }

  /** Once its txn is applied, the answer stands in the session's table. */
  #answerWrite({ sessionId }: Connection, request: Request): void {
    const { sessions } = this.#state
    const session = sessions.get(sessionId) ?? sessions.tombstone(sessionId)
    const result = session?.results.get(request.frame.xid)
    if (result !== undefined) request.answer = replyOf(result)
  }

  #answerRead(connection: Connection, request: Request): void {
    const { op } = request.frame
    if (op.op === 'sync') {
      request.answer = this.#result('sync', {}, 8)
      return
    }
    const answer = read(this.#reader(connection), op as Op<Readable>)
    if (isFailure(answer)) {
      request.answer = this.#refusal(answer)
      return
    }
    const refusal = this.#watch(connection, op)
    request.answer =
      refusal === null
        ? this.#result(op.op, answer.result as OpResult<OpName>, answer.bytes)
        : this.#refusal(refusal)
  }

  #answerLocal(connection: Connection, request: Request): void {
    const { op } = request.frame
    switch (op.op) {
      case 'watch': {
        const position = this.#watching.open(op, this.#reader(connection), connection.id)
        request.answer = isFailure(position)
          ? this.#refusal(position)
          : this.#result('watch', { position }, 64)
        return
      }
      case 'unwatch':
        this.#watching.close(op.streamId, connection.id)
        request.answer = this.#result('unwatch', {}, 8)
        return
      case 'removeWatches':
        request.answer = this.#done(
          'removeWatches',
          this.#watching.removeWatches(op, connection.id),
        )
        return
      case 'rearmWatches':
        request.answer = this.#done(
          'rearmWatches',
          this.#watching.rearm(op, connection.id, this.#budget),
        )
        return
      default:
        request.answer = this.#refusal(failure('unimplemented', `${op.op} is no local operation`))
    }
  }

  /** A read that succeeded sets the watch it asked for. */
  #watch(connection: Connection, op: Op): Failure | null {
    if (!('watch' in op) || !op.watch) return null
    const kind: WatchKind = op.op === 'getChildren' ? 'child' : 'data'
    return this.#watching.add(kind, op.path, connection.id)
  }

  #identify(connection: Connection, identity: Identity | null): Answer {
    if (identity === null) {
      return this.#refusal(failure('throttled', 'too many passwords wait to be hashed'))
    }
    const known = connection.identities.some(({ id }) => id === identity.id)
    // The address is an identity too, and not one of those that were asked for.
    if (!known && connection.identities.length > limits.identitiesMax) {
      const most = `a connection has at most ${limits.identitiesMax} identities`
      return this.#refusal(failure('tooLarge', most))
    }
    if (!known) connection.identities = [...connection.identities, identity]
    return this.#result('auth', { identity }, 128)
  }

  #startPings(connection: Connection): void {
    if (this.#leadership === null) return
    for (let i = connection.pings.length - 1; i >= 0; i--) {
      const ping = connection.pings.at(i)
      if (ping === undefined || ping.round !== null) return
      this.#leadership.touch(connection.sessionId)
      ping.round = this.#leadership.startRound()
      this.#awaiting.add(connection)
    }
  }

  #pong(connection: Connection, round: number): void {
    if (this.#leadership?.isClosing(connection.sessionId) === true) return
    const { pings } = connection
    for (let ping = pings.at(0); ping !== undefined; ping = pings.at(0)) {
      if (ping.round === null || ping.round > round) return
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

  #reader({ sessionId, identities }: Connection): Reader {
    return { state: this.#state, sessionId, identities, budget: this.#budget }
  }

  #done(name: 'removeWatches' | 'rearmWatches', refusal: Failure | null): Answer {
    return refusal === null ? this.#result(name, {}, 8) : this.#refusal(refusal)
  }

  #result<N extends OpName>(name: N, result: OpResult<N>, bytes: number): Answer {
    return { answer: 'reply', failure: null, result: encodeResult(name, result), bytes }
  }

  #refusal(refused: Failure): Answer {
    return { answer: 'reply', failure: refused, result: null, bytes: 64 }
  }
}

/** The linearizable read that waits for a round: as a barrier it is the last one started. */
const awaited = ({ queue, started }: Connection): Request | undefined => {
  const last = started > 0 ? queue.at(started - 1) : undefined
  return last?.kind === 'linearizable' && last.answer === null ? last : undefined
}

/** Nothing is left to be answered behind it: its session is over, and its connection closes. */
const endsSession = ({ frame, answer }: Request): boolean =>
  frame.op.op === 'closeSession' && answer?.answer === 'reply' && answer.failure === null

const isClosed = ({ phase }: Connection): boolean => phase.phase === 'closed'
