import {
  type ClientFrameOf,
  decodeResult,
  failure,
  type Failure,
  isTransient,
  type Op,
  type OpResult,
  type ServerFrame,
  type ServerFrameOf,
  ShapeError,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import type { Effect, Settlement, StreamStanding } from './effect.js'
import { refused, type SessionEnd } from './ending.js'
import type { DigestIdentity, Input, Submit } from './input.js'
import { sizeBound } from './op-size.js'
import { OneShotWatches } from './one-shot-watches.js'
import { PendingRequests } from './pending-requests.js'
import { newRequest, type Request } from './request.js'
import { type Stream, Streams } from './streams.js'

type CallInput<Token> = Exclude<
  Input<Token>,
  { input: 'tick' | 'opened' | 'frame' | 'lost' | 'close' | 'abandon' }
>
type CallFrame = Extract<
  ServerFrame,
  { frame: 'reply' | 'event' | 'streamEvents' | 'streamGap' | 'streamCaughtUp' }
>

/**
 * What the user asked for: calls, one-shot watches, streams, identities. Knows nothing of servers
 * and time; told when a connection is attached, it puts on it, in this order: the identities (and
 * waits for their answers), the one-shot watches, the streams, what is unanswered, what waits.
 */
export class Calls<Token> {
  readonly #emit: (effect: Effect<Token>) => void
  readonly #requests = new PendingRequests<Token>()
  readonly #watches = new OneShotWatches<Token>()
  readonly #streams: Streams<Token>
  readonly #abortable = new Map<Token, Request<Token>>()
  readonly #identities: DigestIdentity[]
  #nowMs = 0
  #phase: 'detached' | 'authenticating' | 'open' = 'detached'
  /** Of the requests that must be answered before the next step: identities, then watches. */
  #preamble = 0
  #isReady = false
  /** Every event up to this zxid has been delivered to the one-shot watches that were set. */
  #watchedUpTo = 0 as Zxid
  #end: SessionEnd | null = null
  #closing: 'no' | 'draining' | 'asked' | 'done' = 'no'
  #fault: string | null = null

  constructor(emit: (effect: Effect<Token>) => void, identities: readonly DigestIdentity[]) {
    this.#emit = emit
    this.#streams = new Streams(emit)
    this.#identities = [...identities]
  }

  get sent(): number {
    return this.#requests.sent
  }

  get isEmpty(): boolean {
    return this.#requests.isEmpty
  }

  get wakeAtMs(): number | null {
    return this.#requests.wakeAtMs
  }

  get ackedXid(): Xid {
    return this.#requests.ackedXid
  }

  get isSessionClosed(): boolean {
    return this.#closing === 'done'
  }

  /** Why this connection cannot be used any more; null while it can. */
  get fault(): string | null {
    return this.#fault
  }

  tellAck(): Xid {
    return this.#requests.tellAck()
  }

  dueAck(): Xid | null {
    return this.#requests.dueAck()
  }

  pump(nowMs: number, frames: ClientFrameOf<'request'>[]): number {
    return this.#requests.pump(nowMs, frames)
  }

  /** Where a stream stands, a caught-up one at the latest zxid shown; null when there is none. */
  streamStanding(token: Token): StreamStanding | null {
    const stream = this.#streams.get(token)
    return stream === undefined ? null : this.#streams.standing(stream)
  }

  step(input: CallInput<Token>): void {
    if (input.input === 'submit') return this.#submit(input)
    if (input.input === 'abort') return this.#abort(input.token)
    if (input.input === 'openStream') {
      const stream = this.#streams.open(input)
      if (this.#end !== null) return this.#streams.end(stream, this.#end.notExecuted)
      if (this.#closing !== 'no') return this.#streams.end(stream, refused.closing)
      return this.#askFor(stream)
    }
    const stream = this.#streams.get(input.token)
    if (stream === undefined) return
    if (input.input === 'resumeStream') {
      if (stream.state === 'paused') this.#askFor(stream)
      return
    }
    const { state, streamId } = stream
    if (input.input === 'pauseStream') this.#streams.pause(stream)
    if (input.input === 'closeStream') this.#streams.forget(stream)
    if (state === 'live') this.#requests.submit(newRequest('unwatch', { op: 'unwatch', streamId }))
  }

  attach({ ensembleId, zxid }: Pick<ServerFrameOf<'connected'>, 'ensembleId' | 'zxid'>): void {
    this.#fault = null
    this.#streams.attached(ensembleId, zxid)
    this.#phase = 'authenticating'
    for (const { user, password, scheme } of this.#identities) {
      this.#enqueue(
        newRequest('auth', { op: 'auth', scheme, user, password: '' }, { secret: password }),
      )
    }
    if (this.#preamble === 0) this.#open()
  }

  detach(): void {
    this.#phase = 'detached'
    this.#preamble = 0
    this.#requests.detach()
    this.#streams.detached()
  }

  /** The connection is about to be lost, because a message came that was too large. */
  answerTooLarge(): void {
    const request = this.#requests.answerTooLarge()
    if (request === null) return
    this.#settle(request, { settled: 'failed', zxid: null, ...refused.tooLarge })
  }

  /** Takes nothing new from here on. */
  beginClose(): void {
    this.#closing = 'draining'
  }

  /** Once all is answered. */
  closeSession(): void {
    if (this.#closing !== 'draining') return
    this.#closing = 'asked'
    this.#requests.submit(newRequest('call', { op: 'closeSession' }))
  }

  end(end: SessionEnd): void {
    this.#end = end
    const outcomes = new Map(end.outcomes.map((outcome) => [outcome.xid, outcome]))
    for (const request of this.#requests.takeAll()) {
      const outcome = request.xid === 0 ? undefined : outcomes.get(request.xid)
      if (outcome !== undefined && request.isWrite) {
        const { failure: fault, result } = outcome
        this.#settle(request, settlementOf(request, null, fault, result))
      } else {
        const why = request.isWrite && request.connections > 0 ? end.unsaid : end.notExecuted
        this.#settle(request, { settled: 'failed', zxid: null, ...why })
      }
    }
    this.#abortable.clear()
    const tokens = this.#watches.takeAll()
    if (tokens.length > 0) this.#emit({ effect: 'watchesLost', tokens, why: end.notExecuted })
    this.#streams.endAll(end.notExecuted)
  }

  shown(zxid: Zxid): void {
    this.#streams.shown(zxid)
    // Before all watches are set again, what is shown says nothing about what they missed.
    if (this.#phase === 'open' && this.#preamble === 0 && zxid > this.#watchedUpTo) {
      this.#watchedUpTo = zxid
    }
  }

  /** @param sentMs when what a server has just answered was sent */
  confirmed(sentMs: number): void {
    this.#streams.confirmed(sentMs)
  }

  /** @returns the zxid that the frame has shown */
  frame(frame: CallFrame, nowMs: number): Zxid {
    this.#nowMs = nowMs
    switch (frame.frame) {
      case 'reply':
        this.#reply(frame)
        return frame.zxid
      case 'event': {
        const { type, kind, path, zxid } = frame
        const tokens = this.#watches.take(path, kind)
        if (tokens.length > 0) {
          this.#emit({ effect: 'event', tokens, event: { type, kind, path, zxid } })
        }
        return zxid
      }
      case 'streamEvents':
        this.#streams.events(frame)
        return frame.events.at(-1)?.zxid ?? (0 as Zxid)
      case 'streamGap':
        this.#streams.gap(frame)
        return 0 as Zxid
      case 'streamCaughtUp':
        this.#streams.caughtUp(frame)
        return frame.zxid
    }
  }

  #submit({ token, op, secret, abortable }: Submit<Token>): void {
    const request = newRequest('call', op, { token, secret })
    if (this.#end !== null) {
      return this.#settle(request, { settled: 'failed', zxid: null, ...this.#end.notExecuted })
    }
    if (this.#closing !== 'no') {
      return this.#settle(request, { settled: 'failed', zxid: null, ...refused.closing })
    }
    if (!this.#requests.submit(request)) {
      return this.#settle(request, { settled: 'failed', zxid: null, ...refused.overflow })
    }
    if (abortable === true) this.#abortable.set(token, request)
  }

  #abort(token: Token): void {
    const request = this.#abortable.get(token)
    if (request === undefined) return
    this.#abortable.delete(token)
    this.#requests.abort(request)
  }

  #reply(frame: ServerFrameOf<'reply'>): void {
    const { xid, zxid, failure: fault } = frame
    if (fault?.code === 'sessionExpired') {
      // A re-attach brings the outcome of every write; this answer only that of one.
      this.#fault = 'the server says that the session is over'
      return
    }
    const request =
      fault !== null && isTransient(fault.code)
        ? this.#requests.refuse(xid, fault.code, this.#nowMs)
        : this.#requests.answer(xid, sizeBound(frame.result))
    if (request === null) return
    const settlement = settlementOf(request, zxid, fault, frame.result)
    if (request.role === 'call') this.#answered(request, settlement)
    else this.#answeredOwn(request, settlement, fault)
    this.shown(zxid)
  }

  /** The answer to a call of the user's. */
  #answered(request: Request<Token>, settlement: Settlement): void {
    const { op } = request
    if (op.op === 'closeSession') this.#closing = 'done'
    if (settlement.settled === 'done') {
      if (request.isAborted) this.#cleanUp(request, settlement.result)
      else this.#register(request, settlement.result)
      if (op.op === 'auth' && request.secret !== null) {
        this.#identities.push({ scheme: 'digest', user: op.user, password: request.secret })
      }
    }
    if (op.op === 'removeWatches') this.#removeWatches(op, settlement)
    this.#settle(request, settlement)
  }

  /** The answer to a request of the machine's own. */
  #answeredOwn(request: Request<Token>, settlement: Settlement, fault: Failure | null): void {
    switch (request.role) {
      case 'auth':
        if (fault !== null && request.op.op === 'auth') {
          this.#emit({ effect: 'identityRefused', user: request.op.user, failure: fault })
        }
        if (this.#preambleAnswered()) this.#open()
        return
      case 'rearm':
        if (fault !== null) this.#fault = `the watches could not be set again: ${fault.message}`
        else this.#preambleAnswered()
        return
      case 'watch': {
        const { stream } = request
        // Closed, or asked for again since.
        if (stream === null || this.#streams.get(stream.token) !== stream) return
        if (request.op.op !== 'watch' || request.op.streamId !== stream.streamId) return
        if (settlement.settled === 'failed') this.#streams.end(stream, settlement)
        else this.#streams.opened(stream, settlement.result as OpResult<'watch'>)
        return
      }
      case 'unwatch':
      case 'cleanup':
      case 'call':
    }
  }

  /** Puts on the connection all that lives on it, then lets the calls through. */
  #open(): void {
    this.#phase = 'open'
    for (const piece of this.#watches.rearm(this.#watchedUpTo)) {
      this.#enqueue(newRequest('rearm', { op: 'rearmWatches', ...piece }))
    }
    for (const stream of this.#streams.toResume()) {
      stream.state = 'live'
      this.#requests.enqueue(newRequest('watch', this.#streams.watchOp(stream), { stream }))
    }
    this.#requests.open()
    if (!this.#isReady) this.#emit({ effect: 'ready' })
    this.#isReady = true
  }

  #enqueue(request: Request<Token>): void {
    this.#preamble += 1
    this.#requests.enqueue(request)
  }

  /** @returns true when it was the last that was waited for */
  #preambleAnswered(): boolean {
    this.#preamble -= 1
    return this.#preamble === 0
  }

  /** In the order of calls, so that it sees neither more nor less than its place says. */
  #askFor(stream: Stream<Token>): void {
    stream.state = this.#phase === 'open' ? 'live' : 'detached'
    if (stream.state === 'detached') return
    this.#requests.submit(newRequest('watch', this.#streams.watchOp(stream), { stream }))
  }

  #register({ op, token }: Request<Token>, result: unknown): void {
    if (token === null || !('watch' in op) || op.watch !== true) return
    if (op.op === 'getData') this.#watches.register(op.path, 'data', token)
    else if (op.op === 'getChildren') this.#watches.register(op.path, 'child', token)
    else if (op.op === 'exists') {
      const isThere = (result as OpResult<'exists'>).stat !== null
      this.#watches.register(op.path, isThere ? 'data' : 'exists', token)
    }
  }

  /**
   * Nobody holds the znode that an aborted create has made, so it is deleted again, unless someone
   * else has deleted it, made it anew or put children below it.
   */
  #cleanUp({ op }: Request<Token>, result: unknown): void {
    if (op.op !== 'create') return
    const { path, stat } = result as OpResult<'create'>
    const fences = [{ path, czxid: stat.czxid }]
    const undo: Op<'multi'> = {
      op: 'multi',
      fences,
      compares: [],
      // oxlint-disable-next-line unicorn/no-thenable -- the wire's name; a list, not a function
      then: [{ op: 'delete', path, version: -1 }],
      else: [],
    }
    this.#requests.submitFirst(newRequest('cleanup', undo))
  }

  #removeWatches({ path, kind }: Op<'removeWatches'>, settlement: Settlement): void {
    if (settlement.settled === 'failed') return
    const tokens = [
      ...(kind === 'child' ? [] : this.#watches.take(path, 'data')),
      ...(kind === 'data' ? [] : this.#watches.take(path, 'child')),
    ]
    if (tokens.length > 0) this.#emit({ effect: 'watchesLost', tokens, why: refused.removed })
  }

  #settle({ token, isAborted }: Request<Token>, settlement: Settlement): void {
    if (token === null || isAborted) return
    this.#abortable.delete(token)
    this.#emit({ effect: 'settle', token, settlement })
  }
}

const settlementOf = (
  { op }: Request<unknown>,
  zxid: Zxid | null,
  fault: Failure | null,
  result: unknown,
): Settlement => {
  if (fault !== null) {
    return { settled: 'failed', zxid, failure: fault, outcome: 'notExecuted' }
  }
  try {
    return { settled: 'done', zxid, result: decodeResult(op.op, result) }
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error
    const message = `the server's answer is malformed: ${error.message}`
    return { settled: 'failed', zxid, failure: failure('internal', message), outcome: 'unknown' }
  }
}
