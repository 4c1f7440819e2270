import { type Epoch, isWrite, type ServerFrame, type ServerId, type Xid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * S7: once a leader has granted a session to a connection, it proposes nothing that came only by
 * connections which the client has left.
 */
export class Moved implements Invariant {
  readonly #attaches = new Map<string, number>()
  readonly #attached = new Map<string, Attached>()
  readonly #sessions = new Map<number, Attached>()
  readonly #leading = new Map<ServerId, Epoch>()

  check(sight: Sight): void {
    switch (sight.sight) {
      case 'established':
        this.#leading.set(sight.server, sight.epoch)
        return
      case 'leftRole':
        this.#leading.delete(sight.server)
        return
      case 'clientFrame': {
        const { frame } = sight
        const key = `${sight.server}:${sight.connection}`
        if (frame.frame === 'connect') this.#attaches.set(key, frame.attach)
        if (frame.frame === 'request' && isWrite(frame.op)) this.#came(key, frame.xid)
        return
      }
      case 'serverFrame':
        return this.#granted(`${sight.server}:${sight.connection}`, sight.frame)
      case 'persisting':
        for (const txn of sight.effect.txns) this.#logged(txn, sight.server)
        return
      default:
        return
    }
  }

  #granted(key: string, frame: ServerFrame): void {
    if (frame.frame !== 'connected') return
    const { sessionId, epoch } = frame
    const session = this.#sessions.get(sessionId) ?? { attach: 0, epoch, came: new Map() }
    const attach = this.#attaches.get(key) ?? 0
    this.#sessions.set(sessionId, session)
    this.#attached.set(key, { attach, epoch, came: session.came })
    const isNewer = epoch > session.epoch || (epoch === session.epoch && attach > session.attach)
    if (isNewer) Object.assign(session, { attach, epoch })
  }

  #came(key: string, xid: Xid): void {
    const attached = this.#attached.get(key)
    if (attached === undefined) return
    const { came, attach } = attached
    came.set(xid, Math.max(came.get(xid) ?? 0, attach))
  }

  #logged({ zxid, epoch, sessionId, xid }: Txn, server: ServerId): void {
    const session = this.#sessions.get(sessionId)
    if (session?.epoch !== epoch || this.#leading.get(server) !== epoch) return
    const under = session.came.get(xid) ?? 0
    if (under >= session.attach) return
    const what = `${zxid} is write ${xid} of session ${sessionId}, which came under ${under}`
    throw new Violation('S7', `${what}, after ${session.attach} was granted`)
  }
}

interface Attached {
  attach: number
  /** Of the leadership that granted it. */
  epoch: Epoch
  /** The writes of the session, by the highest attach that each came under. */
  readonly came: Map<Xid, number>
}
