import { aclSchema, identitySchema } from './acl.js'
import { type ErrorCode, errorCodes } from './errors.js'
import { limits } from './limits.js'
import {
  boolean,
  bytes,
  type FieldTypes,
  type Fields,
  integer,
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
} from './schema.js'
import { createKindSchema, statSchema } from './stat.js'
import { streamPositionSchema } from './watch-event.js'
import type { SessionId, Zxid } from './zxid.js'

/**
 * The table of operations: one row an operation, with its number on the wire, whether it is a
 * write (logged, exactly once) or a read (answered from the tree) or about the connection alone
 * (`local`), its fields in order, and its result.
 *
 * Field types only say what is decodable. What a value means (a path, a version) is judged by the
 * server and answered with `badArguments`.
 */

const path = text(limits.frameBytesMax)
const data = nullable(bytes(limits.frameBytesMax))
const version = integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })
const cursor = nullable(bytes(limits.cursorBytesMax))
const linearizable = boolean
const statResult = { stat: statSchema }

const createFields = <P extends Schema<unknown>, D extends Schema<unknown>>(at: P, value: D) => ({
  path: at,
  data: value,
  kind: createKindSchema,
  /** null means {@link openAcl}. */
  acl: nullable(aclSchema),
  /** Only for the ttl kinds; 0 otherwise. */
  ttlMs: uint(),
})
const setDataFields = <P extends Schema<unknown>, D extends Schema<unknown>>(at: P, value: D) => ({
  path: at,
  data: value,
  /** -1 means any version, here and in every other op. */
  version,
})

/** In a transaction, the path that the create at `index` of the same list made, plus `suffix`. */
export const nameRefSchema = record({ index: uint(), suffix: path })
export type NameRef = { readonly index: number; readonly suffix: string }

const orRef = <T>(plain: Schema<T>): Schema<T | NameRef> => ({
  decode: (value, at) =>
    Array.isArray(value) ? nameRefSchema.decode(value, at) : plain.decode(value, at),
  encode: (value) => (isNameRef(value) ? nameRefSchema.encode(value) : plain.encode(value)),
})

export const isNameRef = (value: unknown): value is NameRef =>
  typeof value === 'object' && value !== null && 'index' in value && 'suffix' in value

const refPath = orRef(path)
const refData = orRef(data)

/** The operations a transaction is made of; numbered as their stand-alone rows. */
const multiOpTable = {
  create: { tag: 1, fields: createFields(refPath, refData) },
  delete: { tag: 2, fields: { path: refPath, version } },
  setData: { tag: 3, fields: setDataFields(refPath, refData) },
  setAcl: { tag: 4, fields: { path: refPath, acl: aclSchema, version } },
  check: { tag: 5, fields: { path: refPath, version } },
} as const
export const multiOpSchema = variants('op', multiOpTable)
export type MultiOp = VariantTypes<'op', typeof multiOpTable>

export const fenceSchema = record({ path, czxid: uint<Zxid>() })
export type Fence = { readonly path: string; readonly czxid: Zxid }

const compareTable = {
  version: { tag: 1, fields: { path, equals: uint() } },
  exists: { tag: 2, fields: { path, equals: boolean } },
  value: {
    tag: 3,
    fields: { path, equals: nullable(bytes(limits.valueCompareBytesMax)) },
  },
  ephemeralOwner: { tag: 4, fields: { path, equals: uint<SessionId>() } },
  czxid: { tag: 5, fields: { path, equals: uint<Zxid>() } },
} as const
export const compareSchema = variants('compare', compareTable)
export type Compare = VariantTypes<'compare', typeof compareTable>

/** The reads that a multi-read may hold. */
const multiReadOpTable = {
  exists: { tag: 10, fields: { path } },
  getData: { tag: 11, fields: { path } },
  getChildren: { tag: 12, fields: { path } },
  getAcl: { tag: 13, fields: { path } },
} as const
export const multiReadOpSchema = variants('op', multiReadOpTable)
export type MultiReadOp = VariantTypes<'op', typeof multiReadOpTable>

export const failureSchema = record({
  code: oneOf<ErrorCode>(...errorCodes),
  message: text(limits.frameBytesMax),
  index: nullable(uint()),
})

/** What one operation of a transaction gave: `path` for a create, `stat` for all that have one. */
export const multiResultSchema = record({
  path: nullable(path),
  stat: nullable(statSchema),
})

const childSchema = record({ name: path, stat: nullable(statSchema) })
const getDataResult = { data, stat: statSchema }
const getChildrenResult = {
  children: list(childSchema, limits.frameBytesMax),
  /** Where the next page starts; null when this was the last. */
  cursor,
  stat: statSchema,
}

/** What one read of a multi-read gave; exactly one of the fields is not null. */
export const multiReadResultSchema = record({
  failure: nullable(failureSchema),
  exists: nullable(record({ stat: nullable(statSchema) })),
  getData: nullable(record(getDataResult)),
  getChildren: nullable(record(getChildrenResult)),
  getAcl: nullable(record({ acl: aclSchema, stat: statSchema })),
})

