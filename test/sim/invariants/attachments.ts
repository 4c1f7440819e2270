import type { ClientFrameOf, ServerFrame, SessionId, Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * S5, S6: whoever is told that its session is alive has one at that zxid; whoever comes back to a
 * session gets that one or none.
 */
export class Attachments implements Invariant {
  readonly #connects = new Map<string, ClientFrameOf<'connect'>>()
  readonly #sessions = new Map<string, SessionId>()
  readonly #endedAt = new Map<SessionId, Zxid>()
  #checked = 0

  check(sight: Sight, ledger: Ledger): void {
    if (sight.sight === 'clientFrame' && sight.frame.frame === 'connect') {
      this.#connects.set(`${sight.server}:${sight.connection}`, sight.frame)
    }
    if (sight.sight === 'serverFrame') {
      this.#told(`${sight.server}:${sight.connection}`, sight.frame, ledger)
    }
  }

  #told(connection: string, frame: ServerFrame, ledger: Ledger): void {
    if (frame.frame === 'connected') {
      const asked = this.#connects.get(connection)?.sessionId ?? 0
      if (asked !== 0 && asked !== frame.sessionId) {
        throw new Violation('S6', `session ${asked} comes back and is given ${frame.sessionId}`)
      }
      this.#sessions.set(connection, frame.sessionId)
    }
    if (frame.frame !== 'connected' && frame.frame !== 'pong') return
    this.#readOn(ledger)
    const sessionId = this.#sessions.get(connection)
    const endedAt = sessionId === undefined ? undefined : this.#endedAt.get(sessionId)
    if (endedAt === undefined || endedAt > frame.zxid) return
    const told = `session ${sessionId} is told that it is alive at ${frame.zxid}`
    throw new Violation('S5', `${told}, and ended at ${endedAt}`)
  }

  #readOn({ committed }: Ledger): void {
    for (; this.#checked < committed.length; this.#checked++) {
      const { zxid, body } = committed[this.#checked] as Txn
      if (body.body === 'closeSession') this.#endedAt.set(body.closedSession, zxid)
    }
  }
}
