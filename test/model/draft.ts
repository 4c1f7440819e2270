import type { Acl, CreateKind, ErrorCode, Stat, ZnodeKind } from '@conclave/protocol'
import { grants, openToAll, storedAcl } from './access.js'
import { isBelow, parentOf } from './paths.js'
import {
  childrenOf,
  type ModelEvent,
  type Plain,
  statOf,
  type Tree,
  type Who,
  type Znode,
} from './tree.js'

export interface Moment {
  readonly zxid: number
  readonly timeMs: number
}

export interface Create {
  readonly path: string
  readonly data: Uint8Array | null
  readonly kind: CreateKind
  readonly acl: Acl | null
  readonly ttlMs: number
}

/** What a deleteRecursive has deleted, as paths, or that it was refused half-way. */
export type Piece = readonly string[] | 'noAuth'

/** One txn in the making: each step gives its result, or the code of the first check that fails. */
export class Draft {
  readonly tree: Map<string, Znode>
  readonly events: ModelEvent[] = []
  readonly #who: Who
  readonly #at: Moment

  constructor(tree: Tree, who: Who, at: Moment) {
    this.tree = new Map(tree)
    this.#who = who
    this.#at = at
  }

  create(op: Create): ErrorCode | { path: string; stat: Plain<Stat> } {
    const { kind, isSequential } = kindOf(op.kind)
    const acl = storedAcl(op.acl ?? openToAll, this.#who.identities)
    if (acl === null) return 'invalidAcl'
    const parent = this.tree.get(parentOf(op.path))
    if (parent === undefined) return 'noNode'
    if (!grants(parent.acl, this.#who.identities, 'create')) return 'noAuth'
    const digits = isSequential ? String(parent.creates).padStart(10, '0') : ''
    const path = `${op.path}${digits}`
    if (this.tree.has(path)) return 'nodeExists'
    if (parent.kind === 'ephemeral') return 'noChildrenForEphemerals'
    const { zxid, timeMs } = this.#at
    const znode: Znode = {
      data: op.data === null || op.data.length === 0 ? null : op.data,
      acl,
      kind,
      owner: kind === 'ephemeral' ? this.#who.sessionId : 0,
      ttlMs: op.ttlMs,
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      ctime: timeMs,
      mtime: timeMs,
      version: 0,
      cversion: 0,
      aversion: 0,
      creates: 0,
      ordinal: parent.creates,
    }
    this.tree.set(path, znode)
    this.events.push({ type: 'created', path, acl, detail: detailOf(znode) })
    this.#childrenChanged(parentOf(path), 1)
    return { path, stat: statOf(this.tree, path) }
  }

  delete(path: string, version: number): ErrorCode | null {
    const refused = this.#refusesDelete(path)
    if (refused !== null) return refused
    if (version !== -1 && version !== this.tree.get(path)?.version) return 'badVersion'
    if (childrenOf(this.tree, path).length > 0) return 'notEmpty'
    this.remove(path)
    return null
  }

  setData(path: string, data: Uint8Array | null, version: number): ErrorCode | Plain<Stat> {
    const znode = this.tree.get(path)
    if (znode === undefined) return 'noNode'
    if (!grants(znode.acl, this.#who.identities, 'write')) return 'noAuth'
    if (version !== -1 && version !== znode.version) return 'badVersion'
    const next: Znode = {
      ...znode,
      data: data === null || data.length === 0 ? null : data,
      version: znode.version + 1,
      mzxid: this.#at.zxid,
      mtime: this.#at.timeMs,
    }
    this.tree.set(path, next)
    this.events.push({ type: 'dataChanged', path, acl: znode.acl, detail: detailOf(next) })
    return statOf(this.tree, path)
  }

  setAcl(path: string, asked: Acl, version: number): ErrorCode | Plain<Stat> {
    const znode = this.tree.get(path)
    if (znode === undefined) return 'noNode'
    if (!grants(znode.acl, this.#who.identities, 'admin')) return 'noAuth'
    const acl = storedAcl(asked, this.#who.identities)
    if (acl === null) return 'invalidAcl'
    if (version !== -1 && version !== znode.aversion) return 'badVersion'
    this.tree.set(path, { ...znode, acl, aversion: znode.aversion + 1 })
    return statOf(this.tree, path)
  }

  check(path: string, version: number): ErrorCode | null {
    const znode = this.tree.get(path)
    if (znode === undefined) return 'noNode'
    if (!grants(znode.acl, this.#who.identities, 'read')) return 'noAuth'
    return version === -1 || version === znode.version ? null : 'badVersion'
  }

  /**
   * All of it, because no tree of the model is larger than one piece; or a given piece of it, when
   * writes are under way that may hide the rest.
   */
  deleteRecursive(path: string, piece?: Piece): ErrorCode | { deleted: number; done: boolean } {
    const refused = this.#refusesDelete(path)
    if (refused !== null) return refused
    const all = this.#leavesFirst(path)
    const mayAll = all.every((at) => this.#mayDeleteFrom(parentOf(at)))
    if (!mayAll && (piece === undefined || piece === 'noAuth')) return 'noAuth'
    const doomed = piece === undefined || piece === 'noAuth' ? all : piece
    for (const at of doomed) {
      const isLeaf = this.tree.has(at) && childrenOf(this.tree, at).length === 0
      const isRight = isLeaf && (at === path || isBelow(at, path))
      if (!isRight || !this.#mayDeleteFrom(parentOf(at))) return 'internal'
      this.remove(at)
    }
    return { deleted: doomed.length, done: !this.tree.has(path) }
  }

  /** The ephemerals of a session go in the order of their creation. */
  closeSession(sessionId: number): void {
    for (const [path, { owner }] of this.tree) {
      if (owner === sessionId) this.remove(path)
    }
  }

  remove(path: string): void {
    const znode = this.tree.get(path)
    if (znode === undefined) throw new Error(`the model has no ${path}`)
    this.tree.delete(path)
    const detail = { ...detailOf(znode), data: null }
    this.events.push({ type: 'deleted', path, acl: znode.acl, detail })
    this.#childrenChanged(parentOf(path), 0)
  }

  /** Siblings in the order of their creation. */
  #leavesFirst(path: string): readonly string[] {
    const below = childrenOf(this.tree, path).flatMap((child) => this.#leavesFirst(child))
    return [...below, path]
  }

  #refusesDelete(path: string): ErrorCode | null {
    if (!this.tree.has(parentOf(path))) return 'noNode'
    if (!this.#mayDeleteFrom(parentOf(path))) return 'noAuth'
    return this.tree.has(path) ? null : 'noNode'
  }

  #mayDeleteFrom(parent: string): boolean {
    const znode = this.tree.get(parent)
    return znode !== undefined && grants(znode.acl, this.#who.identities, 'delete')
  }

  #childrenChanged(path: string, created: 0 | 1): void {
    const parent = this.tree.get(path)
    if (parent === undefined) throw new Error(`the model has no ${path}`)
    this.tree.set(path, {
      ...parent,
      pzxid: this.#at.zxid,
      cversion: parent.cversion + 1,
      creates: parent.creates + created,
    })
    this.events.push({ type: 'childrenChanged', path, acl: parent.acl, detail: null })
  }
}

export const kindOf = (asked: CreateKind): { kind: ZnodeKind; isSequential: boolean } => {
  const isSequential = asked.endsWith('Sequential')
  return { kind: asked.replace('Sequential', '') as ZnodeKind, isSequential }
}

const detailOf = (znode: Znode): NonNullable<ModelEvent['detail']> => ({
  data: znode.data,
  czxid: znode.czxid,
  mzxid: znode.mzxid,
  version: znode.version,
  mtime: znode.mtime,
  ephemeralOwner: znode.owner,
})
