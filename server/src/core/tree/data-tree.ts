import { type Acl, parentPath, type SessionId, type Zxid } from '@conclave/protocol'
import type { Change, ChangeOf } from '@conclave/protocol/peer'
import { assert, assertNever } from '../assert.js'
import type { Digest } from '../fingerprint.js'
import { FrozenTable } from '../frozen-table.js'
import { ownedBytes } from '../owned-bytes.js'
import { AclPool } from './acl-pool.js'
import { Reapable } from './reapable.js'
import {
  type StoredZnode,
  type Znode,
  type ZnodeEntry,
  znodeEntry,
  znodeFingerprint,
  ZnodeStore,
} from './znode-store.js'

/** The zxid and the time of the txn that a change belongs to. */
export interface Moment {
  readonly zxid: Zxid
  readonly timeMs: number
}

/**
 * The tree of znodes. It applies what the leader decided and judges nothing: a change that does
 * not fit is a broken invariant, never a refusal.
 */
export class DataTree {
  readonly #store = new ZnodeStore()
  readonly #acls = new AclPool()
  readonly #ephemerals = new Map<SessionId, Set<string>>()
  readonly #digest: Digest
  #frozen: FrozenTable<StoredZnode, ZnodeEntry> | null = null
  /** Containers and ttl znodes, for the reaper. */
  readonly reapable = new Reapable()

  constructor(digest: Digest) {
    this.#digest = digest
  }

  /** The root, which is there before txn 1. */
  plant(): void {
    this.load(emptyZnode('/', 0))
    this.loaded()
  }

  get size(): number {
    return this.#store.size
  }

  get(path: string): Znode | undefined {
    return this.#store.get(path)
  }

  /** The children with an ordinal above `ordinal`, in creation order; -1 for all. */
  *childrenAfter(znode: Znode, ordinal: number): Generator<{ name: string; ordinal: number }> {
    const children = this.#store.get(znode.path)?.children
    if (children !== null && children !== undefined) yield* children.after(ordinal)
  }

  /** In the order of their creation. */
  ephemeralsOf(sessionId: SessionId): ReadonlySet<string> {
    return this.#ephemerals.get(sessionId) ?? nothing
  }

  /** @returns the znode changed, for a delete as it was last; null for a check */
  apply(change: Change, moment: Moment): Znode | null {
    switch (change.change) {
      case 'create':
        return this.#create(change, moment)
      case 'delete':
        return this.#delete(change, moment)
      case 'setData':
        return this.#setData(change, moment)
      case 'setAcl':
        return this.#setAcl(change)
      case 'check':
        return null
      default:
        return assertNever(change)
    }
  }

