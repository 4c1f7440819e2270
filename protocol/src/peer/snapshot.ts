import { aclSchema } from '../acl.js'
import { limits } from '../limits.js'
import { failureSchema } from '../op.js'
import {
  anything,
  boolean,
  bytes,
  type Infer,
  list,
  nullable,
  record,
  text,
  uint,
  variants,
  type VariantTypes,
} from '../schema.js'
import { znodeKindSchema } from '../stat.js'
import type { Epoch, SessionId, Xid, Zxid } from '../zxid.js'

/**
 * A snapshot is all replicated state at exactly one zxid: a header, then entries in any order.
 */

/** Where each epoch began: `firstZxid` is that of its first txn. Ascending in both. */
export const epochStartSchema = record({ epoch: uint<Epoch>(), firstZxid: uint<Zxid>() })
export type EpochStart = Infer<typeof epochStartSchema>

export const snapshotHeaderSchema = record({
  zxid: uint<Zxid>(),
  /** Of the txn at `zxid`. */
  epoch: uint<Epoch>(),
  timeMs: uint(),
  ensembleId: text(limits.ensembleIdBytesMax),
  digestAlgorithm: uint(),
  /** Of all the state at `zxid`, to be found again after loading. */
  digest: text(64),
  epochs: list(epochStartSchema, 1_000_000),
})
export type SnapshotHeader = Infer<typeof snapshotHeaderSchema>

const results = list(
  record({
    xid: uint<Xid>(),
    zxid: uint<Zxid>(),
    failure: nullable(failureSchema),
    result: anything,
    bytes: uint(),
  }),
  limits.resultsPerSessionMax * 4,
)

const entryTable = {
  znode: {
    tag: 1,
    fields: {
      path: text(limits.storedPathBytesMax),
      data: nullable(bytes(limits.dataBytesMax)),
      acl: nullable(aclSchema),
      kind: znodeKindSchema,
      czxid: uint<Zxid>(),
      mzxid: uint<Zxid>(),
      pzxid: uint<Zxid>(),
      ctime: uint(),
      mtime: uint(),
      version: uint(),
      aversion: uint(),
      ephemeralOwner: uint<SessionId>(),
      ttlMs: uint(),
      ordinal: uint(),
      /** How many children were ever created here. */
      childrenCreated: uint(),
    },
  },
  session: {
    tag: 2,
    fields: {
      /** Also the zxid of the txn that created it. */
      sessionId: uint<SessionId>(),
      sessionTimeoutMs: uint(),
      nonceHash: bytes(limits.nonceHashBytes),
      lastXid: uint<Xid>(),
      ackedXid: uint<Xid>(),
      results,
    },
  },
  tombstone: {
    tag: 3,
    fields: {
      sessionId: uint<SessionId>(),
      nonceHash: bytes(limits.nonceHashBytes),
      expired: boolean,
      closedZxid: uint<Zxid>(),
      closedTimeMs: uint(),
      lastXid: uint<Xid>(),
      ackedXid: uint<Xid>(),
      results,
    },
  },
} as const
export const snapshotEntrySchema = variants('entry', entryTable)
export type SnapshotEntry = VariantTypes<'entry', typeof entryTable>
export type SnapshotEntryOf<N extends SnapshotEntry['entry']> = Extract<SnapshotEntry, { entry: N }>
