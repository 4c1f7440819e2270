import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * Z9: when a txn is first applied anywhere, a majority of the voters has it durable, or had it
 * until a disk was lost.
 */
export class QuorumAck implements Invariant {
  #checked = 0

  check(sight: Sight, ledger: Ledger): void {
    if (sight.sight !== 'applied') return
    for (; this.#checked < ledger.committed.length; this.#checked++) {
      const txn = ledger.committed[this.#checked]
      if (txn === undefined || ledger.holders(txn) + ledger.forgetful >= ledger.majority) continue
      const holders = `${ledger.holders(txn)} of ${ledger.voters.length}`
      throw new Violation('Z9', `${txn.zxid} is committed and durable on ${holders}`)
    }
  }
}
