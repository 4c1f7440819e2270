import type { Epoch, SessionId, Xid, Zxid } from '@conclave/protocol'
import type { Change, Txn } from '@conclave/protocol/peer'

/** A write of one change, as a leader proposes it for a client. */
export const txnOf = (zxid: number, change: Change): Txn => ({
  zxid: zxid as Zxid,
  epoch: 1 as Epoch,
  timeMs: 1_700_000_000_000 + zxid,
  sessionId: 1 as SessionId,
  xid: zxid as Xid,
  ackedXid: 0 as Xid,
  body: { body: 'write', answer: { answer: 'single' }, changes: [change] },
})

export const setDataOf = (path: string, version: number): Change => ({
  change: 'setData',
  path,
  data: payload,
  acl: null,
  version,
  czxid: 1 as Zxid,
  ephemeralOwner: 0 as SessionId,
})

export const createOf = (path: string, ordinal: number): Change => ({
  change: 'create',
  path,
  data: payload,
  acl: null,
  kind: 'persistent',
  ephemeralOwner: 0 as SessionId,
  ttlMs: 0,
  ordinal,
  parentAcl: null,
})

export const payload = Buffer.alloc(100, 'conclave ')
