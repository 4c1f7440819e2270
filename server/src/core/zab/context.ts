import type { ServerId } from '@conclave/protocol'
import type { ReplicaConfig } from '../config.js'
import type { Delivery } from './delivery.js'
import type { Journal } from './journal.js'
import type { Outbox } from './outbox.js'
import type { ZabHost } from './ports.js'

/** What outlives the roles, lent to each of them in turn. */
export interface Context {
  readonly config: ReplicaConfig
  readonly host: ZabHost
  readonly journal: Journal
  readonly delivery: Delivery
  readonly outbox: Outbox
  readonly clock: Clock
}

/** Why a server leaves its role to look for a leader anew, and which peer made it do so. */
export interface Departure {
  readonly from: ServerId | null
  readonly why: string
}

/**
 * Time for measuring silence. It advances at most two ticks a tick: after a stall what others said
 * meanwhile is heard first, before their silence counts.
 */
export class Clock {
  #nowMs = 0
  #tickedMs: number | null = null
  readonly #stepMsMax: number

  constructor(stepMsMax: number) {
    this.#stepMsMax = stepMsMax
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** False until the first tick. */
  get isRunning(): boolean {
    return this.#tickedMs !== null
  }

  tick(nowMs: number): void {
    const step = this.#tickedMs === null ? 0 : nowMs - this.#tickedMs
    this.#tickedMs = nowMs
    this.#nowMs += Math.min(Math.max(step, 0), this.#stepMsMax)
  }
}
