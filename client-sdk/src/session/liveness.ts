import { limits } from '@conclave/protocol'
import { bounds } from './bounds.js'

/** Two clocks may drift five per cent each, so the client counts on nine tenths of the timeout. */
const deadlineFraction = 0.9
const pingFraction = 1 / 3

/**
 * Pings, probes and the deadline: arithmetic on send times alone. The deadline starts from the
 * *send* time of what was answered, because the server's clock for the session started later.
 */
export class Liveness {
  #timeoutMs = 0
  #deadlineMs: number | null = null
  #pings: { readonly id: number; readonly sentMs: number }[] = []
  #nextPingMs: number | null = null
  /** Since when something is unanswered without a sign of the server; null when nothing is. */
  #quietSinceMs: number | null = null
  #probeSentMs: number | null = null
  #lastId = 0

  get deadlineMs(): number | null {
    return this.#deadlineMs
  }

  get hasPings(): boolean {
    return this.#pings.length > 0
  }

  attached(timeoutMs: number, connectSentMs: number): void {
    this.#timeoutMs = timeoutMs
    this.#extend(connectSentMs)
    this.#nextPingMs = connectSentMs + timeoutMs * pingFraction
  }

  detached(): void {
    this.#pings = []
    this.#nextPingMs = null
    this.#quietSinceMs = null
    this.#probeSentMs = null
  }

  /** Something that wants an answer has just been sent. */
  asked(nowMs: number): void {
    this.#quietSinceMs ??= nowMs
  }

  /** Any frame is a sign of the server. */
  heard(nowMs: number): void {
    if (this.#quietSinceMs !== null) this.#quietSinceMs = nowMs
    this.#probeSentMs = null
  }

  nothingUnanswered(): void {
    if (this.#probeSentMs === null) this.#quietSinceMs = null
  }

  /** @returns the id of the ping to send now, or null */
  duePing(nowMs: number): number | null {
    if (this.#nextPingMs === null || nowMs < this.#nextPingMs) return null
    this.#lastId += 1
    if (this.#pings.length >= bounds.pingsMax) this.#pings.shift()
    this.#pings.push({ id: this.#lastId, sentMs: nowMs })
    this.#nextPingMs = nowMs + this.#timeoutMs * pingFraction
    return this.#lastId
  }

  /** @returns when that ping was sent; null when it is not one of the latest */
  pong(id: number): number | null {
    const ping = this.#pings.find((sent) => sent.id === id)
    if (ping === undefined) return null
    this.#pings = this.#pings.filter((sent) => sent.id > id)
    this.#extend(ping.sentMs)
    return ping.sentMs
  }

  /** @returns the id of the probe to send now, or null */
  dueProbe(nowMs: number): number | null {
    if (this.#quietSinceMs === null || this.#probeSentMs !== null) return null
    if (nowMs < this.#quietSinceMs + limits.probeAfterMs) return null
    this.#probeSentMs = nowMs
    this.#lastId += 1
    return this.#lastId
  }

  isDead(nowMs: number): boolean {
    return this.#probeSentMs !== null && nowMs >= this.#probeSentMs + limits.probeTimeoutMs
  }

  isDeadlinePassed(nowMs: number): boolean {
    return this.#deadlineMs !== null && nowMs >= this.#deadlineMs
  }

  /** The times at which something becomes due; the deadline only while it lies ahead. */
  wakeAtMs(nowMs: number): number {
    const probe =
      this.#probeSentMs !== null
        ? this.#probeSentMs + limits.probeTimeoutMs
        : (this.#quietSinceMs ?? Infinity) + limits.probeAfterMs
    const deadline = this.isDeadlinePassed(nowMs) ? Infinity : (this.#deadlineMs ?? Infinity)
    return Math.min(probe, this.#nextPingMs ?? Infinity, deadline)
  }

  #extend(sentMs: number): void {
    const deadlineMs = sentMs + this.#timeoutMs * deadlineFraction
    if (this.#deadlineMs === null || deadlineMs > this.#deadlineMs) this.#deadlineMs = deadlineMs
  }
}
