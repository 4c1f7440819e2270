import { nextZxid, type Zxid } from '@conclave/protocol'
import { assert } from '../assert.js'
import type { Journal } from './journal.js'
import type { ZabHost } from './ports.js'

/** Hands committed txns to the tree: in order, each once, over all roles and epochs. */
export class Delivery {
  readonly #journal: Journal
  readonly #host: ZabHost
  #lastCommitted: Zxid
  #lastApplied: Zxid

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
    while (this.#lastApplied < this.#lastCommitted) {
      const next = nextZxid(this.#lastApplied)
      const txn = this.#journal.get(next)
      assert(txn !== undefined, 'what is not yet applied is still in memory')
      this.#lastApplied = next
      this.#host.apply(txn)
    }
  }
}
