import { Fifo, type SessionId, type Zxid } from '@conclave/protocol'
import { assert } from '../assert.js'
import type { DataTree } from '../tree/data-tree.js'
import { copyOf, type Znode } from '../tree/znode.js'
import { type EphemeralLoad, EphemeralLoads, type NamedZnode } from './ephemeral-loads.js'

/**
 * The tree as it will be when everything proposed is applied: what prepare judges by. A txn is
 * staged change by change, then kept with its zxid or taken back as a whole.
 */
export class Outstanding {
  readonly #tree: DataTree
  /** null: the znode will be gone. */
  readonly #znodes = new Map<string, { readonly znode: Znode | null; readonly zxid: Zxid }>()
  readonly #proposals = new Fifo<{ readonly zxid: Zxid; readonly znodes: Staged }>()
  /** The ephemerals that are proposed and not yet in the tree, each by its last txn. */
  readonly #ephemerals = new Map<SessionId, Map<string, Zxid>>()
  readonly #loads = new EphemeralLoads((sessionId) => this.#ephemeralsOf(sessionId))
  #staged: Staged = new Map()

  constructor(tree: DataTree) {
    this.#tree = tree
  }

  get(path: string): Znode | undefined {
    const staged = this.#staged.get(path)
    return staged === undefined ? this.#kept(path) : (staged ?? undefined)
  }

  /** @param before what {@link get} says of the path; null: the znode goes */
  stage(path: string, before: Znode | undefined, znode: Znode | null): void {
    this.#loads.stage(path, before, znode)
    this.#staged.set(path, znode)
  }

  /**
   * Stages a znode whose children change. It is copied once for a txn, however many they are.
   * @returns the copy, whose counts are to be changed
   */
  stageParent(path: string): Znode & ParentCounts {
    const staged = this.#staged.get(path)
    if (staged !== undefined && staged !== null) return staged as Znode & ParentCounts
    const znode = this.#kept(path)
    assert(staged !== null && znode !== undefined, `the parent ${path} is there`)
    const copy = copyOf(znode)
    this.#staged.set(path, copy)
    return copy as Znode & ParentCounts
  }

  /** What is staged belongs to the txn `zxid` now. */
  keep(zxid: Zxid): void {
    if (this.#staged.size === 0) return
    for (const [path, znode] of this.#staged) {
      this.#znodes.set(path, { znode, zxid })
      if (znode !== null && znode.ephemeralOwner !== 0) this.#own(znode, zxid)
    }
    this.#proposals.push({ zxid, znodes: this.#staged })
    this.#loads.keep()
    this.#staged = new Map()
  }

  takeBack(): void {
    if (this.#staged.size === 0) return
    this.#loads.takeBack()
    this.#staged = new Map()
  }

  /** The txn is in the tree. */
  applied(zxid: Zxid): void {
    const oldest = this.#proposals.at(0)
    if (oldest === undefined || oldest.zxid > zxid) return
    assert(oldest.zxid === zxid, 'proposals are applied in their order')
    this.#proposals.shift()
    for (const [path, znode] of oldest.znodes) {
      if (this.#znodes.get(path)?.zxid === zxid) this.#znodes.delete(path)
      if (znode !== null && znode.ephemeralOwner !== 0) this.#disown(znode, zxid)
    }
  }

  ephemeralLoadOf(sessionId: SessionId): EphemeralLoad {
    return this.#loads.of(sessionId)
  }

  /** In the order of their czxids, without what is staged. */
  ephemeralsOf(sessionId: SessionId): readonly NamedZnode[] {
    return [...this.#ephemeralsOf(sessionId)].sort(([, a], [, b]) => a.czxid - b.czxid)
  }

  *#ephemeralsOf(sessionId: SessionId): Generator<NamedZnode> {
    const applied = this.#tree.ephemeralsOf(sessionId)
    for (const path of applied) {
      const znode = this.#kept(path)
      if (znode?.ephemeralOwner === sessionId) yield [path, znode]
    }
    for (const path of this.#ephemerals.get(sessionId)?.keys() ?? []) {
      const znode = applied.has(path) ? undefined : this.#kept(path)
      if (znode?.ephemeralOwner === sessionId) yield [path, znode]
    }
  }

  #kept(path: string): Znode | undefined {
    const proposed = this.#znodes.get(path)
    return proposed === undefined ? this.#tree.get(path) : (proposed.znode ?? undefined)
  }

  #own({ path, ephemeralOwner }: Znode, zxid: Zxid): void {
    const owned = this.#ephemerals.get(ephemeralOwner)
    if (owned === undefined) this.#ephemerals.set(ephemeralOwner, new Map([[path, zxid]]))
    else owned.set(path, zxid)
  }

  #disown({ path, ephemeralOwner }: Znode, zxid: Zxid): void {
    const owned = this.#ephemerals.get(ephemeralOwner)
    if (owned?.get(path) !== zxid) return
    owned.delete(path)
    if (owned.size === 0) this.#ephemerals.delete(ephemeralOwner)
  }
}

/** null: the znode goes. */
type Staged = Map<string, Znode | null>

/** What the create or delete of a child changes in its parent. */
interface ParentCounts {
  pzxid: Zxid
  numChildren: number
  childrenCreated: number
}
