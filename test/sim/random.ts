/**
 * All the dice of one simulated world: xoshiro128** (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", 2018), seeded through a mixing function.
 */
export class Random {
  readonly #seed: number
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number) {
    this.#seed = seed >>> 0
    let state = this.#seed
    const next = (): number => {
      state = (state + 0x9e3779b9) >>> 0
      return mix(state)
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next()
  }

  /** Dice of their own: what one part of the world draws moves nothing in another. */
  split(name: string): Random {
    let hash = this.#seed
    for (let i = 0; i < name.length; i++) hash = mix((hash ^ name.charCodeAt(i)) >>> 0)
    return new Random(hash)
  }

  /** 32 bits. */
  bits(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotate(this.#d, 11)
    return result
  }

  /** In [0, 1). */
  fraction(): number {
    return this.bits() / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** In [low, high). */
  between(low: number, high: number): number {
    return low + this.fraction() * (high - low)
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.fraction() * count)
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.fraction())
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error('there is nothing to pick from')
    return from[this.below(from.length)] as T
  }

  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const other = this.below(i + 1)
      ;[shuffled[i], shuffled[other]] = [shuffled[other] as T, shuffled[i] as T]
    }
    return shuffled
  }
}

const rotate = (bits: number, by: number): number => (bits << by) | (bits >>> (32 - by))

const mix = (value: number): number => {
  let bits = value
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
