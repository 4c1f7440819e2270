import {
  Fifo,
  type ClientFrameOf,
  type Identity,
  limits,
  type ServerFrame,
  type SessionId,
  type StreamEvent,
  type Xid,
} from '@conclave/protocol'
import { assert } from '../assert.js'
import type { ConnectionId } from '../input.js'
import { noWait, type Request } from './request.js'

/** How far a connection has come. */
type Phase =
  /** Nothing was said yet. */
  | { readonly phase: 'greeting'; readonly sinceMs: number }
  /** The connect waits for a leader, for its session to be created, or for the leader's word. */
  | {
      readonly phase: 'connecting'
      readonly connect: ClientFrameOf<'connect'>
      /** False when the session was made for this connect. */
      readonly resumes: boolean
    }
  | { readonly phase: 'attached'; readonly sessionId: SessionId; readonly attach: number }
  /** Its last frame is in the outbox. */
  | { readonly phase: 'closed' }

/** One client connection: its queue of requests in order of arrival and its one outbox. */
export class Connection {
  readonly id: ConnectionId
  phase: Phase
  identities: readonly Identity[]
  readonly queue = new Fifo<Request>()
  /** How many requests at the head of the queue were started. */
  started = 0
  /** Of those: the writes, and the others, which are answered when they reach the head. */
  startedWrites = 0
  startedReads = 0
  /** The writes that the window of the server has counted last. */
  countedWrites = 0
  /** Of the reads: those that may have to wait for another turn. */
  startedHeavyReads = 0
  #startedAuths = 0
  /** Of the reads: those that ask for the leader's word. */
  #startedQuestions = 0
  queueBytes = 0
  ackedXid = 0 as Xid
  /** Of the last reply. */
  repliedXid = 0 as Xid
  /** The highest write that was refused for a passing reason. */
  refusedXid = 0 as Xid
  /** Pings that the leader's confirmation is awaited for; null until a round was started. */
  readonly pings = new Fifo<{ readonly id: number; round: number | null }>()
  /** The runtime's word: more is buffered for it than it takes. */
  isCongested = false
  /** The last change of the leader that it has learnt of. */
  era = 0
  /** One higher after each time that its writes were held. */
  turn = 0
  /** A write waits for the client to acknowledge more than this, which must be read. */
  #held: { readonly xid: Xid; readonly ackedXid: Xid } | null = null
  /** Why nothing is read from it: its own queue is full, or it has too much of the server's. */
  paused: 'ownQueue' | 'serverLoad' | null = null
  #outbox: ServerFrame[] = []
  #outboxBytes = 0
  #openStream: { readonly streamId: number; readonly events: StreamEvent[] } | null = null

  constructor(id: ConnectionId, address: string, nowMs: number) {
    this.id = id
    this.phase = { phase: 'greeting', sinceMs: nowMs }
    this.identities = [{ scheme: 'ip', id: address }]
  }

  get sessionId(): SessionId {
    return this.phase.phase === 'attached' ? this.phase.sessionId : (0 as SessionId)
  }

  /** The number of this connection among those of its session. */
  get attach(): number {
    return this.phase.phase === 'attached' ? this.phase.attach : 0
  }

  /** False while what waits to be sent is more than a further answer should be added to. */
  get isReady(): boolean {
    return !this.isCongested && this.#outboxBytes < limits.outboxBytesSoft
  }

  get hasOutput(): boolean {
    return this.#outbox.length > 0
  }

  /** @param bytes about what the frame takes */
  send(frame: ServerFrame, bytes = 64): void {
    this.#openStream = null
    this.#outbox.push(frame)
    this.#outboxBytes += bytes
  }

