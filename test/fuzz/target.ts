import { Dice } from './dice.js'
import { mutated } from './mutate.js'

/** Something that takes any bytes. */
export interface Target {
  readonly name: string
  /** Good inputs to begin with. */
  readonly seeds: readonly Uint8Array[]
  /**
   * Throws what must not happen.
   * @returns a short word for what has happened; an input that gave a new one is kept
   */
  run(input: Buffer): string | Promise<string>
}

export interface Finding {
  readonly target: string
  readonly seed: number
  readonly execution: number
  /** The smallest input found that still fails. */
  readonly input: Buffer
  readonly error: Error
}

export interface Progress {
  executions: number
  readonly signatures: ReadonlySet<string>
}

const corpusMax = 2_000

/** Fuzzes one target. The same seed does the same, as long as the target does. */
export class Fuzzing {
  readonly progress: { executions: number; readonly signatures: Set<string> }
  readonly #target: Target
  readonly #seed: number
  readonly #dice: Dice
  readonly #corpus: Buffer[]

  constructor(target: Target, seed: number) {
    this.#target = target
    this.#seed = seed
    this.#dice = Dice.of(seed, target.name)
    this.#corpus = target.seeds.map((each) => Buffer.from(each))
    this.progress = { executions: 0, signatures: new Set() }
  }

  /** @returns the first thing that must not happen, made small; null when nothing did */
  async run(executions: number): Promise<Finding | null> {
    for (let i = 0; i < executions; i++) {
      const input = this.#next()
      this.progress.executions += 1
      try {
        this.#keep(await this.#target.run(input), input)
      } catch (error) {
        const small = await this.#shrunk(input)
        return {
          target: this.#target.name,
          seed: this.#seed,
          execution: this.progress.executions,
          input: small,
          error: error as Error,
        }
      }
    }
    return null
  }

  #next(): Buffer {
    const { executions } = this.progress
    const seed = this.#target.seeds[executions]
    if (seed !== undefined) return Buffer.from(seed)
    const dice = this.#dice
    if (this.#corpus.length === 0 || dice.once(50)) return dice.bytes(dice.below(200))
    return mutated(dice, dice.pick(this.#corpus), dice.pick(this.#corpus))
  }

  #keep(signature: string, input: Buffer): void {
    const { signatures } = this.progress
    if (signatures.has(signature)) return
    signatures.add(signature)
    if (this.#corpus.length < corpusMax && input.length <= 65_536) this.#corpus.push(input)
  }

  async #fails(input: Buffer): Promise<boolean> {
    try {
      await this.#target.run(input)
      return false
    } catch {
      return true
    }
  }

  /** Leaves out ever smaller pieces while it still fails. */
  async #shrunk(input: Buffer): Promise<Buffer> {
    let small = input
    for (let piece = small.length >> 1; piece > 0; piece >>= 1) {
      for (let from = 0; from + piece <= small.length;) {
        const shorter = Buffer.concat([small.subarray(0, from), small.subarray(from + piece)])
        if (await this.#fails(shorter)) small = shorter
        else from += piece
      }
    }
    return small
  }
}

/** A message without what differs from case to case. */
export const template = (message: string): string =>
  message
    .replaceAll(/\/[^\s'"]*/g, '/…')
    .replaceAll(/[-+]?[\d.]+(?:e[+-]?\d+)?/g, '#')
    .replaceAll(/'[^']*'/g, "'…'")
    .slice(0, 80)
