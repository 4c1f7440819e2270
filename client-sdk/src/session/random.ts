/** A seeded source of numbers in [0, 1): the machine's only dice. */
export class Random {
  #state: number

  /** @param seed any 32 bits; they come from outside */
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  shuffle<T>(items: readonly T[]): readonly T[] {
    const shuffled = [...items]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = Math.floor(this.next() * (i + 1))
      const kept = shuffled[i] as T
      shuffled[i] = shuffled[j] as T
      shuffled[j] = kept
    }
    return shuffled
  }
}
