import { capacities, type Held } from '../recipes/grants.js'
import { Violation } from '../violation.js'
import type { Invariant } from './invariant.js'

/** A grant and whoever has it. */
interface Entry {
  readonly held: Held
  readonly holder: string
}

/**
 * G1: at no moment do more hold something than may, each by its own clock, paused ones included;
 * who comes to hold it has a higher token than all who did before.
 */
export class ExclusiveGrants implements Invariant {
  readonly #entries = new Set<Entry>()
  readonly #highest = new Map<string, number>()
  readonly #judged: (held: Held) => boolean

  /** @param judged false for those that may rightly overlap */
  constructor(judged: (held: Held) => boolean) {
    this.#judged = judged
  }

  /** @returns to be called once it was given back, or its holder is dead */
  granted(held: Held, holder: string): () => void {
    const entry = { held, holder }
    this.#entries.add(entry)
    if (capacities[held.kind] === 1 && this.#judged(held) && held.isHeld()) this.#rise(entry)
    this.check()
    return () => this.#entries.delete(entry)
  }

  check(): void {
    const counts = new Map<string, Entry[]>()
    for (const entry of this.#entries) {
      const { held } = entry
      if (!this.#judged(held) || !held.isHeld()) continue
      const holders = [...(counts.get(held.kind) ?? []), entry]
      counts.set(held.kind, holders)
      if (holders.length <= capacities[held.kind]) continue
      const names = holders.map(({ holder, held: { token } }) => `${holder} by ${token}`)
      throw new Violation('G1', `${held.kind} is held by ${names.join(' and ')}`)
    }
  }

  #rise({ held: { kind, token }, holder }: Entry): void {
    const highest = this.#highest.get(kind) ?? 0
    if (token <= highest) {
      throw new Violation('G1', `${holder} is given ${kind} by ${token}, after ${highest}`)
    }
    this.#highest.set(kind, token)
  }
}
