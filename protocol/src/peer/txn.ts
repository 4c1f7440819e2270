import { aclSchema } from '../acl.js'
import { errorCodes, type ErrorCode } from '../errors.js'
import { limits } from '../limits.js'
import {
  boolean,
  bytes,
  type Infer,
  list,
  nullable,
  oneOf,
  record,
  type Schema,
  text,
  uint,
  variants,
  type VariantTypes,
} from '../schema.js'
import { znodeKindSchema } from '../stat.js'
import type { Epoch, SessionId, Xid, Zxid } from '../zxid.js'

/**
 * What is logged and applied. The leader has decided everything: a replica of another version
 * applies the same change, it never judges. A txn carries all that its events show, so history
 * and streams can be refilled from the log alone.
 */

const path = text(limits.pathBytesMax + 64)
const data = nullable(bytes(limits.dataBytesMax))
/** The ACL in force at the change, which judges who may see its event; null means open. */
const acl = nullable(aclSchema)

const changeTable = {
  create: {
    tag: 1,
    fields: {
      path,
      data,
      acl,
      kind: znodeKindSchema,
      ephemeralOwner: uint<SessionId>(),
      ttlMs: uint(),
      /** How many children were ever created under the parent before this one. */
      ordinal: uint(),
      /** The parent's ACL, which judges who may see that its list of children changed. */
      parentAcl: acl,
    },
  },
  delete: {
    tag: 2,
    fields: {
      path,
      acl,
      czxid: uint<Zxid>(),
      mzxid: uint<Zxid>(),
      mtime: uint(),
      version: uint(),
      ephemeralOwner: uint<SessionId>(),
      parentAcl: acl,
    },
  },
  setData: {
    tag: 3,
    fields: {
      path,
      data,
      acl,
      /** The version after the change. */
      version: uint(),
      czxid: uint<Zxid>(),
      ephemeralOwner: uint<SessionId>(),
    },
  },
  setAcl: { tag: 4, fields: { path, acl, /** After the change. */ aversion: uint() } },
  /** A check of a multi: changes nothing, keeps the results in step with the operations. */
  check: { tag: 5, fields: {} },
} as const
export const changeSchema = variants('change', changeTable)
export type Change = VariantTypes<'change', typeof changeTable>
export type ChangeOf<N extends Change['change']> = Extract<Change, { change: N }>

/** How the answer of a write is made from its changes. */
const answerTable = {
  /** The one change is the answer: a create's path and stat, a setData's stat. */
  single: { tag: 1, fields: {} },
  multi: { tag: 2, fields: { branch: oneOf<'then' | 'else'>('then', 'else') } },
  deleteRecursive: { tag: 3, fields: { done: boolean } },
} as const
export type Answer = VariantTypes<'answer', typeof answerTable>

const bodyTable = {
  /** Txn 1 of every ensemble. */
  createEnsemble: {
    tag: 1,
    fields: { ensembleId: text(limits.ensembleIdBytesMax), digestAlgorithm: uint() },
  },
  createSession: {
    tag: 2,
    fields: { sessionTimeoutMs: uint(), nonceHash: bytes(limits.nonceHashBytes) },
  },
  /** All ephemerals of the session go in this one txn, in the order of their czxids. */
  closeSession: {
    tag: 3,
    fields: {
      closedSession: uint<SessionId>(),
      expired: boolean,
      changes: list(changeSchema, limits.ephemeralsPerSessionMax),
    },
  },
  write: {
    tag: 4,
    fields: {
      answer: variants('answer', answerTable),
      changes: list(changeSchema, limits.deletePiece),
    },
  },
  /** A refusal that depends on the state: logged, so that it is the answer for ever. */
  error: {
    tag: 5,
    fields: {
      code: oneOf<ErrorCode>(...errorCodes),
      message: text(limits.frameBytesMax),
      index: nullable(uint(limits.multiOpsMax)),
    },
  },
} as const
export type TxnBody = VariantTypes<'body', typeof bodyTable>
export type TxnBodyOf<N extends TxnBody['body']> = Extract<TxnBody, { body: N }>

const txnFields = {
  zxid: uint<Zxid>(),
  /** Of the leadership that first proposed it; kept when a later leader re-sends it. */
  epoch: uint<Epoch>(),
  /** The txn clock: milliseconds since 1970, never falling. */
  timeMs: uint(),
  /** Who asked; 0 for the system, whose xid and ackedXid are 0 too. */
  sessionId: uint<SessionId>(),
  xid: uint<Xid>(),
  ackedXid: uint<Xid>(),
  body: variants('body', bodyTable),
} as const

export interface Txn extends Infer<Schema<TxnShape>> {}
type TxnShape = {
  readonly [K in keyof typeof txnFields]: Infer<(typeof txnFields)[K]>
}

export const txnSchema: Schema<Txn> = record(txnFields)
