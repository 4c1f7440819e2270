import type { Xid } from '@conclave/protocol'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/** R1, R5: replies come in the order of the requests, and show nothing that is not committed. */
export class Replies implements Invariant {
  readonly #connections = new Map<string, Turns>()

  check(sight: Sight, ledger: Ledger): void {
    if (sight.sight !== 'clientFrame' && sight.sight !== 'serverFrame') return
    const { frame } = sight
    if (frame.frame !== 'request' && frame.frame !== 'reply') return
    const key = `${sight.server}:${sight.connection}`
    const known = this.#connections.get(key) ?? {
      places: new Map<Xid, number>(),
      asked: 0,
      last: -1,
    }
    this.#connections.set(key, known)
    if (frame.frame === 'request') {
      known.places.set(frame.xid, known.asked++)
      return
    }
    const place = known.places.get(frame.xid) ?? -1
    if (place <= known.last) {
      throw new Violation('R1', `server ${sight.server} answers ${frame.xid} out of its turn`)
    }
    known.last = place
    if (frame.zxid <= ledger.committed.length) return
    const committed = `only ${ledger.committed.length} is committed`
    throw new Violation('R5', `server ${sight.server} shows ${frame.zxid}, and ${committed}`)
  }
}

interface Turns {
  /** Where each request stands; one that was refused for the moment is asked again. */
  readonly places: Map<Xid, number>
  asked: number
  /** Of the last answer. */
  last: number
}
