import type { Txn } from '@conclave/protocol/peer'
import { isSameTxn } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/** Z1: one (epoch, zxid) names one txn, everywhere and for ever. */
export class UniquePositions implements Invariant {
  readonly #txns = new Map<string, Txn>()

  check(sight: Sight): void {
    if (sight.sight !== 'persisting') return
    for (const txn of sight.effect.txns) {
      const key = `${txn.epoch}:${txn.zxid}`
      const known = this.#txns.get(key)
      if (known === undefined) this.#txns.set(key, txn)
      else if (!isSameTxn(known, txn)) {
        throw new Violation('Z1', `server ${sight.server} logs another txn at ${key}`)
      }
    }
  }
}
