import type { SessionId } from '@conclave/protocol'
import type { Change, Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * S1, S2, S3, S8: along the committed log a session exists from its creation to its end, does
 * nothing outside of that, and takes all of its ephemerals with it when it goes, in one txn.
 */
export class Sessions implements Invariant {
  readonly #ephemerals = new Map<SessionId, Set<string>>()
  #checked = 0

  check(sight: Sight, { committed }: Ledger): void {
    if (sight.sight !== 'applied') return
    for (; this.#checked < committed.length; this.#checked++) {
      this.#committed(committed[this.#checked] as Txn)
    }
  }

  #committed({ zxid, sessionId, body }: Txn): void {
    if (sessionId !== 0 && !this.#ephemerals.has(sessionId)) {
      throw new Violation('S2', `${zxid} is of session ${sessionId}, which is not open`)
    }
    if (body.body === 'createSession') this.#ephemerals.set(zxid as number as SessionId, new Set())
    if (body.body === 'write') for (const change of body.changes) this.#changed(change, zxid)
    if (body.body !== 'closeSession') return
    const { closedSession, changes } = body
    const owned = this.#ephemerals.get(closedSession)
    if (owned === undefined) throw new Violation('S8', `${zxid} ends ${closedSession} once more`)
    for (const change of changes) this.#changed(change, zxid)
    if (owned.size > 0) {
      const left = [...owned].join(', ')
      throw new Violation('S1', `${zxid} ends session ${closedSession} and leaves ${left}`)
    }
    this.#ephemerals.delete(closedSession)
  }

  #changed(change: Change, zxid: number): void {
    if (change.change !== 'create' && change.change !== 'delete') return
    const { path, ephemeralOwner } = change
    if (ephemeralOwner === 0) return
    const owned = this.#ephemerals.get(ephemeralOwner)
    if (owned === undefined) throw new Violation('S1', `${zxid}: ${path} has no open session`)
    if (change.change === 'create') owned.add(path)
    else owned.delete(path)
  }
}
