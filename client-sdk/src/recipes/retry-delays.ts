/** How long a failed attempt waits for its next one. */
export interface Backoff {
  readonly minMs: number
  readonly maxMs: number
}

/**
 * Doubled with each failure, and half of it drawn, so that what failed together does not come back
 * together ("equal jitter": Brooker, Exponential Backoff and Jitter, AWS 2015).
 *
 * @param failures in a row, from 1
 * @param draw from 0 up to 1
 * @returns ms
 */
export const backoffMs = ({ minMs, maxMs }: Backoff, failures: number, draw: number): number => {
  const longest = Math.min(maxMs, minMs * 2 ** (failures - 1))
  return (longest / 2) * (1 + draw)
}

/** Lets so many through each second on average, and a burst of them at once. */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #filledAtMs = 0

  constructor({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }) {
    this.#perMs = perSecond / 1_000
    this.#burst = burst
    this.#tokens = burst
  }

  /** Takes the next place. @returns how many ms from now it is */
  reserve(nowMs: number): number {
    const filled = this.#tokens + (nowMs - this.#filledAtMs) * this.#perMs
    this.#tokens = Math.min(this.#burst, filled) - 1
    this.#filledAtMs = nowMs
    return Math.max(0, -this.#tokens / this.#perMs)
  }
}
