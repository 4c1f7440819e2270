import type { Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { capacities, grantKinds, valueOf } from '../recipes/grants.js'
import { passingPath } from '../recipes/places.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * G2: a write under a guard is in the committed log only while the znode of that guard is there,
 * and the tokens of those that one at a time may write never fall.
 */
export class GuardedWrites implements Invariant {
  /** czxids of the znodes that are there, and the paths that have them. */
  readonly #living = new Map<string, number>()
  readonly #highest = new Map<string, number>()
  #checked = 0

  check(sight: Sight, { committed }: Ledger): void {
    if (sight.sight !== 'applied') return
    for (; this.#checked < committed.length; this.#checked++) {
      this.#committed(committed[this.#checked] as Txn)
    }
  }

  /** G3: nothing of a recipe is left once everybody is done. */
  judgeEnd(): void {
    const left = [...this.#living.keys()].filter((path) => path.startsWith(passingPath))
    if (left.length > 0) throw new Violation('G3', `left behind: ${left.join(', ')}`)
  }

  #committed({ zxid, body }: Txn): void {
    if (body.body !== 'write' && body.body !== 'closeSession') return
    for (const change of body.changes) {
      if (change.change === 'create') this.#living.set(change.path, zxid)
      if (change.change === 'delete') this.#living.delete(change.path)
      if (change.change === 'setData') this.#written(change.path, { zxid, data: change.data })
    }
  }

  #written(path: string, { zxid, data }: { zxid: number; data: Uint8Array | null }): void {
    const kind = grantKinds.find((each) => valueOf(each) === path)
    if (kind === undefined) return
    const token = Number(new TextDecoder().decode(data ?? undefined))
    if (![...this.#living.values()].includes(token)) {
      throw new Violation('G2', `${zxid} writes ${path} by ${token}, which is gone`)
    }
    const highest = this.#highest.get(kind) ?? 0
    if (capacities[kind] === 1 && token < highest) {
      throw new Violation('G2', `${zxid} writes ${path} by ${token}, after ${highest}`)
    }
    this.#highest.set(kind, token)
  }
}
