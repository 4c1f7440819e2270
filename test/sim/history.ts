import type { Zxid } from '@conclave/protocol'
import type { Settlement } from '#client/session/effect.js'

/** What one client did once: a write can be told from every other by what it writes. */
export interface Operation {
  readonly client: string
  readonly kind: 'create' | 'setData' | 'delete' | 'getData' | 'sync'
  readonly path: string
  /** Written by this operation and by no other; empty for those that write nothing. */
  readonly tag: string
  readonly isLinearizable: boolean
  calledMs: number
  /** null while it is unanswered. */
  settledMs: number | null
  outcome: 'done' | 'refused' | 'unknown' | null
  zxid: Zxid | null
  result: unknown
}

/** All that the clients of a world did, in the order of their calls. */
export class History {
  readonly operations: Operation[] = []
  /** Clients that died: nobody waits for what they asked. */
  readonly #forgotten = new Set<string>()

  /** What somebody still waits for. */
  get unsettled(): readonly Operation[] {
    return this.operations.filter(
      ({ settledMs, client }) => settledMs === null && !this.#forgotten.has(client),
    )
  }

  forget(client: string): void {
    this.#forgotten.add(client)
  }

  called(operation: Operation, nowMs: number): void {
    operation.calledMs = nowMs
    this.operations.push(operation)
  }

  settled(operation: Operation, settlement: Settlement, nowMs: number): void {
    operation.settledMs = nowMs
    operation.zxid = settlement.zxid
    if (settlement.settled === 'done') {
      operation.outcome = 'done'
      operation.result = settlement.result
    } else operation.outcome = settlement.outcome === 'unknown' ? 'unknown' : 'refused'
  }
}
