import { epochZero, type LogPosition, nextZxid, samePosition, type Zxid } from '@conclave/protocol'
import type { HardState, Txn } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import type { Persist } from '../effect.js'
import type { Ticket } from '../input.js'
import { EpochTable } from './epoch-table.js'
import type { TxnLog, ZabRecovery } from './ports.js'

/**
 * The one way to the disk, for synchronization and broadcast, in every role. What is written is
 * collected until the next drain; what has become durable is one position and one hard state, and
 * they belong to the server, not to a role: a late completion is durability and nothing else.
 */
export class Journal {
  readonly #log: TxnLog
  readonly epochs: EpochTable
  #hardState: HardState
  #durableHardState: HardState
  #durable: LogPosition
  #lastTicket = 0 as Ticket
  #pending: Pending | null = null
  readonly #outstanding: Outstanding[] = []

  constructor(log: TxnLog, recovery: ZabRecovery) {
    this.#log = log
    this.epochs = new EpochTable(recovery.epochs)
    this.#hardState = recovery.hardState
    this.#durableHardState = recovery.hardState
    // Recovery has made durable all that it reports.
    this.#durable = this.last
    this.#assertTableFits()
  }

  /** As last written, durable or not. */
  get hardState(): HardState {
    return this.#hardState
  }

  get durableHardState(): HardState {
    return this.#durableHardState
  }

  /** The log is durable up to and including this record. */
  get durable(): LogPosition {
    return this.#durable
  }

  get last(): LogPosition {
    return this.#log.last
  }

  /** Nothing is on its way to the disk: what the server remembers is what it will remember. */
  get isIdle(): boolean {
    return this.#pending === null && this.#outstanding.length === 0
  }

  get(zxid: Zxid): Txn | undefined {
    return this.#log.get(zxid)
  }

  append(txn: Txn): void {
    assert(txn.zxid === nextZxid(this.last.zxid), 'zxids in a log have no holes')
    this.epochs.append(txn)
    this.#log.append(txn)
    this.#collect().txns.push(txn)
  }

  truncateAfter(zxid: Zxid): void {
    if (zxid >= this.last.zxid) return
    this.epochs.truncateAfter(zxid)
    this.#log.truncateAfter(this.epochs.positionAt(zxid))
    this.#assertTableFits()
    // What is kept of a cut log stays durable; no late ticket makes durable what was cut.
    const cut = (position: LogPosition): LogPosition =>
      position.zxid > zxid ? this.last : position
    this.#durable = cut(this.#durable)
    for (const entry of this.#outstanding) entry.last = cut(entry.last)
    const pending = this.#collect()
    pending.truncateAfter = Math.min(pending.truncateAfter ?? zxid, zxid) as Zxid
    pending.txns = pending.txns.filter((txn) => txn.zxid <= zxid)
  }

  save(change: Partial<HardState>): void {
    const next = { ...this.#hardState, ...change }
    assert(next.acceptedEpoch >= this.#hardState.acceptedEpoch, 'acceptedEpoch never falls')
    assert(next.currentEpoch >= this.#hardState.currentEpoch, 'currentEpoch never falls')
    assert(next.currentEpoch <= next.acceptedEpoch, 'an epoch is accepted before it is current')
    this.#hardState = next
    this.#collect().hardState = next
  }

  /**
   * Gives up all history: the server is fresh again, but for what it has promised. What lies on the
   * disk counts no more as soon as this is durable.
   */
  forget(): void {
    const { generation } = this.#hardState
    const given = { currentEpoch: epochZero, rejoining: true, generation: generation + 1 }
    this.#hardState = { ...this.#hardState, ...given }
    this.#collect().hardState = this.#hardState
  }

  get hasOutput(): boolean {
    return this.#pending !== null
  }

  /** Since when the disk has owed an answer; null when it owes none. */
  get outstandingSinceMs(): number | null {
    return this.#outstanding[0]?.sinceMs ?? null
  }

  /** What must now be written, under a new ticket; null when there is nothing. */
  drain(commit: Zxid, nowMs: number): Persist | null {
    const pending = this.#pending
    if (pending === null) return null
    this.#pending = null
    this.#lastTicket = (this.#lastTicket + 1) as Ticket
    const ticket = this.#lastTicket
    const { last } = this
    this.#outstanding.push({ ticket, last, hardState: this.#hardState, sinceMs: nowMs })
    return { effect: 'persist', ticket, ...pending, commit }
  }

  persisted(ticket: Ticket): void {
    assert(ticket <= this.#lastTicket, 'only what was asked for can become durable')
    for (;;) {
      const first = this.#outstanding[0]
      if (first === undefined || first.ticket > ticket) return
      this.#outstanding.shift()
      this.#durable = first.last
      this.#durableHardState = first.hardState
    }
  }

  #collect(): Pending {
    this.#pending ??= { truncateAfter: null, txns: [], hardState: null }
    return this.#pending
  }

  #assertTableFits(): void {
    const { last } = this
    assert(
      samePosition(last, this.epochs.positionAt(last.zxid)),
      'the epoch table tells the epoch of the last record',
    )
  }
}

interface Pending {
  truncateAfter: Zxid | null
  txns: Txn[]
  hardState: HardState | null
}

interface Outstanding {
  readonly ticket: Ticket
  last: LogPosition
  readonly hardState: HardState
  readonly sinceMs: number
}
