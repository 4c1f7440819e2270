import type { Epoch, ServerId, SessionId, Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * S4: no session expires before its timeout has passed since its last touch that was answered, and
 * since its leader was established; nobody proposes it but that leader. Clocks run a little wrong.
 * It is judged when it is logged, and counts when it is committed: what a leader logs that has been
 * deposed without knowing it ends nobody's session, whatever the next one has heard meanwhile.
 */
export class Expiry implements Invariant {
  readonly #nowMs: () => number
  readonly #timeouts = new Map<SessionId, number>()
  readonly #heardMs = new Map<SessionId, number>()
  readonly #connections = new Map<string, Touches>()
  readonly #hasty = new Map<Zxid, { readonly epoch: Epoch; readonly found: string }>()
  readonly #establishedMs = new Map<number, { readonly server: ServerId; readonly ms: number }>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  check(sight: Sight, ledger: Ledger): void {
    switch (sight.sight) {
      case 'established':
        this.#establishedMs.set(sight.epoch, { server: sight.server, ms: this.#nowMs() })
        return
      case 'clientFrame':
        if (sight.frame.frame !== 'ping') return
        this.#touches(sight).pings.set(sight.frame.id, this.#nowMs())
        return
      case 'serverFrame':
        return this.#told(sight)
      case 'persisting':
        for (const txn of sight.effect.txns) this.#logged(txn, sight.server, ledger)
        return
      case 'applied':
        return this.#applied(sight.zxid, ledger)
      default:
        return
    }
  }

  #applied(zxid: Zxid, { committed }: Ledger): void {
    const hasty = this.#hasty.get(zxid)
    if (hasty !== undefined && hasty.epoch === committed[zxid - 1]?.epoch) {
      throw new Violation('S4', hasty.found)
    }
    this.#hasty.delete(zxid)
  }

  #told(sight: Extract<Sight, { sight: 'serverFrame' }>): void {
    const { frame } = sight
    const touches = this.#touches(sight)
    if (frame.frame === 'connected') {
      touches.sessionId = frame.sessionId
      this.#timeouts.set(frame.sessionId, frame.sessionTimeoutMs)
    }
    if (frame.frame !== 'pong' || touches.sessionId === null) return
    const sentMs = touches.pings.get(frame.id) ?? 0
    const before = this.#heardMs.get(touches.sessionId) ?? 0
    this.#heardMs.set(touches.sessionId, Math.max(before, sentMs))
  }

  #logged({ zxid, epoch, body }: Txn, server: ServerId, { committed }: Ledger): void {
    if (body.body !== 'closeSession' || !body.expired || zxid <= committed.length) return
    const leader = this.#establishedMs.get(epoch)
    if (leader?.server !== server) return
    const timeoutMs = this.#timeouts.get(body.closedSession)
    if (timeoutMs === undefined) return
    const heardMs = Math.max(this.#heardMs.get(body.closedSession) ?? 0, leader.ms)
    const silenceMs = this.#nowMs() - heardMs
    if (silenceMs >= timeoutMs * clockError) return
    const found = `${Math.round(silenceMs)} ms after it was heard, of ${timeoutMs}`
    this.#hasty.set(zxid, { epoch, found: `session ${body.closedSession} expires ${found}` })
  }

  #touches({
    server,
    connection,
  }: {
    readonly server: ServerId
    readonly connection: number
  }): Touches {
    const key = `${server}:${connection}`
    const known = this.#connections.get(key) ?? {
      sessionId: null,
      pings: new Map<number, number>(),
    }
    this.#connections.set(key, known)
    return known
  }
}

interface Touches {
  sessionId: SessionId | null
  /** When each came. */
  readonly pings: Map<number, number>
}

/** Two clocks may each be wrong by a twentieth. */
const clockError = 0.9
