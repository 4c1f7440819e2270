import type { ServerId, Zxid } from '@conclave/protocol'
import { messageCodec } from '@conclave/protocol/codec'
import { type HardState, type Txn, txnSchema } from '@conclave/protocol/peer'
import type { Persist } from '#server/core/effect.js'
import type { Ticket } from '#server/core/input.js'
import type { Recovered } from '#server/core/recovery.js'
import type { Applied } from '#server/core/pipeline/replicated-state.js'
import { ReplicatedState } from '#server/core/pipeline/replicated-state.js'

/** What one server has logged, as its own effects and completions say. */
export class ServerLog {
  /** By zxid; what a snapshot has replaced may be missing. */
  readonly durable = new Map<Zxid, Txn>()
  readonly #inFlight: Persist[] = []
  durableZxid = 0 as Zxid
  hardState: HardState | null = null

  persisting(effect: Persist): void {
    this.#inFlight.push(effect)
  }

  persisted(ticket: Ticket): void {
    for (;;) {
      const next = this.#inFlight[0]
      if (next === undefined || next.ticket > ticket) return
      this.#inFlight.shift()
      this.#settle(next)
    }
  }

  /** The record at `zxid`, on disk or on its way there. */
  get(zxid: Zxid): Txn | undefined {
    for (let i = this.#inFlight.length - 1; i >= 0; i--) {
      const { txns, truncateAfter } = this.#inFlight[i] as Persist
      const found = txns.find((txn) => txn.zxid === zxid)
      if (found !== undefined) return found
      if (truncateAfter !== null && zxid > truncateAfter) return undefined
    }
    return zxid <= this.durableZxid ? this.durable.get(zxid) : undefined
  }

  /** What was in flight may or may not have reached the disk: the disk says. */
  restarted({ history, hardState }: Recovered): void {
    this.#inFlight.length = 0
    this.#cutAfter(history.last.zxid)
    for (let zxid = history.firstZxid; zxid > 0 && zxid <= history.last.zxid; zxid++) {
      const txn = history.get(zxid as Zxid)
      if (txn !== undefined) this.durable.set(txn.zxid, txn)
    }
    this.durableZxid = history.last.zxid
    this.hardState = hardState
  }

  wiped(): void {
    this.#inFlight.length = 0
    this.#cutAfter(0 as Zxid)
    this.hardState = null
  }

  #settle({ truncateAfter, txns, hardState }: Persist): void {
    if (truncateAfter !== null) this.#cutAfter(truncateAfter)
    for (const txn of txns) {
      this.durable.set(txn.zxid, txn)
      this.durableZxid = txn.zxid
    }
    if (hardState !== null) this.hardState = hardState
  }

  #cutAfter(zxid: Zxid): void {
    for (let gone = this.durableZxid; gone > zxid; gone--) this.durable.delete(gone)
    this.durableZxid = Math.min(this.durableZxid, zxid) as Zxid
  }
}

/** What an observer who sees everything knows: each server's disk, and the one committed log. */
export class Ledger {
  readonly logs = new Map<ServerId, ServerLog>()
  /** The committed log: the txn at `zxid` stands at `zxid - 1`. */
  readonly committed: Txn[] = []
  /** What each of them did to a state that nothing disturbs. */
  readonly applied: Applied[] = []
  readonly digests: string[] = []
  readonly #shadow = new ReplicatedState()

  constructor(readonly voters: readonly ServerId[]) {
    for (const id of voters) this.logs.set(id, new ServerLog())
    this.#shadow.plant()
  }

  log(id: ServerId): ServerLog {
    return this.logs.get(id) as ServerLog
  }

  commit(txn: Txn): void {
    this.committed.push(txn)
    this.applied.push(this.#shadow.apply(txn))
    this.digests.push(this.#shadow.digest)
  }

  /** How many voters hold this very record, durable. */
  holders(txn: Txn): number {
    let holders = 0
    for (const log of this.logs.values()) {
      const held = log.durable.get(txn.zxid)
      if (held !== undefined && held.epoch === txn.epoch) holders += 1
    }
    return holders
  }

  get majority(): number {
    return Math.floor(this.voters.length / 2) + 1
  }
}

/** A txn that was read from a disk or came over a wire is another object with the same bytes. */
export const isSameTxn = (a: Txn, b: Txn): boolean =>
  a === b || Buffer.compare(txns.encode([a]), txns.encode([b])) === 0

const txns = messageCodec(txnSchema)
