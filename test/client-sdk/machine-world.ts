import { Secret } from '@conclave/protocol'
import type { Effect, Settlement } from '#client/session/effect.js'
import { SessionMachine } from '#client/session/machine.js'
import type { Op, OpResult } from '@conclave/protocol'
import { Random } from '../sim/random.js'
import { getChildren } from '../support/replica-kit.js'
import { type VirtualConnection, VirtualNetwork } from '../support/virtual-network.js'
import { nonce } from './machine-kit.js'

/** What the caller knows of one of its calls. */
export interface Made {
  readonly op: Op
  readonly isAbortable: boolean
  isAborted: boolean
  readonly settlements: Settlement[]
}

/** One session machine on a virtual network: everything happens in the test's own turn. */
export class MachineWorld {
  readonly random: Random
  readonly network: VirtualNetwork
  readonly machine: SessionMachine<Made>
  readonly made: Made[] = []
  /** Promises that the machine has broken. */
  readonly faults: string[] = []
  #connection: { readonly id: number; readonly to: VirtualConnection } | null = null
  /** The last connection that the machine knows to be gone. */
  #left = 0
  #isClosing = false
  /** Until then the client's process stands still, and what comes in waits. */
  #frozenUntilMs = 0
  #inbox: (() => void)[] = []
  /** As the last state effect said. */
  #state = 'suspended'

  constructor(seed: number) {
    this.random = new Random(seed)
    this.network = new VirtualNetwork(this.random.split('network'))
    this.network.kit.client().create('/f')
    this.machine = new SessionMachine({
      servers: ['a:1', 'b:1'],
      nonce,
      sessionTimeoutMs: 4_000,
      identities: [{ scheme: 'digest', user: 'u', password: new Secret('p') }],
      seed,
    })
    this.#enter(() => undefined)
  }

  get state(): string {
    return this.#state
  }

  get isFinal(): boolean {
    return this.#state === 'closed' || this.#state === 'expired'
  }

  get open(): readonly Made[] {
    return this.made.filter(({ isAborted, settlements }) => !isAborted && settlements.length === 0)
  }

  /** The children of `/f`, as another client sees them. */
  get tree(): readonly string[] {
    const { children } = this.network.kit.client().ok(getChildren('/f'))
    return children.map(({ name }) => `/f/${name}`)
  }

  get isSessionOver(): boolean {
    const { sessionId } = this.machine
    return this.network.kit.log.some(
      ({ body }) => body.body === 'closeSession' && body.closedSession === sessionId,
    )
  }

  call(op: Op, isAbortable: boolean): void {
    const token: Made = { op, isAbortable, isAborted: false, settlements: [] }
    this.made.push(token)
    this.#enter(() => {
      this.machine.step({ input: 'submit', token, op, abortable: isAbortable })
    })
  }

  abort(token: Made): void {
    token.isAborted = true
    this.#enter(() => this.machine.step({ input: 'abort', token }))
  }

  close(timeoutMs: number): void {
    this.#isClosing = true
    this.#enter(() => this.machine.step({ input: 'close', timeoutMs }))
  }

  freeze(forMs: number): void {
    this.#frozenUntilMs = this.network.nowMs + forMs
    this.network.at(this.#frozenUntilMs, () => {
      for (const run of this.#inbox.splice(0)) run()
    })
  }

  /** Lets time pass, event by event. */
  run(forMs: number): void {
    const untilMs = this.network.nowMs + forMs
    for (let goes = true; goes;) {
      const wakeMs = this.#isFrozen ? Infinity : (this.machine.wakeAtMs ?? Infinity)
      goes = this.network.next(Math.min(untilMs, wakeMs)) || wakeMs <= untilMs
      this.#enter(() => undefined)
      this.#checkDeadline()
    }
  }

  get #isFrozen(): boolean {
    return this.network.nowMs < this.#frozenUntilMs
  }

  /** Steps, and does what follows from it. */
  #enter(step: () => void): void {
    if (!this.#isFrozen) this.machine.step({ input: 'tick', nowMs: this.network.nowMs })
    step()
    if (this.#isFrozen) return
    for (const effect of this.machine.drain()) this.#do(effect)
  }

  #do(effect: Effect<Made>): void {
    switch (effect.effect) {
      case 'open':
        return this.#open(effect.connection)
      case 'close':
        this.#left = effect.connection
        if (this.#connection?.id === effect.connection) this.#connection.to.close()
        return
      case 'send':
        if (effect.connection <= this.#left) this.faults.push('sent on a connection that is left')
        if (this.#connection?.id === effect.connection) this.#connection.to.send(effect.frames)
        return
      case 'settle': {
        const { token, settlement } = effect
        token.settlements.push(settlement)
        if (token.isAborted) this.faults.push(`settled after its abort: ${token.op.op}`)
        if (token.settlements.length > 1) this.faults.push(`settled twice: ${token.op.op}`)
        return
      }
      case 'state':
        if (this.isFinal) this.faults.push(`${effect.change.state} after ${this.#state}`)
        this.#state = effect.change.state
        return
      default:
    }
  }

  #open(connection: number): void {
    const to = this.network.open({
      opened: () => this.#hear(() => this.machine.step({ input: 'opened', connection })),
      frames: (frames) =>
        this.#hear(() => {
          for (const frame of frames) this.machine.step({ input: 'frame', connection, frame })
        }),
      lost: (reason) =>
        this.#hear(() => {
          this.#left = Math.max(this.#left, connection)
          this.machine.step({ input: 'lost', connection, reason })
        }),
    })
    this.#connection = { id: connection, to }
  }

  #hear(step: () => void): void {
    if (this.#isFrozen) this.#inbox.push(() => this.#enter(step))
    else this.#enter(step)
  }

  /** The servers never count a session out before the client counts itself out. */
  #checkDeadline(): void {
    if (this.isFinal || this.#isFrozen || this.#isClosing || !this.isSessionOver) return
    const { deadlineMs } = this.machine
    const { nowMs } = this.network
    if (deadlineMs !== null && nowMs >= deadlineMs) return
    this.faults.push(`the session is over at ${nowMs}, before the deadline ${deadlineMs}`)
  }
}

/** The path that a create has made, if it was answered so. */
export const madeBy = ({ op, settlements: [first] }: Made): string | null =>
  op.op === 'create' && first?.settled === 'done' ? (first.result as OpResult<'create'>).path : null
