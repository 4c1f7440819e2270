import { type ClientFrame, limits, type ServerFrame } from '@conclave/protocol'
import type { ConnectionId } from '#server/core/input.js'
import type { Random } from '../sim/random.js'
import { ReplicaKit } from './replica-kit.js'

/** What a client hears of one of its connections. */
export interface VirtualEnd {
  opened(): void
  frames(frames: readonly ServerFrame[]): void
  /** Said once and last. */
  lost(reason: string): void
}

export interface VirtualConnection {
  send(frames: readonly ClientFrame[]): void
  close(): void
}

/**
 * One real replica, and before it a network that does what the seed says. Time is a number that the
 * test moves on, from event to event.
 */
export class VirtualNetwork {
  readonly kit = new ReplicaKit()
  readonly #random: Random
  readonly #links = new Set<Link>()
  #events: Event[] = []
  #nowMs: number
  #darkUntilMs = 0

  constructor(random: Random) {
    this.#random = random
    this.#nowMs = this.kit.nowMs
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** How many connections a client has opened and neither lost nor closed. */
  get connections(): number {
    return this.#links.size
  }

  /** @returns takes it back; false when it has happened already */
  at(atMs: number, run: () => void): () => boolean {
    const event = { atMs: Math.max(atMs, this.#nowMs), run }
    const index = this.#events.findLastIndex((other) => other.atMs <= event.atMs)
    this.#events.splice(index + 1, 0, event)
    return () => {
      const at = this.#events.indexOf(event)
      if (at >= 0) this.#events.splice(at, 1)
      return at >= 0
    }
  }

  /** Runs what comes next. @returns false when nothing comes until then, and it is then */
  next(untilMs: number): boolean {
    const tickMs = this.kit.nowMs + limits.tickMs
    const nextMs = Math.min(tickMs, this.#events[0]?.atMs ?? Infinity)
    if (nextMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs)
      return false
    }
    this.#nowMs = Math.max(this.#nowMs, nextMs)
    if (tickMs <= this.#nowMs) this.kit.tick()
    else this.#events.shift()?.run()
    for (const link of this.#links) this.#collect(link)
    return true
  }

  /** Until then nothing gets through; some are told, some are not. */
  dark(forMs: number): void {
    this.#darkUntilMs = this.#nowMs + forMs
  }

  /** Every connection is lost, and both ends know. */
  cut(): void {
    for (const link of this.#links) this.#lose(link, 'cut')
  }

  /** The server dies and starts again from its disk. */
  restart(): void {
    this.cut()
    this.kit.restart()
  }

  open(end: VirtualEnd): VirtualConnection {
    const link: Link = { end, at: null, toServerMs: 0, toClientMs: 0, isBroken: false }
    this.#links.add(link)
    this.at(this.#later(0), () => {
      if (!this.#links.has(link)) return
      if (this.#darkUntilMs > this.#nowMs) {
        if (this.#random.chance(0.5)) this.#lose(link, 'refused')
        return
      }
      link.at = this.kit.open().connection
      end.opened()
    })
    return {
      send: (frames) => {
        link.toServerMs = this.#later(link.toServerMs)
        this.at(link.toServerMs, () => this.#deliver(link, frames))
      },
      close: () => this.#forget(link),
    }
  }

  #deliver(link: Link, frames: readonly ClientFrame[]): void {
    for (const frame of frames) {
      if (link.at === null || this.#isLost(link)) return
      this.kit.step({ input: 'clientFrame', connection: link.at, frame, bytes: 100 })
    }
  }

  /** What the server has sent since is on its way. */
  #collect(link: Link): void {
    if (link.at === null) return
    const frames = this.kit.frames.get(link.at)?.splice(0) ?? []
    const isClosed = this.kit.closed.delete(link.at)
    if (frames.length === 0 && !isClosed) return
    link.toClientMs = this.#later(link.toClientMs)
    this.at(link.toClientMs, () => {
      if (this.#isLost(link)) return
      if (frames.length > 0) link.end.frames(frames)
      if (isClosed) this.#lose(link, 'closed by the server')
    })
  }

  /** What is lost in the dark breaks the connection: nothing comes through any more. */
  #isLost(link: Link): boolean {
    link.isBroken ||= this.#darkUntilMs > this.#nowMs
    return link.isBroken || !this.#links.has(link)
  }

  #lose(link: Link, reason: string): void {
    if (!this.#links.has(link)) return
    this.#forget(link)
    link.end.lost(reason)
  }

  #forget(link: Link): void {
    if (!this.#links.delete(link) || link.at === null) return
    this.kit.step({ input: 'clientLost', connection: link.at })
  }

  #later(afterMs: number): number {
    const takesMs = this.#random.between(0.1, this.#random.chance(0.03) ? 700 : 5)
    return Math.max(afterMs, this.#nowMs + takesMs)
  }
}

interface Event {
  readonly atMs: number
  readonly run: () => void
}

interface Link {
  readonly end: VirtualEnd
  /** Null until the server has accepted it. */
  at: ConnectionId | null
  toServerMs: number
  toClientMs: number
  isBroken: boolean
}
