import {
  Fifo,
  type ClientFrameOf,
  type ErrorCode,
  limits,
  type Op,
  type Xid,
} from '@conclave/protocol'
import { bounds } from './bounds.js'
import { outlivesConnection, type Request } from './request.js'

/**
 * Every request from the call to its answer: xids, the order of sending and re-sending, what may be
 * in flight, which answers are acknowledged, and what happens after a refusal.
 *
 * An xid is given when a request is first sent, so there are no holes, and never changes. Requests
 * that outlive a connection are re-sent in xid order; those that belong to a connection take fresh
 * xids and go out before them, so answers come in the order of sending, not always of xids.
 */
export class PendingRequests<Token> {
  #lastXid = 0
  /** Not yet sent, no xid yet. */
  readonly #waiting = new Fifo<Request<Token>>()
  #waitingBytes = 0
  /** Have an xid and are to be sent on this connection before anything that waits. */
  #toSend = new Fifo<Request<Token>>()
  /** Have an xid and no answer; in the order of their xids. */
  readonly #unanswered = new Map<number, Request<Token>>()
  /** Writes above ackedXid. */
  readonly #unacked = new Fifo<Request<Token>>()
  /** How many requests were ever put on a connection. */
  #sends = 0
  #sent = 0
  #sentWrites = 0
  #sentBytes = 0
  #isOpen = false
  #connection = 1

  #refused: Request<Token>[] = []
  #refusedSeen = 0
  /** After a refusal nothing is sent until every write in flight is answered, and this time. */
  #heldUntilMs: number | null = null
  #pauseMs: number = bounds.refusedPauseMs

  #ackSent = 0
  #resultsToAck = 0
  #bytesToAck = 0

