import type { ServerId } from '@conclave/protocol'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/** L1, L6: at one zxid every server has one state: that of the committed log, applied in order. */
export class OneState implements Invariant {
  /** Their memory was made wrong on purpose; a start makes it right. */
  readonly #corrupted = new Set<ServerId>()

  check(sight: Sight, ledger: Ledger): void {
    if (sight.sight === 'corrupted') this.#corrupted.add(sight.server)
    if (sight.sight === 'started') this.#corrupted.delete(sight.server)
    if (sight.sight === 'rested' && !this.#corrupted.has(sight.server))
      this.#compare(sight.server, sight.zxid, sight.digest, ledger)
    if (sight.sight === 'started') {
      const { state } = sight.recovered
      this.#compare(sight.server, state.lastApplied.zxid, state.digest, ledger)
    }
  }

  #compare(server: number, zxid: number, digest: string, ledger: Ledger): void {
    if (zxid === 0) return
    const expected = ledger.digests[zxid - 1]
    if (expected === undefined) {
      throw new Violation('L1', `server ${server} is at ${zxid}, which is not committed`)
    }
    if (digest !== expected) {
      throw new Violation('L1', `server ${server} has digest ${digest} at ${zxid}, not ${expected}`)
    }
  }
}
