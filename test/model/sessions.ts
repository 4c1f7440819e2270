import type { Identity, WriteOp } from '@conclave/protocol'
import type { Refusal } from './faults.js'

export interface Result {
  readonly zxid: number
  readonly failure: Refusal | null
  readonly result: unknown
}

/** A write that the server has taken and has not logged yet. */
export interface UnderWay {
  readonly xid: number
  readonly op: WriteOp
  readonly identities: readonly Identity[]
}

export interface Session {
  readonly id: number
  readonly nonce: string
  readonly timeoutMs: number
  attach: number
  ackedXid: number
  lastXid: number
  /** By xid. null: under way. */
  readonly results: Map<number, Result | null>
  readonly ops: Map<number, WriteOp>
  underWay: UnderWay[]
  isClosing: boolean
  end: 'closed' | 'expired' | null
  /** When its time was surely extended, and when it may have been. */
  touchedMs: number
  heardMs: number
}

export const newSession = (
  start: Pick<Session, 'id' | 'nonce' | 'timeoutMs' | 'attach'>,
  nowMs: number,
): Session => ({
  ...start,
  ackedXid: 0,
  lastXid: 0,
  results: new Map(),
  ops: new Map(),
  underWay: [],
  isClosing: false,
  end: null,
  touchedMs: nowMs,
  heardMs: nowMs,
})

/** These writes are not in the log and never will be, unless they are sent again. */
export const forget = (session: Session, xids: readonly number[]): void => {
  session.underWay = session.underWay.filter(({ xid }) => !xids.includes(xid))
  session.isClosing = session.underWay.some(({ op }) => op.op === 'closeSession')
  for (const xid of xids) if (session.results.get(xid) === null) session.results.delete(xid)
  session.lastXid = Math.max(0, ...session.results.keys())
}
