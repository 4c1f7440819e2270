import type { Acl } from '@conclave/protocol'
import { assert } from '../assert.js'

/**
 * Keeps one copy of each ACL in use. It is no part of the replicated state: znodes and txns carry
 * whole ACLs, so no number can dangle (ZOOKEEPER-3306, 4846).
 */
export class AclPool {
  readonly #shared = new Map<string, { readonly acl: Acl; uses: number }>()

  acquire(acl: Acl | null): Acl | null {
    if (acl === null) return null
    const key = keyOf(acl)
    const shared = this.#shared.get(key)
    if (shared === undefined) {
      this.#shared.set(key, { acl, uses: 1 })
      return acl
    }
    shared.uses += 1
    return shared.acl
  }

  release(acl: Acl | null): void {
    if (acl === null) return
    const key = keyOf(acl)
    const shared = this.#shared.get(key)
    assert(shared !== undefined, 'an ACL that is released is in use')
    shared.uses -= 1
    if (shared.uses === 0) this.#shared.delete(key)
  }
}

const keyOf = (acl: Acl): string =>
  JSON.stringify(acl.map((entry) => [entry.scheme, entry.id, entry.permissions]))
