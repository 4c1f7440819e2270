import type { Brand } from './brand.js'

/**
 * A dense transaction number: +1 for each logged txn, never reset by an election. 53 bits last
 * longer than the product. A zxid names a txn only once that txn is committed; before that, a
 * position in the log is the pair {@link LogPosition}.
 */
export type Zxid = Brand<number, 'Zxid'>

/** The number of a leadership. Grows with every established leader. */
export type Epoch = Brand<number, 'Epoch'>

/** The number of a server in the voter list, 1 to 255. */
export type ServerId = Brand<number, 'ServerId'>

/** The zxid of the txn that created the session. 0 stands for the system itself. */
export type SessionId = Brand<number, 'SessionId'>

/** The number that a client gives each of its requests: +1 for each, from 1, for one session. */
export type Xid = Brand<number, 'Xid'>

/** Where a record stands in a log: the epoch is the record's own, kept when it is re-sent. */
export interface LogPosition {
  readonly epoch: Epoch
  readonly zxid: Zxid
}

export const zxidZero = 0 as Zxid
export const epochZero = 0 as Epoch
export const positionZero: LogPosition = { epoch: epochZero, zxid: zxidZero }

export const nextZxid = (zxid: Zxid): Zxid => (zxid + 1) as Zxid

/** True when both name the same record. Positions are never compared by zxid alone. */
export const samePosition = (a: LogPosition, b: LogPosition): boolean =>
  a.zxid === b.zxid && a.epoch === b.epoch