export const opTable = {
  create: write(1, createFields(path, data), { path, stat: statSchema }),
  delete: write(2, { path, version }, {}),
  setData: write(3, setDataFields(path, data), statResult),
  setAcl: write(4, { path, acl: aclSchema, version }, statResult),
  check: read(5, { path, version, linearizable }, {}),
  /**
   * All or nothing. First every fence must hold, else `fenced`; then all compares together choose
   * the list that runs.
   */
  multi: write(
    6,
    {
      fences: list(fenceSchema, limits.decodedItemsMax),
      compares: list(compareSchema, limits.decodedItemsMax),
      then: list(multiOpSchema, limits.decodedItemsMax),
      else: list(multiOpSchema, limits.decodedItemsMax),
    },
    {
      branch: oneOf<'then' | 'else'>('then', 'else'),
      results: list(multiResultSchema, limits.multiOpsMax),
    },
  ),
  /** Deletes one bounded piece, deepest first; `done` is false while there is more. Not atomic. */
  deleteRecursive: write(7, { path }, { deleted: uint(), done: boolean }),
  closeSession: write(8, {}, {}),

  exists: read(10, { path, watch: boolean, linearizable }, { stat: nullable(statSchema) }),
  getData: read(11, { path, watch: boolean, linearizable }, getDataResult),
  /** One page, in creation order. A child that exists throughout all pages appears once. */
  getChildren: read(
    12,
    { path, watch: boolean, linearizable, cursor, limit: uint(), withStat: boolean },
    getChildrenResult,
  ),
  getAcl: read(13, { path, linearizable }, { acl: aclSchema, stat: statSchema }),
  /** The session's own, below `path`, one page. */
  getEphemerals: read(
    14,
    { path, linearizable, cursor },
    { paths: list(path, limits.ephemeralsPerSessionMax), cursor },
  ),
  /** Counts one bounded piece; the sum over all pieces is the answer. Not atomic. */
  countDescendants: read(15, { path, linearizable, cursor }, { count: uint(), cursor }),
  multiRead: read(
    16,
    { reads: list(multiReadOpSchema, limits.decodedItemsMax), linearizable },
    { results: list(multiReadResultSchema, limits.multiReadOpsMax) },
  ),
  /** A barrier: what follows on this connection sees all that was committed before it was sent. */
  sync: read(17, { path }, {}),
  whoAmI: read(
    18,
    {},
    /** Its address, and what it has authenticated as. */
    { sessionId: uint<SessionId>(), identities: list(identitySchema, limits.identitiesMax + 1) },
  ),

  auth: local(20, { scheme: text(64), user: path, password: path }, { identity: identitySchema }),
  /** Opens a stream. `from` null: from now. `streamId` is chosen by the client. */
  watch: local(
    21,
    {
      streamId: uint(),
      path,
      recursive: boolean,
      withDetail: boolean,
      from: nullable(streamPositionSchema),
    },
    { position: streamPositionSchema },
  ),
  unwatch: local(22, { streamId: uint() }, {}),
  removeWatches: local(
    23,
    { path, kind: oneOf<'data' | 'child' | 'any'>('data', 'child', 'any') },
    {},
  ),
  /** After a reconnect: sets one-shot watches again as of `fromZxid`; what they missed fires. */
  rearmWatches: local(
    24,
    {
      fromZxid: uint<Zxid>(),
      data: list(path, limits.rearmPathsMax),
      exists: list(path, limits.rearmPathsMax),
      child: list(path, limits.rearmPathsMax),
    },
    {},
  ),
} as const

export type OpTable = typeof opTable
export type OpName = keyof OpTable
export type OpArguments<N extends OpName> = FieldTypes<OpTable[N]['fields']>
export type OpResult<N extends OpName> = FieldTypes<OpTable[N]['resultFields']>
export type Op<N extends OpName = OpName> = VariantTypes<'op', Pick<OpTable, N>>

type NamesOf<K extends OpKind> = {
  [N in OpName]: OpTable[N]['kind'] extends K ? N : never
}[OpName]
export type OpKind = 'write' | 'read' | 'local'
export type WriteOpName = NamesOf<'write'>
export type ReadOpName = NamesOf<'read'>
export type WriteOp = Op<WriteOpName>
export type ReadOp = Op<ReadOpName>

export const opSchema: Schema<Op> = variants('op', opTable)

export const isWrite = (op: Op): op is WriteOp => opTable[op.op].kind === 'write'

/** Of the ops that only a leader decides. */
export const writeOpSchema: Schema<WriteOp> = {
  decode(value, at) {
    const op = opSchema.decode(value, at)
    if (!isWrite(op)) throw new ShapeError(`${at}: ${op.op} is no write`)
    return op
  },
  encode: (op) => opSchema.encode(op),
}

/** The result as it travels: the positional array that {@link decodeResult} understands. */
export const encodeResult = <N extends OpName>(name: N, result: OpResult<N>): unknown =>
  (opTable[name].result as Schema<unknown>).encode(result)

/** @throws ShapeError when the server's answer is not a result of this operation */
export const decodeResult = <N extends OpName>(name: N, value: unknown): OpResult<N> =>
  opTable[name].result.decode(value, `${name}.result`) as OpResult<N>

interface Row<K extends OpKind, F extends Fields, R extends Fields> {
  readonly tag: number
  readonly kind: K
  readonly fields: F
  readonly resultFields: R
  readonly result: Schema<FieldTypes<R>>
}

function write<F extends Fields, R extends Fields>(tag: number, fields: F, result: R) {
  return row('write', tag, fields, result)
}

function read<F extends Fields, R extends Fields>(tag: number, fields: F, result: R) {
  return row('read', tag, fields, result)
}

function local<F extends Fields, R extends Fields>(tag: number, fields: F, result: R) {
  return row('local', tag, fields, result)
}

function row<K extends OpKind, F extends Fields, R extends Fields>(
  kind: K,
  tag: number,
  fields: F,
  resultFields: R,
): Row<K, F, R> {
  return { tag, kind, fields, resultFields, result: record(resultFields) }
}
