import type { Epoch, ServerId, Zxid } from '@conclave/protocol'
import type { HardState } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * Z4, Z7: an epoch has one leader, who holds all that was committed in epochs before it; epochs
 * never fall.
 */
export class Leadership implements Invariant {
  readonly #leaders = new Map<Epoch, ServerId>()
  /** How much was committed when the epoch was established. */
  readonly #committedAt = new Map<Epoch, number>()
  readonly #hardStates = new Map<ServerId, HardState>()

  check(sight: Sight, ledger: Ledger): void {
    if (sight.sight === 'established') this.#established(sight, ledger)
    if (sight.sight === 'hardState') this.#hardState(sight.server, sight.hardState)
    if (sight.sight === 'started') this.#hardState(sight.server, sight.recovered.hardState)
    if (sight.sight === 'wiped') this.#hardStates.delete(sight.server)
  }

  #established({ server, epoch }: { server: ServerId; epoch: Epoch }, ledger: Ledger): void {
    const other = this.#leaders.get(epoch)
    if (other !== undefined && other !== server) {
      throw new Violation('Z7', `epoch ${epoch} is led by ${other} and by ${server}`)
    }
    this.#leaders.set(epoch, server)
    this.#committedAt.set(epoch, ledger.committed.length)
    const log = ledger.log(server)
    for (let zxid = this.#committedBefore(epoch); zxid > 0; zxid--) {
      const txn = log.get(zxid as Zxid)
      // Before what the log still holds there is a snapshot, whose digest is checked.
      if (txn === undefined && zxid < log.durableZxid) return
      if (txn === undefined || txn.epoch !== ledger.committed[zxid - 1]?.epoch) {
        throw new Violation('Z4', `server ${server} leads epoch ${epoch} without ${zxid}`)
      }
    }
  }

  /**
   * Who stood still while it was elected may find the acknowledgements of a quorum after a later
   * epoch was established: what that has committed since is not for the earlier leader to hold.
   */
  #committedBefore(epoch: Epoch): number {
    const later = [...this.#committedAt].filter(([other]) => other >= epoch)
    return Math.min(...later.map(([, committed]) => committed))
  }

  #hardState(server: ServerId, now: HardState): void {
    const before = this.#hardStates.get(server)
    this.#hardStates.set(server, now)
    if (now.currentEpoch > now.acceptedEpoch) {
      throw new Violation('Z7', `server ${server} is in an epoch that it has not accepted`)
    }
    // It has given up all it had, but for its promises.
    const isGivenUp = now.rejoining && now.generation > (before?.generation ?? 0)
    if (before === undefined || isGivenUp) return
    const falls = now.acceptedEpoch < before.acceptedEpoch || now.currentEpoch < before.currentEpoch
    if (falls) throw new Violation('Z7', `an epoch of server ${server} has fallen`)
  }
}
