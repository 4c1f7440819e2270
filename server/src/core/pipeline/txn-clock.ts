/**
 * The clock that txns are stamped with during one leadership. It starts at the later of the last
 * txn's time and the wall clock, then runs on the monotonic clock, steered towards the wall clock
 * by at most a twentieth: it never stops, jumps or goes back.
 */
export class TxnClock {
  #timeMs: number
  #nowMs: number

  constructor(lastTxnMs: number, start: { readonly nowMs: number; readonly wallMs: number }) {
    this.#timeMs = Math.max(lastTxnMs, start.wallMs)
    this.#nowMs = start.nowMs
  }

  /** Milliseconds since 1970. */
  get timeMs(): number {
    return Math.floor(this.#timeMs)
  }

  advance({ nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number }): void {
    const elapsed = Math.max(nowMs - this.#nowMs, 0)
    this.#nowMs = nowMs
    const behind = wallMs - (this.#timeMs + elapsed)
    const steer = Math.min(Math.max(behind, -elapsed / 20), elapsed / 20)
    this.#timeMs += elapsed + steer
  }
}
