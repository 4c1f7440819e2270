import {
  decodeResult,
  type Identity,
  type Op,
  type ServerFrame,
  type ServerFrameOf,
  type SessionEndReason,
} from '@conclave/protocol'
import { agree, Disagreement, same, shown } from './disagreement.js'
import type { Refusal } from './faults.js'
import type { Replies } from './replies.js'
import { forget, type Session } from './sessions.js'
import type { ModelStream } from './streams.js'
import { fire, withholds, type WatchEvent, type Watches } from './watches.js'
import type { State } from './tree.js'

/** A request that is to be answered, in its turn. */
export interface Awaited {
  readonly xid: number
  readonly op: Op
  /** The state when it was sent: no answer is older. */
  readonly sentAt: number
  /** `state`: by what it finds; `logged`: as it was logged; otherwise refused by itself. */
  readonly by: 'state' | 'logged' | Refusal
}

/** What the answer to a connect must be. */
export type Greeting =
  | { readonly is: 'connected'; readonly resumed: boolean }
  | { readonly is: 'sessionExpired'; readonly reason: SessionEndReason }
  /** Nothing, while the session is being closed. */
  | { readonly is: 'awaited' }
  | { readonly is: 'closing' }

/** What the model knows of the world besides the connection. */
export interface World {
  readonly states: readonly State[]
  readonly replies: Replies
  readonly seen: (what: string) => void
  /** The number of the leadership. */
  readonly epoch: number
  /** True when a write is on its way to the log, whoever waits for it. */
  isProposed(sessionId: number, xid: number): boolean
}

/** One connection: compares what is sent on it, in its order, with what must be. */
export class ModelConnection {
  readonly name: string
  session: Session | null = null
  greeting: Greeting | null = null
  /** As shown by what has been answered; and as it will be for what is sent now. */
  identities: readonly Identity[]
  identitiesToCome: readonly Identity[]
  readonly watches: Watches = new Set()
  readonly streams = new Map<number, ModelStream>()
  readonly awaited: Awaited[] = []
  readonly pings: number[] = []
  readonly probes: number[] = []
  /** The highest xid that was refused for the moment. */
  refusedXid = 0
  /** It must be closed, after this. */
  ending: 'sessionEnded' | 'sessionMoved' | 'noSpace' | null = null
  isClosed = false
  /** All up to this state has been told. */
  toldZxid = 0
  #events: WatchEvent[] = []
  #wasWrite = false
  /** The word about the end of the session: the reply to a closeSession of its own is one. */
  #isTold = false
  readonly #world: World

  constructor(name: string, address: string, world: World) {
    this.name = name
    this.#world = world
    this.identities = [{ scheme: 'ip', id: address }]
    this.identitiesToCome = this.identities
  }

  /** All frames of a turn after which the server has nothing more to do. */
  check(frames: readonly ServerFrame[], closed: string | undefined): void {
    try {
      this.#wasWrite = false
      for (const frame of frames) this.#take(frame)
      same(closed ?? null, this.ending, 'why the connection is closed')
      if (this.ending !== null) agree(this.isClosed, () => 'closed without a word')
      else if (this.greeting === null) this.#rest()
    } catch (error) {
      if (error instanceof Disagreement) error.message = `${this.name}: ${error.message}`
      throw error
    }
  }

  /** Everything is answered. */
  checkIdle(): void {
    if (this.isClosed) return
    same(
      { awaited: this.awaited, pings: this.pings, greeting: this.greeting },
      { awaited: [], pings: [], greeting: null },
      `${this.name}: what is left unanswered`,
    )
  }

  /** Nothing more is answered here; what the server has not proposed is not under way. */
  abandon(): void {
    const { session, awaited } = this
    const writes = awaited.filter(({ by }) => by === 'logged').map(({ xid }) => xid)
    if (session !== null) {
      forget(
        session,
        writes.filter((xid) => !this.#world.isProposed(session.id, xid)),
      )
    }
    this.awaited.length = 0
    this.pings.length = 0
  }

  get newest(): number {
    return this.#world.states.length - 1
  }

  #rest(): void {
    this.barrier(this.newest)
    same(this.probes, [], 'unanswered probes')
    for (const stream of this.streams.values()) stream.rest(this.identities)
  }

  #take(frame: ServerFrame): void {
    agree(!this.isClosed, () => `${frame.frame} after the end`)
    this.#world.seen(`frame ${frame.frame}`)
    switch (frame.frame) {
      case 'connected':
        return this.#connected(frame)
      case 'reply':
        return this.#reply(frame)
      case 'pong':
        same(frame.id, this.pings.shift(), 'pong')
        return this.barrier(frame.zxid)
      case 'probed':
        return same(frame.id, this.probes.shift(), 'probed')
      case 'event':
        this.#events.push(frame)
        return
      case 'streamEvents':
      case 'streamGap':
      case 'streamCaughtUp': {
        const stream = this.streams.get(frame.streamId)
        if (stream === undefined) throw new Disagreement(`no stream is ${frame.streamId}`)
        return stream.take(frame, this.identities).forEach(this.#world.seen)
      }
      case 'sessionExpired':
        return this.#expired(frame)
      case 'closing':
        return this.#closing(frame)
      default:
        return frame satisfies never
    }
  }

