/**
 * Bytes that are held for many connections, each within a bound of its own that would be too much
 * for all of them together.
 */
export class SharedBound {
  readonly #bytesMax: number
  readonly #holdings = new Set<Holding>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @returns what one connection holds, nothing yet */
  open(): Holding {
    let held = 0
    const holding: Holding = {
      set: (bytes) => {
        if (!this.#holdings.has(holding)) return true
        this.#bytes += bytes - held
        held = bytes
        // When all together have too much, somebody has more than his part.
        return this.#bytes <= this.#bytesMax || held * this.#holdings.size <= this.#bytesMax
      },
      close: () => {
        if (this.#holdings.delete(holding)) this.#bytes -= held
      },
    }
    this.#holdings.add(holding)
    return holding
  }
}

export interface Holding {
  /** @returns false when it has to go: there is too much in all, and it has more than its part */
  set(bytes: number): boolean
  /** It holds nothing any more. */
  close(): void
}
