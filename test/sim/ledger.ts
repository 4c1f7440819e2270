import type { ServerId, Zxid } from '@conclave/protocol'
import type { HardState, Txn } from '@conclave/protocol/peer'
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
  #memory: Recovered['history'] | null = null
  durableZxid = 0 as Zxid
  hardState: HardState | null = null
  /** Its disk was lost, and what it acknowledged with it. */
  hasForgotten = false
  /** That its data was of, also once it is gone: its operator knows. */
  ensembleId: string | null = null

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

  /** What the server takes for the record at `zxid`; it may not have been sent to the disk yet. */
  held(zxid: Zxid): Txn | undefined {
    return this.#memory?.get(zxid) ?? this.get(zxid)
  }

  /** Of the last record, on disk or on its way there. */
  get lastZxid(): Zxid {
    for (let i = this.#inFlight.length - 1; i >= 0; i--) {
      const { txns, truncateAfter } = this.#inFlight[i] as Persist
      const last = txns.at(-1)
      if (last !== undefined) return last.zxid
      if (truncateAfter !== null) return truncateAfter
    }
    return this.durableZxid
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
  restarted({ state, history, hardState }: Recovered, committed: readonly Txn[]): void {
    this.#memory = history
    this.#inFlight.length = 0
    // A snapshot stands for what its digest, which is checked, says that it holds.
    for (const txn of committed.slice(0, state.lastApplied.zxid)) this.durable.set(txn.zxid, txn)
    this.#cutAfter(history.last.zxid)
    for (let zxid = history.firstZxid; zxid > 0 && zxid <= history.last.zxid; zxid++) {
      const txn = history.get(zxid as Zxid)
      if (txn !== undefined) this.durable.set(txn.zxid, txn)
    }
    this.durableZxid = history.last.zxid
    this.#hold(hardState)
  }

  wiped(): void {
    this.#inFlight.length = 0
    this.#cutAfter(0 as Zxid)
    this.hardState = null
    this.hasForgotten = true
  }

  #settle({ truncateAfter, txns, hardState }: Persist): void {
    if (truncateAfter !== null) this.#cutAfter(truncateAfter)
    for (const txn of txns) {
      this.durable.set(txn.zxid, txn)
      this.durableZxid = txn.zxid
    }
    if (hardState !== null) this.#hold(hardState)
  }

  #hold(hardState: HardState): void {
    this.hardState = hardState
    if (hardState.currentEpoch > 0) this.hasForgotten = false
    this.ensembleId = hardState.ensembleId ?? this.ensembleId
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

  constructor(
    readonly voters: readonly ServerId[],
    observers: readonly ServerId[],
  ) {
    for (const id of [...voters, ...observers]) this.logs.set(id, new ServerLog())
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

  /** Whether a voter has this very record, durable. */
  holds(id: ServerId, txn: Txn): boolean {
    return this.log(id).durable.get(txn.zxid)?.epoch === txn.epoch
  }

  /** How many voters do. */
  holders(txn: Txn): number {
    return this.voters.filter((id) => this.holds(id, txn)).length
  }

  /** How many had a disk that is gone, and have not been taught anew. */
  get forgetful(): number {
    return this.voters.filter((id) => this.log(id).hasForgotten).length
  }

  get majority(): number {
    return Math.floor(this.voters.length / 2) + 1
  }
}

/** A txn that was read from a disk or came over a wire is another object with the same content. */
export const isSameTxn = (a: Txn, b: Txn): boolean => isSame(a, b)

/** For plain values: records, lists, bytes. Much faster than comparing their encodings. */
const isSame = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  const [one, other] = [a as Record<string, unknown>, b as Record<string, unknown>]
  return keys.every((key) => isSame(one[key], other[key]))
}
