import type { SessionId, Zxid } from '@conclave/protocol'
import { assert } from '../assert.js'
import { Fifo } from '../fifo.js'
import type { DataTree } from '../tree/data-tree.js'
import type { Znode } from '../tree/znode-store.js'

/**
 * The tree as it will be when everything proposed is applied: what prepare judges by. A txn is
 * staged change by change, then kept with its zxid or taken back as a whole.
 */
export class Outstanding {
  readonly #tree: DataTree
  /** null: the znode will be gone. */
  readonly #znodes = new Map<string, { readonly znode: Znode | null; readonly zxid: Zxid }>()
  readonly #proposals = new Fifo<Proposal>()
  /** How many more ephemerals each session will have. */
  readonly #ephemerals = new Map<SessionId, number>()
  #staged = new Map<string, Znode | null>()
  #stagedEphemerals = new Map<SessionId, number>()

  constructor(tree: DataTree) {
    this.#tree = tree
  }

  get(path: string): Znode | undefined {
    const staged = this.#staged.get(path)
    if (staged !== undefined) return staged ?? undefined
    const proposed = this.#znodes.get(path)
    if (proposed !== undefined) return proposed.znode ?? undefined
    return this.#tree.get(path)
  }

  stage(path: string, znode: Znode | null): void {
    const before = this.get(path)
    if (before === undefined && znode !== null) this.#countEphemeral(znode.ephemeralOwner, 1)
    if (before !== undefined && znode === null) this.#countEphemeral(before.ephemeralOwner, -1)
    this.#staged.set(path, znode)
  }

  /** What is staged belongs to the txn `zxid` now. */
  keep(zxid: Zxid): void {
    if (this.#staged.size === 0) return
    for (const [path, znode] of this.#staged) this.#znodes.set(path, { znode, zxid })
    addCounts(this.#ephemerals, this.#stagedEphemerals, 1)
    const paths = [...this.#staged.keys()]
    this.#proposals.push({ zxid, paths, ephemerals: this.#stagedEphemerals })
    this.takeBack()
  }

  takeBack(): void {
    if (this.#staged.size === 0) return
    this.#staged = new Map()
    this.#stagedEphemerals = new Map()
  }

  /** The txn is in the tree. */
  applied(zxid: Zxid): void {
    const oldest = this.#proposals.at(0)
    if (oldest === undefined || oldest.zxid > zxid) return
    assert(oldest.zxid === zxid, 'proposals are applied in their order')
    this.#proposals.shift()
    addCounts(this.#ephemerals, oldest.ephemerals, -1)
    for (const path of oldest.paths) {
      if (this.#znodes.get(path)?.zxid === zxid) this.#znodes.delete(path)
    }
  }

  ephemeralCount(sessionId: SessionId): number {
    return (
      this.#tree.ephemeralsOf(sessionId).size +
      (this.#ephemerals.get(sessionId) ?? 0) +
      (this.#stagedEphemerals.get(sessionId) ?? 0)
    )
  }

  /** In the order of their czxids. */
  ephemeralsOf(sessionId: SessionId): readonly Znode[] {
    const owned: Znode[] = []
    const add = (znode: Znode | undefined): void => {
      if (znode?.ephemeralOwner === sessionId) owned.push(znode)
    }
    const applied = this.#tree.ephemeralsOf(sessionId)
    for (const path of applied) add(this.get(path))
    for (const path of this.#znodes.keys()) if (!applied.has(path)) add(this.get(path))
    return owned.sort((a, b) => a.czxid - b.czxid)
  }

  #countEphemeral(owner: SessionId, difference: number): void {
    if (owner === 0) return
    addCounts(this.#stagedEphemerals, new Map([[owner, difference]]), 1)
  }
}

interface Proposal {
  readonly zxid: Zxid
  readonly paths: readonly string[]
  readonly ephemerals: ReadonlyMap<SessionId, number>
}

const addCounts = (
  counts: Map<SessionId, number>,
  differences: ReadonlyMap<SessionId, number>,
  sign: 1 | -1,
): void => {
  for (const [owner, difference] of differences) {
    const count = (counts.get(owner) ?? 0) + sign * difference
    if (count === 0) counts.delete(owner)
    else counts.set(owner, count)
  }
}
