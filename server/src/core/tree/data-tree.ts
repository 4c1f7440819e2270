import { parentPath, type SessionId, type Zxid } from '@conclave/protocol'
import type { Change, ChangeOf } from '@conclave/protocol/peer'
import { assert, assertNever } from '../assert.js'
import type { Digest } from '../fingerprint.js'
import { FrozenTable } from '../frozen-table.js'
import { AclPool } from './acl-pool.js'
import { Reapable } from './reapable.js'
import type { LiveZnode, Znode, ZnodeEntry } from './znode.js'
import { ZnodeStore } from './znode-store.js'

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
  /** Changed by the txn that is being applied, and not yet in the digest as they are now. */
  readonly #uncounted = new Set<number>()
  #frozen: FrozenTable<number, ZnodeEntry> | null = null
  /**
   * Of the last create or delete of the txn, so it is there still: ten thousand ephemerals that go
   * at once have few parents.
   */
  #parent: { readonly path: string; readonly row: number } | null = null
  /** Containers and ttl znodes, for the reaper. */
  readonly reapable = new Reapable((path) => this.get(path))

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

  get(path: string): LiveZnode | undefined {
    const row = this.#store.rowOf(path)
    return row === undefined ? undefined : this.#store.at(row)
  }

  /** The children with an ordinal above `ordinal`, in creation order; -1 for all. */
  *childrenAfter({ path }: Znode, ordinal: number): Generator<LiveZnode, void> {
    const row = this.#store.rowOf(path)
    const children = row === undefined ? null : this.#store.columns.children.get(row)
    for (const child of children?.after(ordinal) ?? []) yield this.#store.at(child)
  }

  /** In the order of their creation. */
  ephemeralsOf(sessionId: SessionId): ReadonlySet<string> {
    return this.#ephemerals.get(sessionId) ?? nothing
  }

  /**
   * One change of a txn; {@link applied} ends the txn.
   * @returns the znode changed; null for a delete and for a check
   */
  apply(change: Change, moment: Moment): LiveZnode | null {
    switch (change.change) {
      case 'create':
        return this.#store.at(this.#create(change, moment))
      case 'delete':
        this.#delete(change, moment)
        return null
      case 'setData':
        return this.#store.at(this.#setData(change, moment))
      case 'setAcl':
        return this.#store.at(this.#setAcl(change))
      case 'check':
        return null
      default:
        return assertNever(change)
    }
  }

  /** Puts what the txn changed into the digest: a parent of many once, not for each of them. */
  applied(): void {
    for (const row of this.#uncounted) this.#count(row)
    this.#uncounted.clear()
    this.#parent = null
  }

  /** All znodes as of `zxid`, which is now. One at a time: ends with {@link thaw}. */
  freeze(id: number, zxid: Zxid): FrozenTable<number, ZnodeEntry> {
    assert(this.#frozen === null, 'one snapshot is taken at a time')
    this.#frozen = new FrozenTable(id, zxid, this.#store)
    return this.#frozen
  }

  thaw(): void {
    this.#frozen = null
  }

  /** Takes one znode of a snapshot, in any order; {@link loaded} ends the loading. */
  load(entry: ZnodeEntry): void {
    this.#insert(entry)
  }

  /** @throws InvariantError when a znode has no parent */
  loaded(): void {
    for (const row of this.#store.values()) {
      const { path } = this.#store.at(row)
      if (path === '/') continue
      const parent = this.#store.rowOf(parentPath(path))
      assert(parent !== undefined, `the parent of ${path} exists`)
      this.#store.adopt(parent, row)
    }
    for (const row of this.#store.values()) this.#count(row)
    for (const [owner, paths] of this.#ephemerals) {
      const byAge = [...paths].sort((a, b) => this.#bornAt(a) - this.#bornAt(b))
      this.#ephemerals.set(owner, new Set(byAge))
    }
  }

  #create(change: ChangeOf<'create'>, { zxid, timeMs }: Moment): number {
    const { childrenCreated, pzxid } = this.#store.columns
    const parent = this.#parentOf(change.path)
    const ordinal = childrenCreated.get(parent)
    assert(ordinal === change.ordinal, `the ordinal of ${change.path} is the next`)
    this.#touch(parent)
    const row = this.#insert({
      ...emptyZnode(change.path, change.ordinal),
      data: change.data,
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
    this.#store.adopt(parent, row)
    childrenCreated.set(parent, ordinal + 1)
    pzxid.set(parent, zxid)
    this.#uncounted.add(row)
    this.#uncounted.add(parent)
    return row
  }

  #delete(change: ChangeOf<'delete'>, { zxid }: Moment): void {
    const row = this.#existing(change.path)
    const znode = this.#store.at(row)
    assert(znode.numChildren === 0, `${change.path} has no children when it is deleted`)
    const parent = this.#parentOf(change.path)
    this.#touch(row)
    this.#touch(parent)
    this.#digest.remove(this.#store.lanes(row))
    this.#acls.release(znode.acl)
    this.reapable.remove(change.path)
    this.#disownEphemeral(znode.ephemeralOwner, change.path)
    this.#uncounted.delete(row)
    this.#store.disown(parent, row)
    this.#store.remove(row)
    this.#store.columns.pzxid.set(parent, zxid)
    this.#uncounted.add(parent)
  }

  #setData(change: ChangeOf<'setData'>, { zxid, timeMs }: Moment): number {
    const { version, mzxid, mtime } = this.#store.columns
    const row = this.#existing(change.path)
    this.#touch(row)
    this.#store.setData(row, change.data)
    version.set(row, change.version)
    mzxid.set(row, zxid)
    mtime.set(row, timeMs)
    this.#uncounted.add(row)
    return row
  }

  #setAcl(change: ChangeOf<'setAcl'>): number {
    const { acl, aversion } = this.#store.columns
    const row = this.#existing(change.path)
    this.#touch(row)
    this.#acls.release(acl.get(row))
    acl.set(row, this.#acls.acquire(change.acl))
    aversion.set(row, change.aversion)
    this.#uncounted.add(row)
    return row
  }

  #insert(entry: ZnodeEntry): number {
    const row = this.#store.insert({ ...entry, acl: this.#acls.acquire(entry.acl) })
    this.reapable.add(entry)
    if (entry.ephemeralOwner !== 0) {
      const owned = this.#ephemerals.get(entry.ephemeralOwner)
      if (owned === undefined) this.#ephemerals.set(entry.ephemeralOwner, new Set([entry.path]))
      else owned.add(entry.path)
    }
    return row
  }

  #disownEphemeral(ephemeralOwner: SessionId, path: string): void {
    const owned = this.#ephemerals.get(ephemeralOwner)
    owned?.delete(path)
    if (owned?.size === 0) this.#ephemerals.delete(ephemeralOwner)
  }

  #existing(path: string): number {
    const row = this.#store.rowOf(path)
    assert(row !== undefined, `the znode ${path} of a change exists`)
    return row
  }

  #parentOf(path: string): number {
    const parent = parentPath(path)
    if (this.#parent?.path !== parent) this.#parent = { path: parent, row: this.#existing(parent) }
    return this.#parent.row
  }

  #touch(row: number): void {
    this.#frozen?.touch(row)
  }

  /** Puts the znode as it is now into the digest, in place of what the digest had of it. */
  #count(row: number): void {
    this.#digest.remove(this.#store.lanes(row))
    this.#store.setLanes(row, this.#store.fingerprint(row))
    this.#digest.add(this.#store.lanes(row))
  }

  #bornAt(path: string): Zxid {
    return this.#store.bornAt(this.#existing(path))
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
