import type { Acl, ChangeType, EventDetail, Identity, Stat, ZnodeKind } from '@conclave/protocol'
import { openToAll } from './access.js'
import { nameOf, parentOf } from './paths.js'

/** A znode as plain facts. Never changed in place: every state keeps its own. */
export interface Znode {
  readonly data: Uint8Array | null
  readonly acl: Acl
  readonly kind: ZnodeKind
  readonly owner: number
  readonly ttlMs: number
  readonly czxid: number
  readonly mzxid: number
  readonly pzxid: number
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  /** How many creates there ever were under this znode. */
  readonly creates: number
  /** How many there were under the parent before this one. */
  readonly ordinal: number
}

/** All znodes by path, in the order of their creation. */
export type Tree = ReadonlyMap<string, Znode>

/** The event of a change, with the ACL that says who may see it. */
export interface ModelEvent {
  readonly type: ChangeType
  readonly path: string
  readonly acl: Acl
  readonly detail: Plain<EventDetail> | null
}

/** The replicated state after one txn. */
export interface State {
  readonly zxid: number
  readonly tree: Tree
  readonly events: readonly ModelEvent[]
}

/** On whose behalf something is read or written. */
export interface Who {
  readonly sessionId: number
  readonly identities: readonly Identity[]
}

/** The model counts with plain numbers: no brand keeps it from comparing what it must not mix. */
export type Plain<T> = { readonly [K in keyof T]: T[K] extends number ? number : T[K] }

export const childrenOf = (tree: Tree, path: string): readonly string[] =>
  [...tree.keys()].filter((child) => child !== '/' && parentOf(child) === path)

export const statOf = (tree: Tree, path: string): Plain<Stat> => {
  const znode = tree.get(path)
  if (znode === undefined) throw new Error(`the model has no ${path}`)
  return {
    czxid: znode.czxid,
    mzxid: znode.mzxid,
    pzxid: znode.pzxid,
    ctime: znode.ctime,
    mtime: znode.mtime,
    version: znode.version,
    cversion: znode.cversion,
    aversion: znode.aversion,
    ephemeralOwner: znode.owner,
    dataLength: znode.data?.length ?? 0,
    numChildren: childrenOf(tree, path).length,
    kind: znode.kind,
    ttlMs: znode.ttlMs,
  }
}

export const listed = (tree: Tree, paths: readonly string[], withStat: boolean) =>
  paths.map((path) => ({ name: nameOf(path), stat: withStat ? statOf(tree, path) : null }))

/** What there is before the first txn. */
export const root: Znode = {
  data: null,
  acl: openToAll,
  kind: 'persistent',
  owner: 0,
  ttlMs: 0,
  czxid: 0,
  mzxid: 0,
  pzxid: 0,
  ctime: 0,
  mtime: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  creates: 0,
  ordinal: 0,
}
