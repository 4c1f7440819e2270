import { limits } from './limits.js'
import { bytes, type Infer, nullable, oneOf, record, text, uint } from './schema.js'
import type { SessionId, Zxid } from './zxid.js'

/** What can happen to a znode. `gap` and `caughtUp` are frames of their own, on streams. */
export const changeTypes = ['created', 'deleted', 'dataChanged', 'childrenChanged'] as const
export type ChangeType = (typeof changeTypes)[number]
export const changeTypeSchema = oneOf<ChangeType>(...changeTypes)

/** The two kinds of one-shot watch: getData and exists set `data`, getChildren sets `child`. */
export const watchKinds = ['data', 'child'] as const
export type WatchKind = (typeof watchKinds)[number]
export const watchKindSchema = oneOf<WatchKind>(...watchKinds)

/** The index that means the whole txn: all of its events. No txn has so many. */
export const wholeTxnIndex = Number.MAX_SAFE_INTEGER

/**
 * Where a stream stands: after event `index` of txn `zxid` in the history of one ensemble.
 * Opaque to users.
 */
export const streamPositionSchema = record({
  ensembleId: text(limits.ensembleIdBytesMax),
  zxid: uint<Zxid>(),
  index: uint(),
})
export type StreamPosition = Infer<typeof streamPositionSchema>

/** What a stream event says of its znode, when the stream asked for it. */
export const eventDetailSchema = record({
  data: nullable(bytes(limits.dataBytesMax)),
  czxid: uint<Zxid>(),
  mzxid: uint<Zxid>(),
  version: uint(),
  mtime: uint(),
  ephemeralOwner: uint<SessionId>(),
})
export type EventDetail = Infer<typeof eventDetailSchema>

export const streamEventSchema = record({
  type: changeTypeSchema,
  zxid: uint<Zxid>(),
  /** The number of the event in its txn. */
  index: uint(),
  path: text(limits.pathBytesMax),
  detail: nullable(eventDetailSchema),
})
export type StreamEvent = Infer<typeof streamEventSchema>
