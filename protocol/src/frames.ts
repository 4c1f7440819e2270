import { failureSchema, opSchema } from './op.js'
import { limits } from './limits.js'
import {
  anything,
  boolean,
  bytesExactly,
  integer,
  list,
  nullable,
  oneOf,
  record,
  type Schema,
  text,
  uint,
  variants,
  type VariantTypes,
} from './schema.js'
import { changeTypeSchema, streamEventSchema, watchKindSchema } from './watch-event.js'
import type { Epoch, ServerId, SessionId, Xid, Zxid } from './zxid.js'

/**
 * The frames of the client port. One WebSocket message is one MessagePack array of frames, and
 * every frame is a positional array that starts with its number.
 */

const ensembleId = nullable(text(limits.ensembleIdBytesMax))

const clientFrameTable = {
  /** The first frame of every connection, and only the first. */
  connect: {
    tag: 1,
    fields: {
      version: uint(),
      /** 0 asks for a new session. */
      sessionId: uint<SessionId>(),
      /** The session's password, random. The server's runtime puts its SHA-256 here. */
      nonce: bytesExactly(limits.nonceBytes),
      /** How many connections this client has opened: a lower one than the highest is refused. */
      attach: uint(),
      sessionTimeoutMs: uint(),
      /** The server answers only once it has applied this much. */
      lastZxidSeen: uint<Zxid>(),
      /** Of the ensemble the session belongs to; null for a new session. */
      ensembleId,
      ackedXid: uint<Xid>(),
    },
  },
  request: {
    tag: 2,
    fields: {
      /** Numbered from 1: 0 means none. */
      xid: integer<Xid>({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      /** Every result up to this xid has reached the caller; the server forgets them. */
      ackedXid: uint<Xid>(),
      /** The highest transient refusal seen on this connection. */
      refusedSeen: uint<Xid>(),
      op: opSchema,
    },
  },
  ack: { tag: 3, fields: { ackedXid: uint<Xid>() } },
  ping: { tag: 4, fields: { id: uint(), ackedXid: uint<Xid>() } },
  /** "Are you there?": answered at once by any server in any role. */
  probe: { tag: 5, fields: { id: uint() } },
} as const

/** What became of a write whose answer the client had not acknowledged when the session ended. */
const outcomeSchema = record({
  xid: uint<Xid>(),
  failure: nullable(failureSchema),
  result: anything,
})

export const closeReasons = [
  'badFrame',
  'badVersion',
  'slowConsumer',
  'sessionMoved',
  'sessionEnded',
  'noQuorum',
  'noSpace',
  'divided',
  'resync',
  'shutdown',
  'tooManyConnections',
  'timeout',
] as const
/** Why a server closes a connection. The session lives on unless it is `sessionEnded`. */
export type CloseReason = (typeof closeReasons)[number]

/** WebSocket close codes, one a reason. */
export const closeCodes: Readonly<Record<CloseReason, number>> = Object.freeze({
  badFrame: 4400,
  badVersion: 4426,
  slowConsumer: 4408,
  sessionMoved: 4409,
  sessionEnded: 4410,
  noQuorum: 4503,
  resync: 4504,
  noSpace: 4507,
  divided: 4508,
  shutdown: 4501,
  tooManyConnections: 4429,
  timeout: 4407,
})

/** Why a session is over. `unknown`: past its tombstone, or never known. */
export const sessionEndReasons = [
  'closed',
  'expired',
  'unknown',
  'wrongNonce',
  'otherEnsemble',
  'historyLost',
] as const
export type SessionEndReason = (typeof sessionEndReasons)[number]

/** What a server is while it serves clients. */
export const servingRoles = ['leading', 'following', 'observing'] as const
export type ServingRole = (typeof servingRoles)[number]

const serverFrameTable = {
  connected: {
    tag: 1,
    fields: {
      sessionId: uint<SessionId>(),
      /** As granted: what was asked for, drawn into the server's bounds. */
      sessionTimeoutMs: uint(),
      ensembleId: text(limits.ensembleIdBytesMax),
      zxid: uint<Zxid>(),
      serverId: uint<ServerId>(limits.serverIdMax),
      /** True when the session existed before this connection. */
      resumed: boolean,
      /** Of the server when it attached the session; both may change later without a word. */
      role: oneOf<ServingRole>(...servingRoles),
      epoch: uint<Epoch>(),
    },
  },
  reply: {
    tag: 2,
    fields: {
      xid: uint<Xid>(),
      /** What the answer was true at. */
      zxid: uint<Zxid>(),
      failure: nullable(failureSchema),
      /** By the row of the operation; nil when there is a failure. */
      result: anything,
    },
  },
  pong: { tag: 3, fields: { id: uint(), zxid: uint<Zxid>() } },
  probed: { tag: 4, fields: { id: uint() } },
  /** A one-shot watch fired, and is gone. */
  event: {
    tag: 5,
    fields: {
      zxid: uint<Zxid>(),
      kind: watchKindSchema,
      type: changeTypeSchema,
      path: text(limits.pathBytesMax),
    },
  },
  streamEvents: {
    tag: 6,
    fields: {
      streamId: uint(),
      events: list(streamEventSchema, limits.streamEventsPerFrameMax),
    },
  },
  /** What happened after `from` up to and including `to` is not known any more. */
  streamGap: { tag: 7, fields: { streamId: uint(), from: uint<Zxid>(), to: uint<Zxid>() } },
  /** All up to `zxid` has been sent; from here every reply moves the stream's position along. */
  streamCaughtUp: { tag: 8, fields: { streamId: uint(), zxid: uint<Zxid>() } },
  sessionExpired: {
    tag: 9,
    fields: {
      reason: oneOf<SessionEndReason>(...sessionEndReasons),
      /** False when the tombstone is gone: what is not in `outcomes` is then unknown. */
      complete: boolean,
      /** Every unacknowledged write that was logged; when complete, no other ever will be. */
      outcomes: list(outcomeSchema, limits.unackedWritesMax * 2),
    },
  },
  /** The last frame before the server closes the connection. */
  closing: { tag: 10, fields: { reason: oneOf<CloseReason>(...closeReasons) } },
} as const

export type ClientFrame = VariantTypes<'frame', typeof clientFrameTable>
export type ServerFrame = VariantTypes<'frame', typeof serverFrameTable>
export type ClientFrameOf<N extends ClientFrame['frame']> = Extract<ClientFrame, { frame: N }>
export type ServerFrameOf<N extends ServerFrame['frame']> = Extract<ServerFrame, { frame: N }>
export type WriteOutcome = ServerFrameOf<'sessionExpired'>['outcomes'][number]

export const clientFrameSchema: Schema<ClientFrame> = variants('frame', clientFrameTable)
export const serverFrameSchema: Schema<ServerFrame> = variants('frame', serverFrameTable)
