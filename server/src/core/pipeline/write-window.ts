import { limits } from '@conclave/protocol'
import type { Connection } from './connection.js'

/**
 * How many writes of its clients a server has on their way. What is started stands in line at the
 * leader and in the links between the servers, where a ping or a round stands behind it; so what a
 * server cannot take in time waits in the queues of its connections, which take turns.
 */
export class WriteWindow {
  /** Of all connections, as {@link settle} has counted them. */
  #started = 0
  /** Those whose next write has to wait; who has waited longest comes first. */
  readonly #waiting = new Set<Connection>()
  /** The one that goes on, and what it may start before the others have had their turn. */
  #turn: { readonly connection: Connection; left: number } | null = null
  /** One that has waited for another reason, and need not wait for this one too. */
  #awaited: Connection | null = null

  /** @returns false when the connection's next write has to wait, for {@link renew} */
  admits(connection: Connection): boolean {
    const { startedWrites, countedWrites } = connection
    const hasRoom = this.#started + startedWrites - countedWrites < limits.writesInFlightMax
    if (this.#awaited === connection) {
      this.#awaited = null
      return true
    }
    const isItsTurn = this.#turn?.connection === connection && this.#turn.left > 0
    if (hasRoom && (this.#waiting.size === 0 || isItsTurn)) {
      if (this.#turn !== null) this.#turn.left -= 1
      return true
    }
    this.#waiting.add(connection)
    return false
  }

  /** To be called when the connection may have started or answered writes, or has closed. */
  settle(connection: Connection): void {
    const isOpen = connection.phase.phase !== 'closed'
    const now = isOpen ? connection.startedWrites : 0
    this.#started += now - connection.countedWrites
    connection.countedWrites = now
    if (!isOpen) this.#waiting.delete(connection)
  }

  /**
   * The connection's next write had to wait for something else, and goes now, room or not: with two
   * reasons to wait it would lose its turn for the one while it waits for the other.
   */
  admitNext(connection: Connection, goOn: () => void): void {
    this.#awaited = connection
    goOn()
    this.#awaited = null
  }

  /** True when somebody waits and need not. */
  get isOpen(): boolean {
    return this.#waiting.size > 0 && this.#started < limits.writesInFlightMax
  }

  /** @param goOn starts what the connection may start, and settles it */
  renew(goOn: (connection: Connection) => void): void {
    if (!this.isOpen) return
    // Who has to wait again does so behind the others, for another turn of the event loop.
    const waiting = [...this.#waiting]
    for (const connection of waiting) {
      if (this.#started >= limits.writesInFlightMax) return
      this.#waiting.delete(connection)
      this.#turn = { connection, left: writesPerTurn }
      goOn(connection)
      this.#turn = null
    }
  }
}

const writesPerTurn = 32
