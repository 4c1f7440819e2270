import { limits, type SessionId } from '@conclave/protocol'

/**
 * When each session ends unless it is heard of. Kept by an established leader alone, for one
 * leadership, on a clock of its own: it advances at most two ticks a tick, so that the time in
 * which this process was stalled ends nobody's session.
 */
export class SessionExpiry {
  readonly #timers = new Map<SessionId, Timer>()
  /** Sessions by the tick of their deadline; the ticks are gone through in order. */
  readonly #byTick = new Map<number, Set<SessionId>>()
  #clockMs = 0
  #lastNowMs: number
  #expiredTick = 0

  constructor(nowMs: number) {
    this.#lastNowMs = nowMs
  }

  advance(nowMs: number): void {
    this.#clockMs += Math.min(Math.max(nowMs - this.#lastNowMs, 0), 2 * limits.tickMs)
    this.#lastNowMs = nowMs
  }

  add(sessionId: SessionId, timeoutMs: number): void {
    this.#timers.set(sessionId, { timeoutMs, tick: -1 })
    this.touch(sessionId)
  }

  remove(sessionId: SessionId): void {
    const timer = this.#timers.get(sessionId)
    if (timer === undefined) return
    this.#timers.delete(sessionId)
    this.#leave(timer.tick, sessionId)
  }

  /** The session was heard of: it has its full timeout again. */
  touch(sessionId: SessionId): void {
    const timer = this.#timers.get(sessionId)
    if (timer === undefined) return
    // Rounded up: a session never ends early.
    const tick = Math.floor((this.#clockMs + timer.timeoutMs) / limits.tickMs) + 1
    if (tick === timer.tick) return
    this.#leave(timer.tick, sessionId)
    timer.tick = tick
    const due = this.#byTick.get(tick)
    if (due === undefined) this.#byTick.set(tick, new Set([sessionId]))
    else due.add(sessionId)
  }

  /** The sessions whose time is over. Each is taken out when it is given; the others are next. */
  *expired(): Generator<SessionId> {
    const now = Math.floor(this.#clockMs / limits.tickMs)
    for (; this.#expiredTick < now; this.#expiredTick++) {
      for (const sessionId of this.#byTick.get(this.#expiredTick + 1) ?? []) {
        this.remove(sessionId)
        yield sessionId
      }
    }
  }

  #leave(tick: number, sessionId: SessionId): void {
    const due = this.#byTick.get(tick)
    due?.delete(sessionId)
    if (due?.size === 0) this.#byTick.delete(tick)
  }
}

interface Timer {
  readonly timeoutMs: number
  tick: number
}
