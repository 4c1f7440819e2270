import { type Acl, aclKey } from '@conclave/protocol'
import { assert } from '../assert.js'

/**
 * Keeps one copy of each ACL in use. It is no part of the replicated state: znodes and txns carry
 * whole ACLs, so no number can dangle (ZOOKEEPER-3306, 4846).
 */
export class AclPool {
  readonly #byKey = new Map<string, Shared>()
  /** Found without writing out the ACL, which may be large. */
  readonly #byAcl = new Map<Acl, Shared>()

  acquire(acl: Acl | null): Acl | null {
    if (acl === null) return null
    let shared = this.#byAcl.get(acl)
    if (shared === undefined) {
      const key = aclKey(acl)
      shared = this.#byKey.get(key) ?? { acl, key, uses: 0 }
      this.#byKey.set(key, shared)
      this.#byAcl.set(shared.acl, shared)
    }
    shared.uses += 1
    return shared.acl
  }

  /** @param acl as it was acquired */
  release(acl: Acl | null): void {
    if (acl === null) return
    const shared = this.#byAcl.get(acl)
    assert(shared !== undefined, 'an ACL that is released is in use')
    shared.uses -= 1
    if (shared.uses > 0) return
    this.#byKey.delete(shared.key)
    this.#byAcl.delete(acl)
  }
}

interface Shared {
  readonly acl: Acl
  readonly key: string
  uses: number
}