  /** Events of one stream that follow each other travel in one frame. */
  sendStreamEvent(streamId: number, event: StreamEvent): void {
    const bytes = 96 + event.path.length + (event.detail?.data?.length ?? 0)
    const open = this.#openStream
    const fits =
      open?.streamId === streamId &&
      open.events.length < limits.streamEventsPerFrameMax &&
      bytes < streamFrameBytes
    if (fits) {
      open.events.push(event)
      this.#outboxBytes += bytes
      return
    }
    const events = [event]
    this.send({ frame: 'streamEvents', streamId, events }, bytes)
    if (bytes < streamFrameBytes) this.#openStream = { streamId, events }
  }

  /** Takes the outbox, in the order in which it was filled. */
  takeOutput(): readonly ServerFrame[] {
    const frames = this.#outbox
    this.#outbox = []
    this.#outboxBytes = 0
    this.#openStream = null
    return frames
  }

  countStarted({ kind, isHeavy }: Request, change: 1 | -1): void {
    this.started += change
    if (kind === 'auth') this.#startedAuths += change
    if (kind === 'linearizable') this.#startedQuestions += change
    if (kind === 'write') {
      this.startedWrites += change
      return
    }
    this.startedReads += change
    if (isHeavy) this.startedHeavyReads += change
  }

  /**
   * What an auth grants counts from its turn on, and a read that waits for the leader's word must
   * not see a write behind it. Such reads alone wait together, for one round.
   */
  isBarredFor({ kind }: Request): boolean {
    return this.#startedAuths > 0 || (this.#startedQuestions > 0 && kind !== 'linearizable')
  }

  /**
   * The reads before a started write are answered whether or not the client takes the answers, so
   * there are few of them, none while it does not, and none that may have to wait for another turn.
   */
  isTooEarlyFor({ kind }: Request): boolean {
    if (kind !== 'write' || this.startedReads === 0) return false
    return !this.isReady || this.startedHeavyReads > 0 || this.startedReads >= readsBeforeWriteMax
  }

  /** @returns where in the queue the write stands that was started */
  startedIndexOf(xid: Xid): number | null {
    for (let index = this.started - 1; index >= 0; index--) {
      const request = this.queue.at(index)
      if (request?.kind === 'write' && request.frame.xid === xid) return index
    }
    return null
  }

  /** This write and all behind it run when more is acknowledged: none may overtake it. */
  hold(index: number, ackedXid: Xid): void {
    const xid = this.queue.at(index)?.frame.xid ?? (0 as Xid)
    this.#held = { xid, ackedXid }
    this.turn += 1
    this.#takeBack(index)
  }

  get isHeld(): boolean {
    return this.#held !== null
  }

  get mayWrite(): boolean {
    return this.#held === null || this.ackedXid > this.#held.ackedXid
  }

  /** Ends the hold when it is this write, answered at last, that was held. */
  releaseBy({ frame }: Request): boolean {
    if (this.#held?.xid !== frame.xid) return false
    this.#held = null
    return true
  }

  /** The session ends in this leadership: no later round of it answers these pings either. */
  unanswerPings(round: number): void {
    for (let i = 0; i < this.pings.length; i++) {
      const ping = this.pings.at(i)
      if (ping !== undefined && (ping.round ?? Infinity) <= round) ping.round = Infinity
    }
  }

  /** What is sent after this write runs only if the client knows of the refusal. */
  refused(xid: Xid): void {
    if (xid > this.refusedXid) this.refusedXid = xid
  }

  /** Nothing that was started counts: a new leader has to be asked again. */
  restart(): void {
    this.#takeBack(0)
    this.#held = null
    for (let i = 0; i < this.pings.length; i++) {
      const ping = this.pings.at(i)
      if (ping !== undefined) ping.round = null
    }
  }

  /** What was started from this place on counts as not started. */
  #takeBack(from: number): void {
    while (this.started > from) {
      const last = this.queue.at(this.started - 1)
      assert(last !== undefined, 'what was started is in the queue')
      // A password is hashed whoever leads.
      if (last.kind !== 'auth') last.wait = noWait
      this.countStarted(last, -1)
    }
  }
}

/** With at most 1,000 events of this size a frame stays far below the limit. */
const streamFrameBytes = 1_000

const readsBeforeWriteMax = 16
