import { limits } from '@conclave/protocol'
import type { Connection } from './connection.js'

/**
 * How much of the state the requests of one turn may look at, whoever sent them, so that no turn
 * is long. What may cost much more than it says waits for another turn once that is spent; nothing
 * else ever waits.
 */
export class TurnBudget {
  #looks = 0
  /** Those whose next request has to wait; who has waited longest comes first. */
  readonly #waiting = new Set<Connection>()

  /** @returns true when a heavy request is too early: its connection goes on in a later turn */
  defers(connection: Connection): boolean {
    if (this.#looks < limits.looksPerTurnMax) return false
    this.#waiting.add(connection)
    return true
  }

  /** @param looks znodes or txns that were looked at */
  spend(looks: number): void {
    this.#looks += looks
  }

  /** Another turn: those who waited go on one after the other, while it lasts. */
  renew(goOn: (connection: Connection) => void): void {
    this.#looks = 0
    // Who has to wait again does so behind the others, in another turn.
    const waiting = [...this.#waiting]
    for (const connection of waiting) {
      if (this.#looks >= limits.looksPerTurnMax) return
      this.#waiting.delete(connection)
      goOn(connection)
    }
  }
}
