import type { Ledger } from '../ledger.js'
import { isSameTxn } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * Z3, Z5, Z6: what servers apply are prefixes of one log, without holes, in which epochs never
 * fall. The first server to apply a txn adds it to that log.
 */
export class Agreement implements Invariant {
  check(sight: Sight, ledger: Ledger): void {
    if (sight.sight !== 'applied') return
    const { server, zxid } = sight
    const txn = ledger.log(server).held(zxid)
    const known = ledger.committed[zxid - 1]
    // A snapshot may stand for what is applied: the digest answers for it.
    if (txn === undefined) {
      if (known !== undefined) return
      throw new Violation('Z3', `server ${server} applies ${zxid}, which is not in its log`)
    }
    if (known !== undefined) {
      if (isSameTxn(known, txn)) return
      throw new Violation('Z3', `server ${server} applies another txn at ${zxid}`)
    }
    const last = ledger.committed.at(-1)
    if (zxid !== (last?.zxid ?? 0) + 1) {
      throw new Violation('Z5', `server ${server} applies ${zxid} after ${last?.zxid ?? 0}`)
    }
    if (txn.epoch < (last?.epoch ?? 0)) {
      throw new Violation('Z6', `the epoch falls to ${txn.epoch} at ${zxid}`)
    }
    ledger.commit(txn)
  }
}
