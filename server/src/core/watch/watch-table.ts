import { limits, type WatchKind } from '@conclave/protocol'
import type { ConnectionId } from '../input.js'

/**
 * One-shot watches: who is to be told, once, of the next event on a path. Local to this server
 * and to the connection; the client arms them again after a reconnect.
 */
export class WatchTable {
  readonly #watchers: Readonly<Record<WatchKind, Map<string, Set<ConnectionId>>>> = {
    data: new Map(),
    child: new Map(),
  }
  readonly #byConnection = new Map<ConnectionId, Readonly<Record<WatchKind, Set<string>>>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** How many more watches the connection may have. */
  room(connection: ConnectionId): number {
    const own = this.#byConnection.get(connection)
    return limits.watchesPerConnectionMax - (own?.data.size ?? 0) - (own?.child.size ?? 0)
  }

  /** @returns false when the connection has as many watches as it may */
  add(kind: WatchKind, path: string, connection: ConnectionId): boolean {
    let own = this.#byConnection.get(connection)
    if (own === undefined) {
      own = { data: new Set(), child: new Set() }
      this.#byConnection.set(connection, own)
    }
    if (own[kind].has(path)) return true
    if (this.room(connection) <= 0) return false
    own[kind].add(path)
    const watchers = this.#watchers[kind].get(path)
    if (watchers === undefined) this.#watchers[kind].set(path, new Set([connection]))
    else watchers.add(connection)
    this.#size += 1
    return true
  }

  /** @returns false when there was none */
  remove(kind: WatchKind, path: string, connection: ConnectionId): boolean {
    if (this.#byConnection.get(connection)?.[kind].delete(path) !== true) return false
    const watchers = this.#watchers[kind].get(path)
    watchers?.delete(connection)
    if (watchers?.size === 0) this.#watchers[kind].delete(path)
    this.#size -= 1
    return true
  }

  /** Those who watch the path, in the order of their registration. */
  watchers(kind: WatchKind, path: string): readonly ConnectionId[] {
    const watchers = this.#watchers[kind].get(path)
    return watchers === undefined ? [] : [...watchers]
  }

  forget(connection: ConnectionId): void {
    const own = this.#byConnection.get(connection)
    if (own === undefined) return
    for (const kind of ['data', 'child'] as const) {
      for (const path of own[kind]) this.remove(kind, path, connection)
    }
    this.#byConnection.delete(connection)
  }
}
