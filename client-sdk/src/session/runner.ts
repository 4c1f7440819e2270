import {
  type Op,
  type OpName,
  type OpResult,
  ShapeError,
  type Zxid,
  type Secret,
} from '@conclave/protocol'
import { clientMessages, serverMessages } from '@conclave/protocol/codec'
import type { Clock, Connection, Platform } from '../transport/transport.js'
import { Call, type Caller, type WatchObserver } from './call.js'
import type { Effect, Settlement, StateChange } from './effect.js'
import type { Input } from './input.js'
import { type MachineConfig, type ServerStanding, SessionMachine } from './machine.js'
import { type Wait, Waits } from './wait.js'

/** What a call brings besides its op. */
interface CallContext {
  readonly wait: Wait
  readonly secret?: Secret
  readonly observer?: WatchObserver | null
  /** Makes the error of what went wrong. */
  readonly toError: (failed: FailedSettlement) => Error
}

export type FailedSettlement = Settlement & { readonly settled: 'failed' }

export interface Answer<N extends OpName> {
  readonly result: OpResult<N>
  readonly zxid: Zxid
}

/**
 * Timers and transport around the machine: steps what comes in, drains once a turn, and does what
 * the effects say, in their order.
 */
export class SessionRunner {
  /** Of all who wait for something of this session. */
  readonly waits: Waits
  readonly #machine: SessionMachine<Caller>
  readonly #platform: Platform
  readonly #listeners = new Set<(change: StateChange) => void>()
  /** The last thing each server tried has said. */
  readonly #reasons = new Map<string, string>()
  #connection: { readonly id: number; readonly server: string; readonly to: Connection } | null =
    null
  #isFlushDue = false
  #timer: { readonly atMs: number; readonly cancel: () => void } | null = null
  #readiness: PromiseWithResolvers
  #closing: Promise<void> | null = null

  constructor(config: MachineConfig, platform: Platform) {
    this.#machine = new SessionMachine(config)
    this.#platform = platform
    this.waits = new Waits((afterMs, run) => platform.timer(afterMs, run))
    this.#readiness = withResolvers()
    this.#readiness.promise.catch(() => {})
  }

  get machine(): Pick<SessionMachine<Caller>, 'state' | 'sessionId' | 'lastZxidSeen' | 'calls'> {
    return this.#machine
  }

