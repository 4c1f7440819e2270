import type { ErrorCode, Op, Zxid } from '@conclave/protocol'
import type { Settlement, StreamItem } from '#client/session/effect.js'

/** What one client did once: a write can be told from every other by what it writes. */
export interface Operation {
  readonly client: string
  readonly op: Op
  readonly path: string
  /** Written by this operation and by no other; empty for those that write nothing. */
  readonly tag: string
  readonly isLinearizable: boolean
  /** Its znodes are asked for by linearizable operations alone, one at a time by each asker. */
  readonly isHot: boolean
  /** What the watch told that it has set; once is what it may. */
  readonly events: WatchFired[]
  /** The connection on which it was answered. */
  settledOn: number | null
  /** It will not tell any more: the session has ended. */
  isWatchLost: boolean
  calledMs: number
  /** null while it is unanswered. */
  settledMs: number | null
  /** Every call and every answer of the world has another number; Infinity while unanswered. */
  calledAt: number
  settledAt: number
  outcome: 'done' | 'refused' | 'unknown' | null
  failure: { readonly code: ErrorCode; readonly index: number | null } | null
  zxid: Zxid | null
  result: unknown
}

export interface WatchFired {
  readonly zxid: Zxid
  readonly at: number
  /** Its client has connected anew since: a server may know of the last change only. */
  readonly isRearmed: boolean
}

/** A recursive stream of the whole tree, from some moment on, as one client got it. */
export interface StreamRecord {
  readonly client: string
  readonly items: StreamItem[]
}

/** An operation that is about to be called. */
export const newOperation = (
  about: Pick<Operation, 'client' | 'op' | 'path' | 'tag'> & { readonly isHot?: boolean },
): Operation => {
  const { client, op, path, tag, isHot = false } = about
  return {
    client,
    op,
    path,
    tag,
    isHot,
    isLinearizable: op.op === 'sync' || ('linearizable' in op && op.linearizable),
    events: [],
    settledOn: null,
    isWatchLost: false,
    calledMs: 0,
    settledMs: null,
    calledAt: 0,
    settledAt: Number.POSITIVE_INFINITY,
    outcome: null,
    failure: null,
    zxid: null,
    result: null,
  }
}

/** All that the clients of a world did, in the order of their calls. */
export class History {
  readonly operations: Operation[] = []
  readonly streams: StreamRecord[] = []
  #moments = 0
  /** Clients that died: nobody waits for what they asked. */
  readonly #forgotten = new Set<string>()

  /** What somebody still waits for. */
  get unsettled(): readonly Operation[] {
    return this.operations.filter(
      ({ settledMs, client }) => settledMs === null && !this.#forgotten.has(client),
    )
  }

  isForgotten(client: string): boolean {
    return this.#forgotten.has(client)
  }

  forget(client: string): void {
    this.#forgotten.add(client)
  }

  called(operation: Operation, nowMs: number): void {
    operation.calledMs = nowMs
    operation.calledAt = ++this.#moments
    this.operations.push(operation)
  }

  /** A watch stream that some client reads. */
  opened(stream: StreamRecord): void {
    this.streams.push(stream)
  }

  fired(operation: Operation, zxid: Zxid, connection: number | null): void {
    const isRearmed = connection !== operation.settledOn
    operation.events.push({ zxid, at: ++this.#moments, isRearmed })
  }

  settled(operation: Operation, settlement: Settlement, nowMs: number): void {
    operation.settledMs = nowMs
    operation.settledAt = ++this.#moments
    operation.zxid = settlement.zxid
    if (settlement.settled === 'done') {
      operation.outcome = 'done'
      operation.result = settlement.result
      return
    }
    operation.failure = settlement.failure
    operation.outcome = settlement.outcome === 'unknown' ? 'unknown' : 'refused'
  }
}
