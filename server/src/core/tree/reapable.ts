import type { Znode } from './znode.js'

/**
 * The znodes that may have to go by themselves: containers that had children and have none, ttl
 * znodes that are childless and old. Looked through in rounds, a bounded number at a time.
 */
export class Reapable {
  readonly #get: (path: string) => Znode | undefined
  readonly #paths = new Set<string>()
  #round: Iterator<string> | null = null

  constructor(get: (path: string) => Znode | undefined) {
    this.#get = get
  }

  get size(): number {
    return this.#paths.size
  }

  add({ kind, path }: Pick<Znode, 'kind' | 'path'>): void {
    if (kind === 'container' || kind === 'ttl') this.#paths.add(path)
  }

  remove(path: string): void {
    this.#paths.delete(path)
  }

  /**
   * Looks at the next `looks` candidates, or as many as it takes to find so many.
   * @returns the paths that are due at `nowMs` (txn clock)
   */
  due(nowMs: number, max: { readonly looks: number; readonly found: number }): string[] {
    const due: string[] = []
    this.#round ??= this.#paths.values()
    for (let looked = 0; looked < max.looks && due.length < max.found; looked++) {
      const { value: path, done } = this.#round.next()
      if (done === true) {
        this.#round = null
        break
      }
      const znode = this.#get(path)
      if (znode !== undefined && isDue(znode, nowMs)) due.push(path)
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
