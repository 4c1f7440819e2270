import { quorumHighest } from './quorum.js'

/**
 * Rounds of heartbeats. A round is confirmed when a quorum of voters has acknowledged a heartbeat
 * sent after it began: at that moment no later leader was established. Rounds are numbered from 1
 * within an epoch and are shared by all who ask between two drains.
 */
export class Rounds {
  #begun = 0
  #confirmed = 0
  #isWanted = false

  /** The last round begun. */
  get begun(): number {
    return this.#begun
  }

  get confirmed(): number {
    return this.#confirmed
  }

  /** The number of the round that begins with the next drain. */
  want(): number {
    this.#isWanted = true
    return this.#begun + 1
  }

  /** True when the next drain begins a round. */
  get isWanted(): boolean {
    return this.#isWanted
  }

  /** Begins the round that was asked for, if one was. */
  begin(): boolean {
    if (!this.#isWanted) return false
    this.#isWanted = false
    this.#begun += 1
    return true
  }

  /** Takes for each voter the last round it acknowledged. True when that confirms another round. */
  confirm(acked: readonly number[]): boolean {
    const confirmed = quorumHighest(acked)
    if (confirmed <= this.#confirmed) return false
    this.#confirmed = confirmed
    return true
  }
}
