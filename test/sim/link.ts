import type { Random } from './random.js'
import type { Schedule } from './schedule.js'

/** One end of a connection: what happens to whoever holds it. */
export interface End {
  receive(message: unknown): void
  lost(): void
}

/** What the network is like for one direction between two places, at one moment. */
export interface Path {
  delayMs(): number
  /** Nothing gets through; what is sent waits, as it does in the buffers of TCP. */
  readonly isBlocked: boolean
}

/**
 * A connection as TCP gives it: each direction in order, nothing lost while it is open, and when it
 * breaks each end has got a prefix of what the other sent.
 */
export class Link {
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #directions: readonly [Direction, Direction]
  #isOpen = true

  constructor(
    schedule: Schedule,
    random: Random,
    ends: readonly [End, End],
    paths: readonly [Path, Path],
  ) {
    this.#schedule = schedule
    this.#random = random
    this.#directions = [
      { to: ends[1], path: paths[0], waiting: [] },
      { to: ends[0], path: paths[1], waiting: [] },
    ]
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** From the end with this index. */
  send(from: 0 | 1, message: unknown): void {
    if (!this.#isOpen) return
    const direction = this.#directions[from]
    const { path, waiting } = direction
    const last = waiting.at(-1)?.atMs ?? 0
    const atMs = Math.max(this.#schedule.nowMs + path.delayMs(), last)
    waiting.push({ message, atMs })
    this.#schedule.at(atMs, () => this.#arrive(direction))
  }

  /** The way is free again: what waited goes on. */
  retry(): void {
    for (const direction of this.#directions) {
      const delayMs = direction.path.delayMs()
      this.#schedule.after(delayMs, () => this.#arrive(direction))
    }
  }

  /** Each end learns of it in its own time, after a chance prefix of what was on its way. */
  break(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    for (const { to, path, waiting } of this.#directions) {
      const arriving = path.isBlocked ? 0 : this.#random.below(waiting.length + 1)
      const kept = waiting.splice(0).slice(0, arriving)
      this.#schedule.after(path.delayMs(), () => {
        for (const { message } of kept) to.receive(message)
        to.lost()
      })
    }
  }

  #arrive({ to, path, waiting }: Direction): void {
    while (this.#isOpen && !path.isBlocked) {
      const next = waiting[0]
      if (next === undefined || next.atMs > this.#schedule.nowMs) return
      waiting.shift()
      to.receive(next.message)
    }
  }
}

interface Direction {
  readonly to: End
  readonly path: Path
  /** In order; none arrives before its time. */
  readonly waiting: { readonly message: unknown; readonly atMs: number }[]
}
