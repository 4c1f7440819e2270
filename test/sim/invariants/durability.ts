import type { ServerId, Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { isSameTxn } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * L2, L3: what a server acknowledges is durable when the acknowledgement leaves, is there after
 * every restart, and has no holes.
 */
export class Durability implements Invariant {
  /** What each server has said to be durable, since its disk was new. */
  readonly #said = new Map<ServerId, Map<Zxid, Txn>>()

  check(sight: Sight, ledger: Ledger): void {
    const isGivenUp = sight.sight === 'hardState' && sight.hardState.currentEpoch === 0
    if (sight.sight === 'wiped' || isGivenUp) this.#said.delete(sight.server)
    if (sight.sight === 'sent') this.#sent(sight, ledger)
    if (sight.sight === 'persisting') this.#persisting(sight, ledger)
    if (sight.sight === 'started') this.#started(sight, ledger)
  }

  #sent({ server, frame }: Extract<Sight, { sight: 'sent' }>, ledger: Ledger): void {
    if (frame.frame !== 'ack' && frame.frame !== 'ackNewLeader') return
    const { durableZxid, durable, hardState } = ledger.log(server)
    if (frame.zxid > durableZxid) {
      throw new Violation('L2', `server ${server} acknowledges ${frame.zxid}, has ${durableZxid}`)
    }
    if (frame.frame === 'ackNewLeader' && hardState?.currentEpoch !== frame.epoch) {
      throw new Violation('L2', `server ${server} acknowledges epoch ${frame.epoch} too early`)
    }
    const said = this.#said.get(server) ?? new Map<Zxid, Txn>()
    this.#said.set(server, said)
    for (let zxid = frame.zxid; zxid > 0 && !said.has(zxid); zxid--) {
      const txn = durable.get(zxid)
      if (txn !== undefined) said.set(zxid, txn)
    }
  }

  #persisting({ server, effect }: Extract<Sight, { sight: 'persisting' }>, ledger: Ledger): void {
    const { truncateAfter, txns } = effect
    if (truncateAfter !== null) {
      if (truncateAfter < ledger.committed.length) this.#mayCut(server, truncateAfter, ledger)
      for (const zxid of this.#said.get(server)?.keys() ?? []) {
        if (zxid > truncateAfter) this.#said.get(server)?.delete(zxid)
      }
    }
    for (const [index, txn] of txns.entries()) {
      if (index > 0 && txn.zxid !== (txns[index - 1]?.zxid ?? 0) + 1) {
        throw new Violation('L3', `server ${server} logs a hole before ${txn.zxid}`)
      }
    }
  }

  /** L7: a truncation takes away nothing that was committed. */
  #mayCut(server: ServerId, after: Zxid, ledger: Ledger): void {
    const log = ledger.log(server)
    for (let zxid = after + 1; zxid <= ledger.committed.length; zxid++) {
      const [cut, committed] = [log.get(zxid as Zxid), ledger.committed[zxid - 1]]
      if (cut !== undefined && cut.epoch === committed?.epoch) {
        throw new Violation('L7', `server ${server} cuts ${zxid}, which is committed`)
      }
    }
  }

  #started({ server, recovered }: Extract<Sight, { sight: 'started' }>, ledger: Ledger): void {
    const { history, state } = recovered
    const last = Math.max(history.last.zxid, state.lastApplied.zxid)
    for (const [zxid, txn] of this.#said.get(server) ?? []) {
      const found = ledger.log(server).durable.get(zxid)
      const isThere = zxid <= last && (found === undefined || isSameTxn(found, txn))
      if (!isThere) throw new Violation('L2', `server ${server} has lost ${zxid} over a restart`)
    }
  }
}
