import { type Acl, aclBytes, aclKey, limits, type SessionId } from '@conclave/protocol'
import { assert } from '../assert.js'
import type { Znode } from '../tree/znode.js'

/** What the ephemerals of one session will be, with all that is proposed and staged. */
export interface EphemeralLoad {
  readonly count: number
  /**
   * Never less than what they add to the closeSession txn that deletes them, the ACLs of their
   * parents aside: for each its path and 64 bytes for the rest of its change (headers of four, the
   * tag, five numbers of nine, two places in the table of ACLs of three), and each ACL once.
   */
  readonly bytes: number
}

/** With its path, which a znode of the tree would have to put together. */
export type NamedZnode = readonly [path: string, znode: Znode]

/**
 * Adds up the ephemerals of those sessions that change theirs. A load is made from the znodes when
 * it is first asked for, so it need not be stored or recovered, and follows what is staged.
 */
export class EphemeralLoads {
  readonly #ephemeralsOf: (sessionId: SessionId) => Iterable<NamedZnode>
  readonly #loads = new Map<SessionId, Load>()
  #staged: Step[] = []

  /** @param ephemeralsOf with all that is proposed, without what is staged */
  constructor(ephemeralsOf: (sessionId: SessionId) => Iterable<NamedZnode>) {
    this.#ephemeralsOf = ephemeralsOf
  }

  of(sessionId: SessionId): EphemeralLoad {
    let load = this.#loads.get(sessionId)
    if (load === undefined) {
      load = { count: 0, bytes: 0, uses: new Map(), usesByAcl: new WeakMap() }
      for (const [path, { acl }] of this.#ephemeralsOf(sessionId)) add(load, path, acl, 1)
      this.#loads.set(sessionId, load)
    }
    return load
  }

  /** One znode takes the place of another; either may be none. */
  stage(path: string, before: Znode | undefined, after: Znode | null): void {
    if (after !== null) this.#stage(path, after, 1)
    if (before !== undefined) this.#stage(path, before, -1)
  }

  keep(): void {
    for (const { owner } of this.#staged) {
      if (this.#loads.get(owner)?.count === 0) this.#loads.delete(owner)
    }
    this.#staged = []
  }

  takeBack(): void {
    for (const { owner, path, acl, sign } of this.#staged.reverse()) {
      add(this.#loads.get(owner) as Load, path, acl, sign === 1 ? -1 : 1)
    }
    this.#staged = []
  }

  #stage(path: string, { ephemeralOwner: owner, acl }: Znode, sign: 1 | -1): void {
    if (owner === 0) return
    this.of(owner)
    add(this.#loads.get(owner) as Load, path, acl, sign)
    this.#staged.push({ owner, path, acl, sign })
  }
}

interface Step {
  readonly owner: SessionId
  readonly path: string
  readonly acl: Acl | null
  readonly sign: 1 | -1
}

interface Load {
  count: number
  bytes: number
  /** Of each distinct ACL that is used. */
  readonly uses: Map<string, AclUse>
  /** Found without writing out the ACL, which may be large. Those not used any more are void. */
  readonly usesByAcl: WeakMap<Acl, AclUse>
}

interface AclUse {
  readonly key: string
  readonly bytes: number
  count: number
}

const useOf = (load: Load, acl: Acl): AclUse => {
  const known = load.usesByAcl.get(acl)
  if (known !== undefined && known.count > 0) return known
  const key = aclKey(acl)
  const use = load.uses.get(key) ?? { key, bytes: aclBytes(acl), count: 0 }
  load.usesByAcl.set(acl, use)
  return use
}

const add = (load: Load, path: string, acl: Acl | null, sign: 1 | -1): void => {
  load.count += sign
  load.bytes += sign * (64 + Math.min(3 * path.length, limits.pathBytesMax))
  if (acl === null) return
  const use = useOf(load, acl)
  if (use.count === 0) {
    load.uses.set(use.key, use)
    load.bytes += use.bytes
  }
  use.count += sign
  assert(use.count >= 0, 'an ephemeral that goes was counted')
  if (use.count === 0) {
    load.uses.delete(use.key)
    load.bytes -= use.bytes
  }
}