  /** The highest xid such that every write up to it has been settled to the caller. */
  get ackedXid(): Xid {
    const first = this.#unacked.at(0)
    return (first === undefined ? this.#lastXid : first.xid - 1) as Xid
  }

  /** How many requests are on their way on this connection. */
  get sent(): number {
    return this.#sent
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#unanswered.size === 0
  }

  /** When a refused request is due to be sent again; null when that does not depend on time. */
  get wakeAtMs(): number | null {
    return this.#sentWrites === 0 ? this.#heldUntilMs : null
  }

  /** @returns false when the queue inside the SDK is full */
  submit(request: Request<Token>): boolean {
    if (
      this.#waiting.length >= bounds.waitingRequestsMax ||
      this.#waitingBytes + request.bytes > bounds.waitingBytesMax
    ) {
      return false
    }
    request.madeOn = this.#connection
    this.#waiting.push(request)
    this.#waitingBytes += request.bytes
    return true
  }

  /** Before all that waits: for what the SDK itself has to put right. */
  submitFirst(request: Request<Token>): void {
    this.#waiting.unshift(request)
    this.#waitingBytes += request.bytes
  }

  /** For requests of this connection: takes a fresh xid and goes out before all that waits. */
  enqueue(request: Request<Token>): void {
    this.#number(request)
    this.#toSend.push(request)
  }

  /** From here on all that is unanswered is sent again, then what waits. */
  open(): void {
    for (const request of this.#unanswered.values()) {
      if (outlivesConnection(request)) this.#toSend.push(request)
    }
    this.#isOpen = true
  }

  /** The connection is gone: nothing is on its way, and what belonged to it is forgotten. */
  detach(): void {
    for (const request of this.#unanswered.values()) {
      request.isSent = false
      if (outlivesConnection(request) && (request.isWrite || !request.isAborted)) continue
      this.#unanswered.delete(request.xid)
    }
    this.#connection += 1
    this.#isOpen = false
    this.#toSend.clear()
    this.#refused = []
    this.#refusedSeen = 0
    this.#heldUntilMs = null
    this.#pauseMs = bounds.refusedPauseMs
    this.#sent = 0
    this.#sentWrites = 0
    this.#sentBytes = 0
  }

  /** @returns the request that is answered, taken out; null for an answer nobody waits for */
  answer(xid: Xid, resultBytes: number): Request<Token> | null {
    const request = this.#unanswered.get(xid)
    if (request === undefined || !request.isSent) return null
    this.#unanswered.delete(xid)
    this.#landed(request)
    this.#pauseMs = bounds.refusedPauseMs
    if (request.isWrite) this.#settle(request, resultBytes)
    return request
  }

  /**
   * A transient refusal: not executed, not logged. A call sent on this connection alone is settled
   * with it; one that an earlier connection may have executed stays, and is sent again under its
   * xid before anything later, because after a later logged write it could only be `notExecuted`.
   * The server refuses the writes behind it as well until a frame shows that we have seen this.
   * @returns the request when it is settled, null when it stays pending
   */
  refuse(xid: Xid, code: ErrorCode, nowMs: number): Request<Token> | null {
    const request = this.#unanswered.get(xid)
    if (request === undefined || !request.isSent) return null
    this.#landed(request)
    this.#refusedSeen = Math.max(this.#refusedSeen, xid)
    // These two speak of the connection or its server, not of the request: another will take it.
    const isOfServer = code === 'closing' || code === 'sessionMoved'
    if (request.role !== 'call' || request.connections > 1 || isOfServer) {
      this.#refused.push(request)
      if ((this.#heldUntilMs ?? 0) <= nowMs) {
        this.#heldUntilMs = nowMs + this.#pauseMs
        this.#pauseMs = Math.min(this.#pauseMs * 2, bounds.refusedPauseMsMax)
      }
      return null
    }
    this.#unanswered.delete(xid)
    if (request.isWrite) {
      this.#heldUntilMs ??= nowMs
      this.#settle(request, 0)
    }
    return request
  }

  /**
   * The message that ended the connection was too large: it was the answer that was due next. Only
   * reads have answers that large.
   * @returns the read when that has happened to it too often, taken out; null otherwise
   */
  answerTooLarge(): Request<Token> | null {
    let due: Request<Token> | null = null
    for (const request of this.#unanswered.values()) {
      if (request.isSent && (due === null || request.sendOrder < due.sendOrder)) due = request
    }
    if (due === null || due.isWrite || due.role !== 'call') return null
    due.tooLargeAnswers += 1
    if (due.tooLargeAnswers < bounds.tooLargeAnswersMax) return null
    this.#unanswered.delete(due.xid)
    this.#landed(due)
    return due
  }

  abort(request: Request<Token>): void {
    request.isAborted = true
  }

  /** Takes what may be sent now, as frames, in order. */
  pump(nowMs: number, frames: ClientFrameOf<'request'>[]): number {
    let bytes = 0
    while (frames.length < bounds.framesPerMessage && this.#sent < limits.requestsPerSessionMax) {
      const request = this.#next(nowMs)
      if (request === null) break
      if (this.#sent > 0 && this.#sentBytes + request.bytes > bounds.inFlightBytesMax) break
      if (frames.length > 0 && bytes + request.bytes > bounds.messageBytesTarget) break
      this.#take(request)
      bytes += request.bytes
      frames.push(this.#frameOf(request))
    }
    return bytes
  }

  /** The ackedXid to send when there is enough to acknowledge; null otherwise. */
  dueAck(): Xid | null {
    const isDue =
      this.#resultsToAck >= limits.ackAfterResults || this.#bytesToAck >= limits.ackAfterBytes
    return isDue && this.ackedXid > this.#ackSent ? this.tellAck() : null
  }

  /** The ackedXid that a frame is about to carry. */
  tellAck(): Xid {
    const ackedXid = this.ackedXid
    this.#told(ackedXid)
    return ackedXid
  }

  /** Everything unsettled, sent ones first, in order; and forgets it. */
  takeAll(): readonly Request<Token>[] {
    const all = [...this.#unanswered.values()]
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      all.push(next)
    }
    this.#unanswered.clear()
    this.detach()
    this.#waitingBytes = 0
    this.#unacked.clear()
    return all
  }

  #next(nowMs: number): Request<Token> | null {
    if (this.#heldUntilMs !== null) {
      if (this.#sentWrites > 0 || nowMs < this.#heldUntilMs) return null
      this.#release()
    }
    for (let next = this.#toSend.at(0); next !== undefined; next = this.#toSend.at(0)) {
      if (!next.isAborted || next.isWrite) return next
      this.#toSend.shift()
      this.#unanswered.delete(next.xid)
    }
    if (!this.#isOpen) return null
    for (let next = this.#waiting.at(0); next !== undefined; next = this.#waiting.at(0)) {
      if (next.isAborted || this.#isStale(next)) this.#unwait()
      else if (next.isWrite && this.#unacked.length >= limits.unackedWritesMax) return null
      else return next
    }
    return null
  }

  /** Made for a connection that is gone. */
  #isStale(request: Request<Token>): boolean {
    return !outlivesConnection(request) && request.madeOn !== this.#connection
  }

  /** What was refused goes out again, in xid order, before what was still to be sent. */
  #release(): void {
    const later = this.#toSend
    this.#toSend = new Fifo()
    for (const request of this.#refused.sort((a, b) => a.xid - b.xid)) this.#toSend.push(request)
    for (let next = later.shift(); next !== undefined; next = later.shift()) {
      this.#toSend.push(next)
    }
    this.#refused = []
    this.#heldUntilMs = null
  }

  #take(request: Request<Token>): void {
    if (request.xid > 0) this.#toSend.shift()
    else {
      this.#unwait()
      this.#number(request)
      if (request.isWrite) this.#unacked.push(request)
    }
    if (request.sentOn !== this.#connection) request.connections += 1
    request.sentOn = this.#connection
    request.isSent = true
    request.sendOrder = ++this.#sends
    this.#sent += 1
    if (request.isWrite) this.#sentWrites += 1
    this.#sentBytes += request.bytes
  }

  #unwait(): void {
    const request = this.#waiting.shift()
    this.#waitingBytes -= request?.bytes ?? 0
  }

  #number(request: Request<Token>): void {
    this.#lastXid += 1
    request.xid = this.#lastXid as Xid
    this.#unanswered.set(request.xid, request)
  }

  #frameOf(request: Request<Token>): ClientFrameOf<'request'> {
    const { xid, secret, op } = request
    const ackedXid = Math.min(this.ackedXid, xid - 1) as Xid
    this.#told(ackedXid)
    return {
      frame: 'request',
      xid,
      ackedXid,
      refusedSeen: this.#refusedSeen as Xid,
      op: secret === null ? op : ({ ...op, password: secret.reveal() } as Op),
    }
  }

  #told(ackedXid: number): void {
    if (ackedXid <= this.#ackSent) return
    this.#ackSent = ackedXid
    this.#resultsToAck = 0
    this.#bytesToAck = 0
  }

  #landed(request: Request<Token>): void {
    request.isSent = false
    this.#sent -= 1
    if (request.isWrite) this.#sentWrites -= 1
    this.#sentBytes -= request.bytes
  }

  #settle(request: Request<Token>, resultBytes: number): void {
    request.isSettled = true
    this.#resultsToAck += 1
    this.#bytesToAck += resultBytes
    while (this.#unacked.at(0)?.isSettled === true) this.#unacked.shift()
  }
}