  /** All znodes as of `zxid`, which is now. One at a time: ends with {@link thaw}. */
  freeze(id: number, zxid: Zxid): FrozenTable<StoredZnode, ZnodeEntry> {
    assert(this.#frozen === null, 'one snapshot is taken at a time')
    this.#frozen = new FrozenTable(id, zxid, this.#store.values(), znodeEntry)
    return this.#frozen
  }

  thaw(): void {
    this.#frozen = null
  }

  /** Takes one znode of a snapshot, in any order; {@link loaded} ends the loading. */
  load(entry: ZnodeEntry): void {
    this.#insert({ ...entry, data: entry.data === null ? null : ownedBytes(entry.data) })
  }

  /** @throws InvariantError when a znode has no parent */
  loaded(): void {
    for (const znode of this.#store.values()) {
      if (znode.path === '/') continue
      const parent = this.#store.get(parentPath(znode.path))
      assert(parent !== undefined, `the parent of ${znode.path} exists`)
      parent.adopt(znode)
    }
    for (const znode of this.#store.values()) {
      znode.children?.sort()
      this.#count(znode)
    }
    for (const [owner, paths] of this.#ephemerals) {
      const byAge = [...paths].sort((a, b) => this.#bornAt(a) - this.#bornAt(b))
      this.#ephemerals.set(owner, new Set(byAge))
    }
  }

  #create(change: ChangeOf<'create'>, { zxid, timeMs }: Moment): Znode {
    const parent = this.#existing(parentPath(change.path))
    assert(parent.childrenCreated === change.ordinal, `the ordinal of ${change.path} is the next`)
    this.#touch(parent)
    const znode = this.#insert({
      ...emptyZnode(change.path, change.ordinal),
      data: change.data === null ? null : ownedBytes(change.data),
      acl: change.acl,
      kind: change.kind,
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctime: timeMs,
      mtime: timeMs,
      ephemeralOwner: change.ephemeralOwner,
      ttlMs: change.ttlMs,
    })
    parent.adopt(znode)
    parent.childrenCreated += 1
    parent.pzxid = zxid
    this.#count(znode)
    this.#count(parent)
    return znode
  }

  #delete(change: ChangeOf<'delete'>, { zxid }: Moment): Znode {
    const znode = this.#existing(change.path)
    assert(znode.numChildren === 0, `${change.path} has no children when it is deleted`)
    const parent = this.#existing(parentPath(change.path))
    this.#touch(znode)
    this.#touch(parent)
    this.#store.remove(znode)
    this.#acls.release(znode.acl)
    this.reapable.remove(znode)
    this.#disownEphemeral(znode)
    if (znode.fingerprint !== null) this.#digest.remove(znode.fingerprint)
    parent.disown(znode)
    parent.pzxid = zxid
    this.#count(parent)
    return znode
  }

  #setData(change: ChangeOf<'setData'>, { zxid, timeMs }: Moment): Znode {
    const znode = this.#existing(change.path)
    this.#touch(znode)
    znode.setData(change.data === null ? null : ownedBytes(change.data))
    znode.version = change.version
    znode.mzxid = zxid
    znode.mtime = timeMs
    this.#count(znode)
    return znode
  }

  #setAcl(change: ChangeOf<'setAcl'>): Znode {
    const znode = this.#existing(change.path)
    this.#touch(znode)
    this.#acls.release(znode.acl)
    znode.acl = this.#acls.acquire(change.acl)
    znode.aversion = change.aversion
    this.#count(znode)
    return znode
  }

  #insert(entry: ZnodeEntry): StoredZnode {
    const acl: Acl | null = this.#acls.acquire(entry.acl)
    const znode = this.#store.insert({ ...entry, acl })
    this.reapable.add(znode)
    if (znode.ephemeralOwner !== 0) {
      const owned = this.#ephemerals.get(znode.ephemeralOwner)
      if (owned === undefined) this.#ephemerals.set(znode.ephemeralOwner, new Set([znode.path]))
      else owned.add(znode.path)
    }
    return znode
  }

  #disownEphemeral(znode: Znode): void {
    const owned = this.#ephemerals.get(znode.ephemeralOwner)
    owned?.delete(znode.path)
    if (owned?.size === 0) this.#ephemerals.delete(znode.ephemeralOwner)
  }

  #existing(path: string): StoredZnode {
    const znode = this.#store.get(path)
    assert(znode !== undefined, `the znode ${path} of a change exists`)
    return znode
  }

  #touch(znode: StoredZnode): void {
    this.#frozen?.touch(znode)
  }

  /** Puts the znode as it is now into the digest, in place of what the digest had of it. */
  #count(znode: StoredZnode): void {
    if (znode.fingerprint !== null) this.#digest.remove(znode.fingerprint)
    znode.fingerprint = znodeFingerprint(znode)
    this.#digest.add(znode.fingerprint)
  }

  #bornAt(path: string): Zxid {
    return this.#existing(path).czxid
  }
}

const nothing: ReadonlySet<string> = new Set()

const emptyZnode = (path: string, ordinal: number): ZnodeEntry => ({
  entry: 'znode',
  path,
  data: null,
  acl: null,
  kind: 'persistent',
  czxid: 0 as Zxid,
  mzxid: 0 as Zxid,
  pzxid: 0 as Zxid,
  ctime: 0,
  mtime: 0,
  version: 0,
  aversion: 0,
  ephemeralOwner: 0 as SessionId,
  ttlMs: 0,
  ordinal,
  childrenCreated: 0,
})
