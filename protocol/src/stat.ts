import { type Infer, oneOf, record, uint } from './schema.js'
import type { SessionId, Zxid } from './zxid.js'

/** What a create may ask for. */
export const createKinds = [
  'persistent',
  'ephemeral',
  'persistentSequential',
  'ephemeralSequential',
  'container',
  'ttl',
  'ttlSequential',
] as const
export type CreateKind = (typeof createKinds)[number]

/** What a znode is once its name is made: the sequential kinds leave only their suffix behind. */
export const znodeKinds = ['persistent', 'ephemeral', 'container', 'ttl'] as const
export type ZnodeKind = (typeof znodeKinds)[number]

export const createKindSchema = oneOf<CreateKind>(...createKinds)
export const znodeKindSchema = oneOf<ZnodeKind>(...znodeKinds)

const kindTable: Readonly<Record<CreateKind, { kind: ZnodeKind; sequential: boolean }>> = {
  persistent: { kind: 'persistent', sequential: false },
  ephemeral: { kind: 'ephemeral', sequential: false },
  persistentSequential: { kind: 'persistent', sequential: true },
  ephemeralSequential: { kind: 'ephemeral', sequential: true },
  container: { kind: 'container', sequential: false },
  ttl: { kind: 'ttl', sequential: false },
  ttlSequential: { kind: 'ttl', sequential: true },
}

export const znodeKindOf = (kind: CreateKind): ZnodeKind => kindTable[kind].kind
export const isSequential = (kind: CreateKind): boolean => kindTable[kind].sequential

/** The facts about a znode besides its data. Times are milliseconds since 1970 (txn clock). */
export const statSchema = record({
  /** zxid of the create; also the fencing token of a grant. */
  czxid: uint<Zxid>(),
  /** zxid of the last create or setData. */
  mzxid: uint<Zxid>(),
  /** zxid of the last create or delete of a child. */
  pzxid: uint<Zxid>(),
  ctime: uint(),
  mtime: uint(),
  version: uint(),
  /** +1 for each child create and each child delete. */
  cversion: uint(),
  aversion: uint(),
  /** The session that an ephemeral lives with; 0 for every other znode. */
  ephemeralOwner: uint<SessionId>(),
  dataLength: uint(),
  numChildren: uint(),
  kind: znodeKindSchema,
  /** How long a childless ttl znode lives after its mtime; 0 for every other znode. */
  ttlMs: uint(),
})

export type Stat = Infer<typeof statSchema>
