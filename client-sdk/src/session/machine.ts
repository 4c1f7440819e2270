import {
  type ClientFrame,
  type ClientFrameOf,
  protocolVersion,
  type ServerFrame,
  type ServerFrameOf,
  type SessionId,
  type Zxid,
} from '@conclave/protocol'
import { bounds } from './bounds.js'
import { Calls } from './calls.js'
import type { Effect, StateChange } from './effect.js'
import { ended, type SessionEnd } from './ending.js'
import type { DigestIdentity, Input } from './input.js'
import { Liveness } from './liveness.js'
import { Random } from './random.js'
import { Servers } from './servers.js'

export interface MachineConfig {
  /** Where servers may be reached, at least one. */
  readonly servers: readonly string[]
  /** 16 bytes nobody can guess: the password of the session. */
  readonly nonce: Uint8Array
  readonly sessionTimeoutMs: number
  /** Sent first on every connection. */
  readonly identities: readonly DigestIdentity[]
  /** For the order of the servers and the pauses between attempts. */
  readonly seed: number
}

/**
 * One session of one client, as a pure machine: inputs in, effects out, no clock, dice or I/O of
 * its own. {@link step} takes an input, {@link drain} gives what must now happen, in order; the
 * frames of all that was stepped since leave together. {@link wakeAtMs} says when a tick is due.
 */