  /** A frame shows state `zxid`: all up to it has been told, and nothing later. */
  barrier(zxid: number, extra: readonly WatchEvent[] = []): void {
    agree(zxid >= this.toldZxid, () => `state ${zxid} is shown after state ${this.toldZxid}`)
    agree(zxid <= this.newest, () => `state ${zxid} is shown before there is one`)
    const expected = this.#world.states.slice(this.toldZxid + 1, zxid + 1).flatMap((state) => {
      if (withholds(this.watches, state, this.identities)) this.#world.seen('event withheld')
      return fire(this.watches, state, this.identities)
    })
    same(this.#events, [...expected, ...extra], `events up to ${zxid}`)
    for (const { type, kind } of this.#events) this.#world.seen(`event ${kind} ${type}`)
    for (const stream of this.streams.values()) stream.barrier(zxid, this.identities)
    this.#events = []
    this.toldZxid = zxid
  }

  #connected(frame: ServerFrameOf<'connected'>): void {
    const { greeting, session } = this
    if (greeting?.is !== 'connected' || session === null) {
      throw new Disagreement(`connected, in place of ${shown(greeting)}`)
    }
    this.greeting = null
    if (greeting.resumed) this.#world.seen('session resumed')
    this.toldZxid = frame.zxid
    agree(frame.zxid <= this.newest, () => 'connected to the future')
    const { zxid: _, ensembleId: __, ...told } = frame
    same(
      told,
      {
        frame: 'connected',
        sessionId: session.id,
        sessionTimeoutMs: session.timeoutMs,
        serverId: 1,
        resumed: greeting.resumed,
        role: 'leading',
        epoch: this.#world.epoch,
      },
      'connected',
    )
  }

  #reply(frame: ServerFrameOf<'reply'>): void {
    const { awaited, session } = this
    const next = awaited.shift()
    if (session === null) throw new Disagreement('a reply without a session')
    if (next === undefined || next.xid !== frame.xid) {
      throw new Disagreement(`reply to ${frame.xid} in place of ${shown(next ?? null)}`)
    }
    const { replies, seen } = this.#world
    agree(frame.zxid >= next.sentAt, () => `reply to ${frame.xid} is older than the request`)
    // What stands behind a write is answered before anything else changes, when it is quick.
    if (this.#wasWrite && next.by === 'state' && isQuick(next.op)) {
      same(frame.zxid, this.toldZxid, `reply to ${frame.xid}: its state`)
    }
    this.#wasWrite = next.by === 'logged'
    const failure = frame.failure && { code: frame.failure.code, index: frame.failure.index }
    const result = frame.failure === null ? decodeResult(next.op.op, frame.result) : null
    const expected = replies.to(next, frame, { connection: this, session, actual: result })
    const title = `reply to ${frame.xid} ${shown(next.op)}`
    same({ failure, result: expected.actual ?? result }, expected.answer, title)
    seen(`${next.op.op} ${failure?.code ?? 'ok'}`)
    if (next.op.op === 'closeSession' && failure === null) {
      this.awaited.length = 0
      this.#isTold = true
    }
  }

  #expired(frame: ServerFrameOf<'sessionExpired'>): void {
    const { session, greeting } = this
    const reason = greeting?.is === 'sessionExpired' ? greeting.reason : (session?.end ?? null)
    if (reason === null) throw new Disagreement('a session is over that lives')
    this.greeting = null
    const isKnown = reason === 'closed' || reason === 'expired'
    if (session !== null && isKnown && this.ending === 'sessionEnded') this.#world.seen('tombstone')
    const outcomes = frame.outcomes.map(({ xid, failure, result }) => ({
      xid,
      failure: failure && { code: failure.code, index: failure.index },
      result:
        failure === null ? decodeResult(session?.ops.get(xid)?.op ?? 'closeSession', result) : null,
    }))
    const told = { reason: frame.reason, complete: frame.complete, outcomes }
    same(
      told,
      { reason, complete: isKnown, outcomes: isKnown ? outcomesOf(session) : [] },
      'expired',
    )
    this.#world.seen(`sessionExpired ${reason}`)
    this.#events = []
    agree(!this.#isTold, () => 'told of the end, and has its reply')
    this.#isTold = true
  }

  #closing({ reason }: ServerFrameOf<'closing'>): void {
    same(reason, this.ending, 'closing')
    agree(
      this.#isTold || reason !== 'sessionEnded',
      () => 'closing comes without a word about the session',
    )
    this.greeting = null
    this.#world.seen(`closing ${reason}`)
    this.isClosed = true
  }
}

/** It waits for nobody, and looks at one znode. */
const isQuick = (op: Op): boolean =>
  ['check', 'exists', 'getData', 'getAcl'].includes(op.op) &&
  !('linearizable' in op && op.linearizable)

const outcomesOf = (session: Session | null): unknown =>
  [...(session?.results ?? [])]
    .filter(([xid]) => xid > (session?.ackedXid ?? 0))
    .sort(([a], [b]) => a - b)
    .map(([xid, result]) => ({ xid, failure: result?.failure ?? null, result: result?.result }))
