import { type End, Link, type Path } from './link.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'

/** A place that can be cut off from another: a server or a client. */
export type Place = string

export interface NetworkOptions {
  readonly delayMsMin: number
  readonly delayMsMean: number
  /** The share of messages that take up to seconds. */
  readonly tail: number
}

/** The links between all places, and what stands between them. */
export class Network {
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #options: NetworkOptions
  readonly #links = new Set<PlacedLink>()
  /** "from>to" for every direction that nothing gets through. */
  readonly #blocked = new Set<string>()
  #isCalm = false
  #factor = 1

  constructor(schedule: Schedule, random: Random, options: NetworkOptions) {
    this.#schedule = schedule
    this.#random = random
    this.#options = options
  }

  connect(places: readonly [Place, Place], ends: readonly [End, End]): Link {
    const [a, b] = places
    const link: Link = new Link(this.#schedule, this.#random, ends, [
      this.#path(a, b),
      this.#path(b, a),
    ])
    for (const each of this.#links) if (!each.link.isOpen) this.#links.delete(each)
    this.#links.add({ places, link })
    return link
  }

  isBlocked(from: Place, to: Place): boolean {
    return this.#blocked.has(`${from}>${to}`)
  }

  block(from: Place, to: Place): void {
    this.#blocked.add(`${from}>${to}`)
  }

  /** Gets through again what waits for this direction alone. */
  unblock(from: Place, to: Place): void {
    this.#blocked.delete(`${from}>${to}`)
    for (const { places, link } of this.#links) {
      if (places.includes(from) && places.includes(to)) link.retry()
    }
  }

  /** Everything gets through again; connections that stood still go on or break. */
  heal(breaks: number): void {
    this.#blocked.clear()
    for (const { link } of this.#links) {
      if (this.#random.chance(breaks)) link.break()
      else link.retry()
    }
  }

  /** Breaks the connections that `fits`. */
  reset(fits: (places: readonly [Place, Place]) => boolean): void {
    for (const { places, link } of this.#links) if (fits(places)) link.break()
  }

  /** Everything takes this many times as long. */
  slow(factor: number): void {
    this.#factor = factor
  }

  /** No more messages that take seconds. */
  calm(): void {
    this.#isCalm = true
    this.#factor = 1
  }

  delayMs(): number {
    const { delayMsMin, delayMsMean, tail } = this.#options
    if (!this.#isCalm && this.#random.chance(tail)) return this.#random.between(0, 3_000)
    return this.#factor * (delayMsMin + this.#random.exponential(delayMsMean))
  }

  #path(from: Place, to: Place): Path {
    const isBlocked = (): boolean => this.isBlocked(from, to)
    const delayMs = (): number => this.delayMs()
    return {
      delayMs,
      get isBlocked() {
        return isBlocked()
      },
    }
  }
}

interface PlacedLink {
  readonly places: readonly [Place, Place]
  readonly link: Link
}
