import type { Random } from './random.js'
import type { Schedule } from './schedule.js'

export interface ClockOptions {
  /** Of both clocks, as a fraction. */
  readonly driftMax: number
  /** Of the wall clock. */
  readonly offsetMsMax: number
}

/** The clocks of one machine: they run a little too fast or too slow, and its wall clock jumps. */
export class SimClock {
  readonly #schedule: Schedule
  readonly #rate: number
  #wallOffsetMs: number

  constructor(schedule: Schedule, random: Random, { driftMax, offsetMsMax }: ClockOptions) {
    this.#schedule = schedule
    this.#rate = 1 + random.between(-driftMax, driftMax)
    this.#wallOffsetMs = epochMs + random.between(-offsetMsMax, offsetMsMax)
  }

  get nowMs(): number {
    return this.#schedule.nowMs * this.#rate
  }

  get wallMs(): number {
    return Math.floor(this.nowMs + this.#wallOffsetMs)
  }

  /** From a duration on this machine to one of the world. */
  worldMs(ms: number): number {
    return ms / this.#rate
  }

  jump(byMs: number): void {
    this.#wallOffsetMs = Math.max(0, this.#wallOffsetMs + byMs)
  }
}

/** Some moment when simulated worlds begin. */
const epochMs = 1_800_000_000_000
