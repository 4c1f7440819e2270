import { type Acl, aclKey, aclSchema } from '../acl.js'
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
  ShapeError,
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

const path = text(limits.storedPathBytesMax)
const data = nullable(bytes(limits.dataBytesMax))

/**
 * @param acl the ACL in force at the change, which judges who may see its event; null means open
 */
const changeTable = <A>(acl: Schema<A>) =>
  ({
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
  }) as const
export type Change = VariantTypes<'change', ReturnType<typeof changeTable<Acl | null>>>
export type ChangeOf<N extends Change['change']> = Extract<Change, { change: N }>

/** In the log a change names its ACLs by their places in the table that its txn carries. */
const loggedChangeTable = changeTable(nullable(uint()))
type LoggedChange = VariantTypes<'change', typeof loggedChangeTable>

/** How the answer of a write is made from its changes. */
const answerTable = {
  /** The one change is the answer: a create's path and stat, a setData's stat. */
  single: { tag: 1, fields: {} },
  multi: { tag: 2, fields: { branch: oneOf<'then' | 'else'>('then', 'else') } },
  deleteRecursive: { tag: 3, fields: { done: boolean } },
} as const
export type Answer = VariantTypes<'answer', typeof answerTable>

const bodyTable = <C>(change: Schema<C>) =>
  ({
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
        changes: list(change, limits.ephemeralsPerSessionMax),
      },
    },
    write: {
      tag: 4,
      fields: {
        answer: variants('answer', answerTable),
        changes: list(change, limits.deletePiece),
      },
    },
    /** Clients have these results. Logged when results are many; else the next write says it. */
    acknowledge: {
      tag: 6,
      fields: {
        acked: list(
          record({ sessionId: uint<SessionId>(), ackedXid: uint<Xid>() }),
          limits.acknowledgedSessionsPerTxnMax,
        ),
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
  }) as const
export type TxnBody = VariantTypes<'body', ReturnType<typeof bodyTable<Change>>>
export type TxnBodyOf<N extends TxnBody['body']> = Extract<TxnBody, { body: N }>

const loggedBodyTable = bodyTable(variants('change', loggedChangeTable))
type LoggedBody = VariantTypes<'body', typeof loggedBodyTable>

const headFields = {
  zxid: uint<Zxid>(),
  /** Of the leadership that first proposed it; kept when a later leader re-sends it. */
  epoch: uint<Epoch>(),
  /** The txn clock: milliseconds since 1970, never falling. */
  timeMs: uint(),
  /** Who asked; 0 for the system, whose xid and ackedXid are 0 too. */
  sessionId: uint<SessionId>(),
  xid: uint<Xid>(),
  ackedXid: uint<Xid>(),
} as const

export interface Txn extends Infer<Schema<TxnHead>> {
  readonly body: TxnBody
}
type TxnHead = {
  readonly [K in keyof typeof headFields]: Infer<(typeof headFields)[K]>
}

const loggedTxnSchema = record({
  ...headFields,
  /** The ACLs of all changes, each once, in the order in which the changes first name them. */
  acls: list(aclSchema, 2 * limits.ephemeralsPerSessionMax),
  body: variants('body', loggedBodyTable),
})

/** In memory a change holds its ACLs; as it travels, a txn has each of them once. */
export const txnSchema: Schema<Txn> = {
  decode(value, at) {
    const logged = loggedTxnSchema.decode(value, at)
    const { zxid, epoch, timeMs, sessionId, xid, ackedXid, acls } = logged
    const body = resolvedBody(logged.body, acls)
    // Spelled out: what is made by a spread takes three times the memory, and history keeps it.
    return { zxid, epoch, timeMs, sessionId, xid, ackedXid, body }
  },
  encode(txn) {
    const { zxid, epoch, timeMs, sessionId, xid, ackedXid } = txn
    const { acls, body } = loggedBody(txn.body)
    return loggedTxnSchema.encode({ zxid, epoch, timeMs, sessionId, xid, ackedXid, acls, body })
  },
}

/** What is equal has one place, also when it is not the same object. */
class AclTable {
  readonly acls: Acl[] = []
  readonly #places = new Map<Acl, number>()
  readonly #placesByKey = new Map<string, number>()

  placeOf(acl: Acl | null): number | null {
    if (acl === null) return null
    let place = this.#places.get(acl)
    if (place === undefined) {
      const key = aclKey(acl)
      place = this.#placesByKey.get(key) ?? this.acls.push(acl) - 1
      this.#placesByKey.set(key, place)
      this.#places.set(acl, place)
    }
    return place
  }
}

const loggedBody = (
  body: TxnBody,
): { readonly acls: readonly Acl[]; readonly body: LoggedBody } => {
  if (body.body !== 'write' && body.body !== 'closeSession') return { acls: [], body }
  // Most are open to all: then a change is logged as it stands.
  if (body.changes.every(namesNoAcl)) return { acls: [], body: body as LoggedBody }
  const table = new AclTable()
  const changes = body.changes.map((change) => loggedChange(change, table))
  return { acls: table.acls, body: { ...body, changes } }
}

const namesNoAcl = (change: Change | LoggedChange): boolean => {
  if (change.change === 'check') return true
  const parentAcl = 'parentAcl' in change ? change.parentAcl : null
  return change.acl === null && parentAcl === null
}

const loggedChange = (change: Change, table: AclTable): LoggedChange => {
  if (change.change === 'check') return change
  const acl = table.placeOf(change.acl)
  if (change.change === 'setData' || change.change === 'setAcl') return { ...change, acl }
  return { ...change, acl, parentAcl: table.placeOf(change.parentAcl) }
}

const resolvedBody = (body: LoggedBody, acls: readonly Acl[]): TxnBody => {
  if (body.body !== 'write' && body.body !== 'closeSession') return body
  if (body.changes.every(namesNoAcl)) return body as TxnBody
  return { ...body, changes: body.changes.map((change) => resolvedChange(change, acls)) }
}

const resolvedChange = (change: LoggedChange, acls: readonly Acl[]): Change => {
  if (change.change === 'check') return change
  const acl = aclAt(acls, change.acl)
  if (change.change === 'setData' || change.change === 'setAcl') return { ...change, acl }
  return { ...change, acl, parentAcl: aclAt(acls, change.parentAcl) }
}

const aclAt = (acls: readonly Acl[], place: number | null): Acl | null => {
  if (place === null) return null
  const acl = acls[place]
  if (acl === undefined) {
    throw new ShapeError(`acl: ${place} is no place in a table of ${acls.length} ACLs`)
  }
  return acl
}