export class SessionMachine<Token> {
  readonly #config: MachineConfig
  readonly #servers: Servers
  readonly #liveness = new Liveness()
  readonly #calls: Calls<Token>
  #effects: Effect<Token>[] = []
  #frames: ClientFrame[] = []
  /** Of the requests among them; the other frames are tiny. */
  #frameBytes = 0
  #nowMs = 0
  #link: Link = { phase: 'idle', openAtMs: 0 }
  /** The number of connections so far, which travels as `attach`. */
  #connection = 0
  #sessionId = 0 as SessionId
  #ensembleId: string | null = null
  /** All that any frame has shown: a server must have applied it before it attaches us. */
  #lastZxidSeen = 0 as Zxid
  #closeByMs: number | null = null
  #final: 'expired' | 'closed' | null = null
  #published: StateChange = {
    state: 'suspended',
    deadline: null,
    deadlinePassed: false,
    reason: null,
  }

  constructor(config: MachineConfig) {
    const random = new Random(config.seed)
    this.#config = config
    this.#servers = new Servers(config.servers, random)
    this.#calls = new Calls((effect) => this.#effects.push(effect), config.identities)
  }

  get sessionId(): SessionId {
    return this.#sessionId
  }

  get lastZxidSeen(): Zxid {
    return this.#lastZxidSeen
  }

  /** What the server that it is attached to said of itself; null while it is to none. */
  get server(): ServerStanding | null {
    return this.#link.phase === 'ready' ? this.#link.server : null
  }

  /** The last state change that was, or is about to be, given as an effect. */
  get state(): StateChange {
    return { ...this.#published, deadline: this.#final === null ? this.deadlineMs : null }
  }

  /** When the session may be gone; moves on with every answered ping. */
  get deadlineMs(): number | null {
    return this.#liveness.deadlineMs
  }

  get calls(): Pick<Calls<Token>, 'streamStanding' | 'ackedXid'> {
    return this.#calls
  }

  /** When the next tick is due at the latest; null when no time matters. */
  get wakeAtMs(): number | null {
    const link = this.#link
    if (this.#final !== null) return null
    let wake = Math.min(this.#closeByMs ?? Infinity, this.#liveness.wakeAtMs(this.#nowMs))
    if (link.phase === 'idle') wake = Math.min(wake, link.openAtMs)
    if (link.phase === 'opening') wake = Math.min(wake, link.sinceMs + bounds.openTimeoutMs)
    if (link.phase === 'attaching') wake = Math.min(wake, link.sentMs + bounds.attachTimeoutMs)
    if (link.phase === 'ready') wake = Math.min(wake, this.#calls.wakeAtMs ?? Infinity)
    return wake === Infinity ? null : wake
  }

  step(input: Input<Token>): void {
    switch (input.input) {
      case 'tick':
        this.#nowMs = Math.max(this.#nowMs, input.nowMs)
        return
      case 'opened':
        return this.#opened(input.connection)
      case 'frame':
        return this.#frame(input.connection, input.frame)
      case 'lost':
        if (!this.#isOn(input.connection)) return
        if (input.isTooLarge === true) this.#calls.answerTooLarge()
        return this.#lose(input.reason)
      case 'close':
        if (this.#final !== null || this.#closeByMs !== null) return
        this.#closeByMs = this.#nowMs + input.timeoutMs
        return this.#calls.beginClose()
      case 'abandon':
        return this.#finish('closed', ended.abandoned(input.reason))
      default:
        this.#calls.step(input)
    }
  }

  drain(): readonly Effect<Token>[] {
    if (this.#final === null) {
      this.#checkTimes()
      this.#sendWhatIsDue()
      this.#publish(null)
    }
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #checkTimes(): void {
    const link = this.#link
    const nowMs = this.#nowMs
    if (this.#closeByMs !== null && (nowMs >= this.#closeByMs || this.#calls.isEmpty)) {
      // Without a session there is nobody to tell; otherwise its timeout ends it.
      const hasSession = this.#sessionId !== 0
      if (!hasSession || nowMs >= this.#closeByMs) return this.#finish('closed', ended.closed())
      this.#calls.closeSession()
    }
    if (link.phase === 'idle' && nowMs >= link.openAtMs) this.#open()
    else if (link.phase === 'opening' && nowMs >= link.sinceMs + bounds.openTimeoutMs) {
      this.#drop(`no connection after ${bounds.openTimeoutMs} ms`)
    } else if (link.phase === 'attaching' && nowMs >= link.sentMs + bounds.attachTimeoutMs) {
      this.#drop('the server has no leader')
    } else if (this.#liveness.isDead(nowMs)) this.#drop('the server stopped answering')
  }

  #open(): void {
    const connection = ++this.#connection
    this.#link = { phase: 'opening', connection, sinceMs: this.#nowMs }
    this.#effects.push({ effect: 'open', connection, server: this.#servers.take() })
  }

  #opened(connection: number): void {
    if (!this.#isOn(connection) || this.#link.phase !== 'opening') return
    this.#link = { phase: 'attaching', connection, sentMs: this.#nowMs }
    this.#liveness.asked(this.#nowMs)
    this.#frames.push({
      frame: 'connect',
      version: protocolVersion,
      sessionId: this.#sessionId,
      nonce: this.#config.nonce,
      attach: connection,
      sessionTimeoutMs: this.#config.sessionTimeoutMs,
      lastZxidSeen: this.#lastZxidSeen,
      ensembleId: this.#ensembleId,
      ackedXid: this.#calls.tellAck(),
    })
  }

  #frame(connection: number, frame: ServerFrame): void {
    if (!this.#isOn(connection)) return
    this.#liveness.heard(this.#nowMs)
    switch (frame.frame) {
      case 'connected':
        return this.#connected(frame)
      case 'pong':
        this.#saw(frame.zxid)
        this.#calls.shown(frame.zxid)
        this.#confirmed(this.#liveness.pong(frame.id))
        this.#servers.served()
        return
      case 'probed':
        return
      case 'sessionExpired':
        return this.#finish(
          this.#closeByMs !== null && frame.reason === 'closed' ? 'closed' : 'expired',
          ended.bySessionFrame(frame),
        )
      case 'closing':
        return this.#drop(`the server closed the connection: ${frame.reason}`)
      default: {
        this.#saw(this.#calls.frame(frame, this.#nowMs))
        if (this.#calls.isSessionClosed) this.#finish('closed', ended.closed())
        else if (this.#calls.fault !== null) this.#drop(this.#calls.fault)
        else this.#servers.served()
      }
    }
  }

  #connected(frame: ServerFrameOf<'connected'>): void {
    const link = this.#link
    if (link.phase !== 'attaching') return this.#drop('the server attached the session twice')
    if (this.#isAnotherSession(frame)) {
      // Never a fresh session in disguise: what this client knows belongs to the other one.
      return this.#finish('expired', ended.lost())
    }
    this.#sessionId = frame.sessionId
    this.#ensembleId = frame.ensembleId
    this.#liveness.attached(frame.sessionTimeoutMs, link.sentMs)
    const { serverId, role, epoch } = frame
    this.#link = { phase: 'ready', connection: link.connection, server: { serverId, role, epoch } }
    this.#confirmed(link.sentMs)
    this.#calls.attach(frame)
  }

  #isAnotherSession(frame: ServerFrameOf<'connected'>): boolean {
    if (this.#sessionId === 0) return false
    return frame.sessionId !== this.#sessionId || frame.ensembleId !== this.#ensembleId
  }

  /** Everything that is due, in as few messages as their size allows. */
  #sendWhatIsDue(): void {
    const link = this.#link
    const nowMs = this.#nowMs
    if (link.phase !== 'ready' && link.phase !== 'attaching') return
    if (link.phase === 'ready') {
      const pingId = this.#liveness.duePing(nowMs)
      if (pingId !== null) {
        this.#frames.push({ frame: 'ping', id: pingId, ackedXid: this.#calls.tellAck() })
        this.#liveness.asked(nowMs)
      }
      this.#pump(link.connection)
      const ackedXid = this.#calls.dueAck()
      if (ackedXid !== null) this.#frames.push({ frame: 'ack', ackedXid })
    }
    const isWaiting = link.phase === 'attaching' || this.#calls.sent > 0 || this.#liveness.hasPings
    if (!isWaiting) this.#liveness.nothingUnanswered()
    const probeId = this.#liveness.dueProbe(nowMs)
    if (probeId !== null) this.#frames.push({ frame: 'probe', id: probeId })
    this.#flush(link.connection)
  }

  #pump(connection: number): void {
    for (;;) {
      const requests: ClientFrameOf<'request'>[] = []
      const bytes = this.#calls.pump(this.#nowMs, requests)
      if (requests.length === 0) return
      this.#liveness.asked(this.#nowMs)
      if (this.#frameBytes > 0 && this.#frameBytes + bytes > bounds.messageBytesTarget) {
        this.#flush(connection)
      }
      for (const request of requests) this.#frames.push(request)
      this.#frameBytes += bytes
    }
  }

  #flush(connection: number): void {
    if (this.#frames.length === 0) return
    const frames = this.#frames
    this.#effects.push({ effect: 'send', connection, frames })
    this.#frames = []
    this.#frameBytes = 0
  }

  /** We leave the connection. */
  #drop(reason: string): void {
    const { connection } = this
    if (connection === null) return
    this.#effects.push({ effect: 'close', connection, reason })
    this.#lose(reason)
  }

  #lose(reason: string): void {
    this.#link = { phase: 'idle', openAtMs: this.#nowMs + this.#servers.failed() }
    this.#frames = []
    this.#frameBytes = 0
    this.#liveness.detached()
    this.#calls.detach()
    this.#publish(reason)
  }

  #finish(state: 'expired' | 'closed', end: SessionEnd): void {
    if (this.#final !== null) return
    const { connection } = this
    this.#calls.end(end)
    this.#final = state
    this.#link = { phase: 'ended' }
    this.#liveness.detached()
    this.#publish(end.reason)
    if (connection !== null) this.#effects.push({ effect: 'close', connection, reason: end.reason })
  }

  #publish(reason: string | null): void {
    const deadlinePassed = this.#liveness.isDeadlinePassed(this.#nowMs)
    const isConnected = this.#link.phase === 'ready' && !deadlinePassed
    const state = this.#final ?? (isConnected ? 'connected' : 'suspended')
    const isNew =
      state !== this.#published.state ||
      (state === 'suspended' && deadlinePassed !== this.#published.deadlinePassed)
    if (!isNew) return
    const isFinal = this.#final !== null
    this.#published = {
      state,
      deadline: isFinal ? null : this.#liveness.deadlineMs,
      deadlinePassed: !isFinal && deadlinePassed,
      reason: reason ?? (deadlinePassed ? 'no server has confirmed the session in time' : null),
    }
    this.#effects.push({ effect: 'state', change: this.#published })
  }

  #confirmed(sentMs: number | null): void {
    if (sentMs !== null) this.#calls.confirmed(sentMs)
  }

  #saw(zxid: Zxid): void {
    if (zxid > this.#lastZxidSeen) this.#lastZxidSeen = zxid
  }

  /** The number of the present connection; null when there is none. */
  get connection(): number | null {
    return 'connection' in this.#link ? this.#link.connection : null
  }

  #isOn(connection: number): boolean {
    return this.connection === connection
  }
}

export type ServerStanding = Pick<ServerFrameOf<'connected'>, 'serverId' | 'role' | 'epoch'>

type Link =
  | { readonly phase: 'idle'; readonly openAtMs: number }
  | { readonly phase: 'opening'; readonly connection: number; readonly sinceMs: number }
  | { readonly phase: 'attaching'; readonly connection: number; readonly sentMs: number }
  | { readonly phase: 'ready'; readonly connection: number; readonly server: ServerStanding }
  | { readonly phase: 'ended' }
