import type { Op, ServerFrame, ServerId, SessionId, Zxid } from '@conclave/protocol'
import type { Effect, Settlement } from '#client/session/effect.js'
import { SessionMachine } from '#client/session/machine.js'
import type { ClientConnection, ClientEnd, Ensemble } from './ensemble.js'
import type { History, Operation, StreamRecord } from './history.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'
import type { SimClock } from './sim-clock.js'

/** What a client asks for: one answer, or a stream of what happens. */
type Token = Operation | StreamRecord

export interface ClientOptions {
  readonly name: string
  readonly servers: readonly ServerId[]
  readonly sessionTimeoutMs: number
  /** It writes nothing, so that no read of its waits behind a write. */
  readonly isReader: boolean
}

/** One client: the real session machine of the SDK on a simulated network. */
export class SimClient {
  readonly name: string
  readonly isReader: boolean
  readonly #machine: SessionMachine<Token>
  readonly #schedule: Schedule
  readonly #clock: SimClock
  readonly #ensemble: Ensemble
  readonly #history: History
  #connection: { readonly number: number; readonly to: ClientConnection } | null = null
  #isDead = false
  #isFlushDue = false
  #wakeAtMs: number | null = null
  #waiting: (() => void)[] | null = null

  constructor(
    { name, servers, sessionTimeoutMs, isReader }: ClientOptions,
    parts: {
      readonly schedule: Schedule
      readonly clock: SimClock
      readonly random: Random
      readonly ensemble: Ensemble
      readonly history: History
    },
  ) {
    const { schedule, clock, random, ensemble, history } = parts
    this.name = name
    this.isReader = isReader
    this.#schedule = schedule
    this.#clock = clock
    this.#ensemble = ensemble
    this.#history = history
    this.#machine = new SessionMachine({
      servers: servers.map(String),
      nonce: Uint8Array.from({ length: 16 }, () => random.below(256)),
      sessionTimeoutMs,
      identities: [],
      seed: random.bits(),
    })
    this.#flush()
  }

  /** False once the session has ended, or the client. */
  get isAlive(): boolean {
    const { state } = this.#machine.state
    return !this.#isDead && state !== 'expired' && state !== 'closed'
  }

  get sessionId(): SessionId {
    return this.#machine.sessionId
  }

  get nowMs(): number {
    return this.#clock.nowMs
  }

  /** Until when, on its own clock, it has counted on its session so far. */
  get deadlineMs(): number {
    return this.#machine.deadlineMs ?? 0
  }

  call(op: Op, operation: Operation): void {
    this.#history.called(operation, this.#schedule.nowMs)
    this.#enter(() => {
      this.#machine.step({ input: 'submit', token: operation, op })
      this.#flushLater()
    })
  }

  /** Follows all that happens in the tree from now on. */
  follow(stream: StreamRecord): void {
    this.#history.opened(stream)
    this.#enter(() => {
      const whole = { path: '/', recursive: true, withDetail: false, from: null }
      this.#machine.step({ input: 'openStream', token: stream, ...whole })
      this.#flushLater()
    })
  }

  /** Ends the session as a program does that is done with it. */
  close(): void {
    this.#input({ input: 'close', timeoutMs: 5_000 })
  }

  /** The process is gone; what it asked for may or may not happen. */
  kill(): void {
    this.#isDead = true
    this.#connection?.to.close()
    this.#connection = null
  }

  pause(): void {
    this.#waiting ??= []
  }

  goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const task of waiting) this.#enter(task)
  }

  #enter(task: () => void): void {
    if (this.#isDead) return
    if (this.#waiting === null) task()
    else this.#waiting.push(task)
  }

  #tick(): void {
    this.#machine.step({ input: 'tick', nowMs: this.#clock.nowMs })
  }

  #flushLater(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    this.#schedule.after(0, () => this.#enter(() => this.#flush()))
  }

  #flush(): void {
    this.#isFlushDue = false
    this.#tick()
    for (const effect of this.#machine.drain()) this.#do(effect)
    this.#armTimer()
  }

  #do(effect: Effect<Token>): void {
    switch (effect.effect) {
      case 'send':
        if (this.#connection?.number === effect.connection) {
          this.#connection.to.send(effect.frames)
        }
        return
      case 'open':
        return this.#open(effect.connection, Number(effect.server) as ServerId)
      case 'close':
        if (this.#connection?.number !== effect.connection) return
        this.#connection.to.close()
        this.#connection = null
        return
      case 'settle':
        return this.#settled(effect.token, effect.settlement)
      case 'event':
        for (const token of effect.tokens) if ('op' in token) this.#fired(token, effect.event.zxid)
        return
      case 'watchesLost':
        for (const token of effect.tokens) if ('op' in token) token.isWatchLost = true
        return
      case 'stream':
        if ('items' in effect.token) effect.token.items.push(effect.item)
        return
      default:
        return
    }
  }

  #fired(operation: Operation, zxid: Zxid): void {
    this.#history.fired(operation, zxid, this.#connection?.number ?? null)
  }

  #settled(operation: Token, settlement: Settlement): void {
    if (!('op' in operation)) return
    operation.settledOn = this.#connection?.number ?? null
    this.#history.settled(operation, settlement, this.#schedule.nowMs)
  }

  #open(number: number, server: ServerId): void {
    const events: ClientEnd = {
      opened: () => this.#input({ input: 'opened', connection: number }),
      frames: (frames) => this.#enter(() => this.#frames(number, frames)),
      lost: () => {
        if (this.#connection?.number === number) this.#connection = null
        this.#input({ input: 'lost', connection: number, reason: 'the connection was lost' })
      },
    }
    const to = this.#ensemble.connectClient(this.name, server, events)
    if (to !== null) this.#connection = { number, to }
    else this.#schedule.after(this.#ensemble.network.delayMs(), () => events.lost())
  }

  #frames(connection: number, frames: readonly ServerFrame[]): void {
    this.#tick()
    for (const frame of frames) this.#machine.step({ input: 'frame', connection, frame })
    this.#flush()
  }

  #input(input: Parameters<SessionMachine<Token>['step']>[0]): void {
    this.#enter(() => {
      this.#tick()
      this.#machine.step(input)
      this.#flush()
    })
  }

  #armTimer(): void {
    const atMs = this.#machine.wakeAtMs
    if (atMs === null || (this.#wakeAtMs !== null && this.#wakeAtMs <= atMs)) return
    this.#wakeAtMs = atMs
    const delayMs = this.#clock.worldMs(Math.max(0, atMs - this.#clock.nowMs))
    this.#schedule.after(delayMs, () => {
      if (this.#wakeAtMs === atMs) this.#wakeAtMs = null
      this.#enter(() => this.#flush())
    })
  }
}
