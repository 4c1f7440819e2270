import type { Zxid } from '@conclave/protocol'
import type { Change, Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/**
 * N1, N2: along the committed log a version grows by one with each change of the data, and the
 * children of a znode are numbered without a hole, never twice, whatever became of them.
 */
export class Versions implements Invariant {
  readonly #znodes = new Map<string, Known>([['/', { czxid: 0, version: 0, created: 0 }]])
  #checked = 0

  check(sight: Sight, { committed }: Ledger): void {
    if (sight.sight !== 'applied') return
    for (; this.#checked < committed.length; this.#checked++) {
      const { zxid, body } = committed[this.#checked] as Txn
      if (body.body !== 'write' && body.body !== 'closeSession') continue
      for (const change of body.changes) this.#changed(change, zxid)
    }
  }

  #changed(change: Change, zxid: Zxid): void {
    if (change.change === 'check' || change.change === 'setAcl') return
    const znode = this.#znodes.get(change.path)
    if (change.change === 'create') {
      if (znode !== undefined) throw new Violation('N1', `${zxid} creates ${change.path} again`)
      this.#created(change.path, change.ordinal, zxid)
      return
    }
    const version = (znode?.version ?? Number.NaN) + (change.change === 'setData' ? 1 : 0)
    if (znode === undefined || change.version !== version || change.czxid !== znode.czxid) {
      const found = `version ${change.version} of ${change.czxid}`
      throw new Violation('N1', `${zxid}: ${change.path} is ${found}, not ${version}`)
    }
    if (change.change === 'delete') this.#znodes.delete(change.path)
    else znode.version = version
  }

  #created(path: string, ordinal: number, zxid: Zxid): void {
    const parent = this.#znodes.get(path.slice(0, path.lastIndexOf('/')) || '/')
    if (ordinal !== parent?.created) {
      throw new Violation('N2', `${zxid}: ${path} is child ${ordinal}, not ${parent?.created}`)
    }
    parent.created += 1
    this.#znodes.set(path, { czxid: zxid, version: 0, created: 0 })
  }
}

interface Known {
  readonly czxid: number
  version: number
  created: number
}
