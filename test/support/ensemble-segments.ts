import { join } from 'node:path'
import type { EnsembleProcess } from './ensemble-process.js'
import { SegmentKeeper } from './segment-keeper.js'
import type { Owner } from './wire-socket.js'

/** Keeps all that is ever logged by the servers of an ensemble. */
export class EnsembleSegments {
  readonly #keepers: ReadonlyMap<number, SegmentKeeper>

  constructor(t: Owner, ensemble: EnsembleProcess) {
    this.#keepers = new Map(
      ensemble.ids.map((id) => {
        const place = join(ensemble.directory, `segments-${id}`)
        return [id, new SegmentKeeper(ensemble.dataOf(id), place)]
      }),
    )
    const timer = setInterval(() => this.keep(), keepMs)
    t.teardown(() => clearInterval(timer))
  }

  /** All servers have ended, or this is one of many times. */
  keep(): readonly SegmentKeeper[] {
    const keepers = [...this.#keepers.values()]
    for (const keeper of keepers) keeper.keep()
    return keepers
  }

  /** The data of this server is about to be removed. */
  wiped(id: number): void {
    this.#keepers.get(id)?.wiped()
  }
}

const keepMs = 20
