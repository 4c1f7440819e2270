import type { Znode } from './znode-store.js'

/**
 * The znodes that may have to go by themselves: containers that had children and have none, ttl
 * znodes that are childless and old. Looked through in rounds, a bounded number at a time.
 */
export class Reapable {
  readonly #znodes = new Set<Znode>()
  #round: Iterator<Znode> | null = null

  get size(): number {
    return this.#znodes.size
  }

  add(znode: Znode): void {
    if (znode.kind === 'container' || znode.kind === 'ttl') this.#znodes.add(znode)
  }

  remove(znode: Znode): void {
    this.#znodes.delete(znode)
  }

  /** Looks at the next `max` candidates. @returns those that are due at `nowMs` (txn clock) */
  due(nowMs: number, max: number): Znode[] {
    const due: Znode[] = []
    this.#round ??= this.#znodes.values()
    for (let looked = 0; looked < max; looked++) {
      const { value: znode, done } = this.#round.next()
      if (done === true) {
        this.#round = null
        break
      }
      if (isDue(znode, nowMs)) due.push(znode)
    }
    return due
  }
}

export const isDue = (
  znode: Pick<Znode, 'kind' | 'childrenCreated' | 'numChildren' | 'mtime' | 'ttlMs'>,
  nowMs: number,
): boolean =>
  znode.numChildren === 0 &&
  (znode.kind === 'container'
    ? znode.childrenCreated > 0
    : znode.kind === 'ttl' && nowMs - znode.mtime > znode.ttlMs)
