import { limits, nextZxid, type Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import type { Journal } from './journal.js'
import type { ZabHost } from './ports.js'

/**
 * Hands committed txns to the tree: in order, each once, over all roles and epochs. A turn applies
 * a bounded number of changes, and others follow in the turns after it.
 */
export class Delivery {
  readonly #journal: Journal
  readonly #host: ZabHost
  #lastCommitted: Zxid
  #lastApplied: Zxid
  /** Changes that this turn may still apply. */
  #room: number = limits.changesPerTurnMax

  constructor(journal: Journal, host: ZabHost, lastApplied: Zxid) {
    assert(lastApplied <= journal.last.zxid, 'the commit mark lies within the log')
    this.#journal = journal
    this.#host = host
    this.#lastCommitted = lastApplied
    this.#lastApplied = lastApplied
  }

  get lastCommitted(): Zxid {
    return this.#lastCommitted
  }

  get lastApplied(): Zxid {
    return this.#lastApplied
  }

  commitTo(zxid: Zxid): void {
    if (zxid <= this.#lastCommitted) return
    assert(zxid <= this.#journal.last.zxid, 'what is committed is logged')
    this.#lastCommitted = zxid
    this.#apply()
  }

  /** True when the next turn has txns to apply. */
  get isBehind(): boolean {
    return this.#lastApplied < this.#lastCommitted
  }

  /** Ends a turn, with what it may still apply. */
  endTurn(): void {
    this.#apply()
    this.#room = limits.changesPerTurnMax
  }

  #apply(): void {
    while (this.isBehind && this.#room > 0) {
      const next = nextZxid(this.#lastApplied)
      const txn = this.#journal.get(next)
      assert(txn !== undefined, 'what is not yet applied is still in memory')
      this.#lastApplied = next
      this.#room -= changesOf(txn)
      this.#host.apply(txn)
    }
  }
}

const changesOf = ({ body }: Txn): number => ('changes' in body ? 1 + body.changes.length : 1)
