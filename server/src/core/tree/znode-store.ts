import {
  type Acl,
  baseName,
  type SessionId,
  type Stat,
  type ZnodeKind,
  type Zxid,
} from '@conclave/protocol'
import type { SnapshotEntryOf } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import { Fingerprint } from '../fingerprint.js'
import type { Freezable } from '../frozen-table.js'
import { ShardedMap } from '../sharded-map.js'
import { ChildList } from './child-list.js'

/** A znode as the rest of the core sees it. */
export interface Znode {
  readonly path: string
  readonly data: Uint8Array | null
  /** null means everybody may do everything. */
  readonly acl: Acl | null
  readonly kind: ZnodeKind
  readonly czxid: Zxid
  readonly mzxid: Zxid
  readonly pzxid: Zxid
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly aversion: number
  readonly ephemeralOwner: SessionId
  readonly ttlMs: number
  /** Its place among all children ever created under its parent. */
  readonly ordinal: number
  readonly childrenCreated: number
  readonly numChildren: number
}

/**
 * Where the znodes are. Only this room knows how they are laid out; the others see {@link Znode},
 * and {@link DataTree} alone changes one.
 */
export class ZnodeStore {
  readonly #znodes = new ShardedMap<StoredZnode>()

  get size(): number {
    return this.#znodes.size
  }

  get(path: string): StoredZnode | undefined {
    return this.#znodes.get(path)
  }

  /** The caller has put the child into the account of its parent, see {@link adopt}. */
  insert(entry: ZnodeEntry): StoredZnode {
    const znode = new StoredZnode(entry)
    this.#znodes.set(znode.path, znode)
    return znode
  }

  remove(znode: StoredZnode): void {
    const removed = this.#znodes.delete(znode.path)
    assert(removed, `the znode ${znode.path} that is removed exists`)
  }

  /** Any order; live, see {@link ShardedMap.values}. */
  values(): IterableIterator<StoredZnode> {
    return this.#znodes.values()
  }
}

export type ZnodeEntry = SnapshotEntryOf<'znode'>

export class StoredZnode implements Znode, Freezable {
  readonly path: string
  data: Uint8Array | null
  acl: Acl | null
  readonly kind: ZnodeKind
  readonly czxid: Zxid
  mzxid: Zxid
  pzxid: Zxid
  readonly ctime: number
  mtime: number
  version: number
  aversion: number
  readonly ephemeralOwner: SessionId
  readonly ttlMs: number
  readonly ordinal: number
  childrenCreated: number
  children: ChildList | null = null
  snapshotMark = 0
  /** Of the data alone, so that a change beside it need not read a megabyte again. */
  dataFingerprint: Fingerprint
  /** Of the state that the digest has of this znode. */
  fingerprint: Fingerprint | null = null

  constructor(entry: ZnodeEntry) {
    this.path = entry.path
    this.data = entry.data
    this.dataFingerprint = dataFingerprint(entry.data)
    this.acl = entry.acl
    this.kind = entry.kind
    this.czxid = entry.czxid
    this.mzxid = entry.mzxid
    this.pzxid = entry.pzxid
    this.ctime = entry.ctime
    this.mtime = entry.mtime
    this.version = entry.version
    this.aversion = entry.aversion
    this.ephemeralOwner = entry.ephemeralOwner
    this.ttlMs = entry.ttlMs
    this.ordinal = entry.ordinal
    this.childrenCreated = entry.childrenCreated
  }

  get bornAt(): Zxid {
    return this.czxid
  }

  get numChildren(): number {
    return this.children?.size ?? 0
  }

  setData(data: Uint8Array | null): void {
    this.data = data
    this.dataFingerprint = dataFingerprint(data)
  }

  adopt(child: Znode): void {
    this.children ??= new ChildList()
    this.children.add(child.ordinal, baseName(child.path))
  }

  disown(child: Znode): void {
    this.children?.remove(child.ordinal)
    if (this.children?.size === 0) this.children = null
  }
}

export const znodeEntry = (znode: Znode): ZnodeEntry => ({
  entry: 'znode',
  path: znode.path,
  data: znode.data,
  acl: znode.acl,
  kind: znode.kind,
  czxid: znode.czxid,
  mzxid: znode.mzxid,
  pzxid: znode.pzxid,
  ctime: znode.ctime,
  mtime: znode.mtime,
  version: znode.version,
  aversion: znode.aversion,
  ephemeralOwner: znode.ephemeralOwner,
  ttlMs: znode.ttlMs,
  ordinal: znode.ordinal,
  childrenCreated: znode.childrenCreated,
})

/**
 * Every create and every delete of a child counts, and what was created and is gone was deleted.
 * Stops at the largest number that the wire carries.
 */
export const cversionOf = (znode: Pick<Znode, 'childrenCreated' | 'numChildren'>): number =>
  Math.min(2 * znode.childrenCreated - znode.numChildren, Number.MAX_SAFE_INTEGER)

export const statOf = (znode: Omit<Znode, 'path' | 'acl' | 'ordinal'>): Stat => ({
  czxid: znode.czxid,
  mzxid: znode.mzxid,
  pzxid: znode.pzxid,
  ctime: znode.ctime,
  mtime: znode.mtime,
  version: znode.version,
  cversion: cversionOf(znode),
  aversion: znode.aversion,
  ephemeralOwner: znode.ephemeralOwner,
  dataLength: znode.data?.length ?? 0,
  numChildren: znode.numChildren,
  kind: znode.kind,
  ttlMs: znode.ttlMs,
})

const dataFingerprint = (data: Uint8Array | null): Fingerprint =>
  new Fingerprint(4).bytes(data).done()

export const znodeFingerprint = (znode: StoredZnode): Fingerprint => {
  const print = new Fingerprint(1)
    .text(znode.path)
    .number(znode.dataFingerprint.a)
    .number(znode.dataFingerprint.b)
    .text(znode.kind)
    .number(znode.czxid)
    .number(znode.mzxid)
    .number(znode.pzxid)
    .number(znode.ctime)
    .number(znode.mtime)
    .number(znode.version)
    .number(znode.aversion)
    .number(znode.ephemeralOwner)
    .number(znode.ttlMs)
    .number(znode.ordinal)
    .number(znode.childrenCreated)
    .number(znode.numChildren)
  for (const entry of znode.acl ?? []) {
    print.text(entry.scheme).text(entry.id).number(entry.permissions)
  }
  return print.done()
}