  /** The server that the session is attached to, and where it was reached. */
  get server(): (ServerStanding & { readonly address: string }) | null {
    const standing = this.#machine.server
    if (standing === null || this.#connection === null) return null
    return { address: this.#connection.server, ...standing }
  }

  /** By the clock of this moment, even while no timer could run. */
  get isSafe(): boolean {
    const { deadline } = this.#machine.state
    return deadline !== null && this.#platform.nowMs() < deadline
  }

  get clock(): Clock {
    return this.#platform
  }

  get reasons(): ReadonlyMap<string, string> {
    return this.#reasons
  }

  /**
   * Opens the first connection.
   * @returns when the session is attached and its identities are accepted
   */
  start(): Promise<void> {
    this.#flush()
    return this.#readiness.promise
  }

  /** @returns the answer; rejects when the wait is over before it has come */
  call<N extends OpName>(op: Op<N>, context: CallContext): Promise<Answer<N>> {
    const { wait, secret, observer = null } = context
    return new Promise((resolve, reject) => {
      const giveUp = (reason: unknown): void => reject(reason as Error)
      if (wait.over !== null) return giveUp(wait.over.reason)
      const call = new Call((settlement) => {
        if (settlement.settled === 'failed') return reject(context.toError(settlement))
        resolve({ result: settlement.result as OpResult<N>, zxid: settlement.zxid as Zxid })
      }, observer)
      wait.onOver = (reason) => {
        this.step({ input: 'abort', token: call })
        giveUp(reason)
      }
      const { isLimited: abortable } = wait
      const submit = { input: 'submit', token: call, op: op as Op, abortable } as const
      this.step(secret === undefined ? submit : { ...submit, secret })
    })
  }

  /** For inputs that time does not matter to; what they bring about leaves with this turn. */
  step(input: Input<Caller>): void {
    this.#machine.step(input)
    this.#flushLater()
  }

  onState(listener: (change: StateChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** @returns when nothing is left: no connection, no timer */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      if (this.#isFinal()) return resolve()
      const stop = this.onState(() => {
        if (!this.#isFinal()) return
        stop()
        resolve()
      })
      this.#tick()
      this.step({ input: 'close', timeoutMs })
    })
    return this.#closing
  }

  /** Ends everything at once; the session, if there is one, is left to its timeout. */
  abandon(reason: string): void {
    this.#machine.step({ input: 'abandon', reason })
    this.#flush()
  }

  #isFinal(): boolean {
    const { state } = this.#machine.state
    return state === 'closed' || state === 'expired'
  }

  #tick(): void {
    this.#machine.step({ input: 'tick', nowMs: this.#platform.nowMs() })
  }

  #flushLater(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    this.#platform.defer(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushDue = false
    this.#tick()
    for (const effect of this.#machine.drain()) this.#do(effect)
    this.#armTimer()
  }

  #do(effect: Effect<Caller>): void {
    switch (effect.effect) {
      case 'send':
        if (this.#connection?.id !== effect.connection) return
        return this.#connection.to.send(clientMessages.encode(effect.frames))
      case 'settle':
        return effect.token.settled(effect.settlement)
      case 'event':
        for (const token of effect.tokens) token.fired(effect.event)
        return
      case 'watchesLost':
        for (const token of effect.tokens) token.watchLost(effect.why)
        return
      case 'stream':
        return effect.token.item(effect.item)
      case 'open':
        return this.#open(effect.connection, effect.server)
      case 'close':
        if (this.#connection?.id !== effect.connection) return
        this.#reasons.set(this.#connection.server, effect.reason)
        this.#connection.to.close()
        this.#connection = null
        return
      case 'ready':
        return this.#readiness.resolve()
      case 'identityRefused':
        return this.#readiness.reject(new IdentityRefused(effect))
      case 'state':
        return this.#tell(effect.change)
    }
  }

  #open(id: number, server: string): void {
    if (!this.#reasons.has(server)) this.#reasons.set(server, 'no answer yet')
    const events = {
      opened: () => {
        this.#reasons.set(server, 'it has not attached the session yet')
        this.#input({ input: 'opened', connection: id })
      },
      message: (message: Uint8Array) => this.#message(id, message),
      lost: (reason: string, isTooLarge = false) => {
        this.#reasons.set(server, reason)
        if (this.#connection?.id === id) this.#connection = null
        this.#input({ input: 'lost', connection: id, reason, isTooLarge })
      },
    }
    try {
      this.#connection = { id, server, to: this.#platform.transport.open(server, events) }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#platform.defer(() => events.lost(reason))
    }
  }

  #message(connection: number, message: Uint8Array): void {
    try {
      const frames = serverMessages.decode(message)
      this.#tick()
      for (const frame of frames) this.#machine.step({ input: 'frame', connection, frame })
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      const reason = `the server sent what is no message: ${error.message}`
      if (this.#connection?.id === connection) {
        this.#reasons.set(this.#connection.server, reason)
        this.#connection.to.close()
        this.#connection = null
      }
      this.#machine.step({ input: 'lost', connection, reason })
    }
    this.#flush()
  }

  /** For inputs that time matters to. */
  #input(input: Input<Caller>): void {
    this.#tick()
    this.#machine.step(input)
    this.#flush()
  }

  /** One timer for everything; one that fires too early finds nothing due and is set again. */
  #armTimer(): void {
    const atMs = this.#machine.wakeAtMs
    if (atMs !== null && this.#timer !== null && this.#timer.atMs <= atMs) return
    this.#timer?.cancel()
    this.#timer = null
    if (atMs === null) return
    const cancel = this.#platform.timer(Math.max(0, atMs - this.#platform.nowMs()), () => {
      this.#timer = null
      // Later in this turn: what came in while the process stood still is heard before any silence
      // is judged.
      this.#flushLater()
    })
    this.#timer = { atMs, cancel }
  }

  #tell(change: StateChange): void {
    if (change.state === 'expired' || change.state === 'closed') {
      this.#readiness.reject(new Error(change.reason ?? change.state))
    }
    for (const listener of this.#listeners) {
      try {
        listener(change)
      } catch (error) {
        // As an event target does: the listener's fault is not the session's.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

/** An identity named at the start was refused. */
export class IdentityRefused extends Error {
  readonly refusal: Extract<Effect<Caller>, { effect: 'identityRefused' }>

  constructor(refusal: Extract<Effect<Caller>, { effect: 'identityRefused' }>) {
    super(refusal.failure.message)
    this.refusal = refusal
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const withResolvers = (): PromiseWithResolvers => {
  let resolve!: () => void
  let reject!: (error: Error) => void
  const promise = new Promise<void>((onDone, onFailed) => {
    resolve = onDone
    reject = onFailed
  })
  return { promise, resolve, reject }
}
