import type { SessionId, Xid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { answerBytes } from './replicated-state.js'

/** What a session has proposed and not yet applied. */
export interface SessionWrites {
  readonly xids: ReadonlySet<Xid>
  readonly lastXid: Xid
  /** Of the answers that they will have. */
  readonly bytes: number
  /** Its end is among them, whoever wants it. */
  readonly isClosing: boolean
}

/** The writes of all sessions that are proposed and not yet applied. */
export class OutstandingWrites {
  readonly #sessions = new Map<SessionId, Tracked>()
  #bytes = 0

  /** Of the answers that they will have. */
  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    let count = 0
    for (const { xids } of this.#sessions.values()) count += xids.size
    return count
  }

  of(sessionId: SessionId): SessionWrites | undefined {
    return this.#sessions.get(sessionId)
  }

  add(sessionId: SessionId, xid: Xid, answer: number): void {
    const writes = this.#of(sessionId)
    writes.xids.add(xid)
    writes.bytes += answer
    writes.lastXid = xid
    this.#bytes += answer
  }

  close(sessionId: SessionId): void {
    this.#of(sessionId).isClosing = true
  }

  settle({ sessionId, xid, body }: Txn): void {
    const writes = this.#sessions.get(sessionId)
    if (writes === undefined) return
    if (writes.xids.delete(xid)) {
      const answer = answerBytes(body)
      writes.bytes -= answer
      this.#bytes -= answer
    }
    if (writes.xids.size === 0 && !writes.isClosing) this.#sessions.delete(sessionId)
  }

  ended(sessionId: SessionId): void {
    this.#sessions.delete(sessionId)
  }

  #of(sessionId: SessionId): Tracked {
    let writes = this.#sessions.get(sessionId)
    if (writes === undefined) {
      writes = { xids: new Set(), lastXid: 0 as Xid, bytes: 0, isClosing: false }
      this.#sessions.set(sessionId, writes)
    }
    return writes
  }
}

interface Tracked extends SessionWrites {
  readonly xids: Set<Xid>
  lastXid: Xid
  bytes: number
  isClosing: boolean
}
