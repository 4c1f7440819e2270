import { limits } from '@conclave/protocol'

/**
 * How much of the state the requests of one turn may look at, whoever sent them, so that no turn
 * is long. What may cost much more than it says waits for another turn once that is spent; nothing
 * else ever waits.
 */
export class TurnBudget {
  #looks = 0
  /** Those whose next request has to wait; who has waited longest comes first. */
  readonly #waiting = new Map<object, () => void>()

  /**
   * @param who asks; once among those who wait
   * @param goOn is called in a later turn
   * @returns true when a heavy request is too early
   */
  defers(who: object, goOn: () => void): boolean {
    if (this.#looks < limits.looksPerTurnMax) return false
    if (!this.#waiting.has(who)) this.#waiting.set(who, goOn)
    return true
  }

  /** @param looks znodes or txns that were looked at */
  spend(looks: number): void {
    this.#looks += looks
  }

  /** Another turn: those who waited go on one after the other, while it lasts. */
  renew(): void {
    this.#looks = 0
    // Who has to wait again does so behind the others, in another turn.
    const waiting = [...this.#waiting]
    for (const [who, goOn] of waiting) {
      if (this.#looks >= limits.looksPerTurnMax) return
      this.#waiting.delete(who)
      goOn()
    }
  }
}
