import { Fifo, limits, nextZxid, type Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import { txnBytes } from '../txn-bytes.js'
import type { Journal } from './journal.js'
import type { LogReader } from './ports.js'

/** Whom a feed works for. */
interface FeedPort {
  send(txn: Txn): void
  /** There is more to send, not known within a call of {@link LearnerFeed.advance}. */
  moved(): void
  /** The log does not reach back to what must come next. */
  exhausted(): void
}

/**
 * Sends one learner the leader's log from where the two histories agree, in order and without a
 * hole, for as long as it stays. A learner a million txns behind is fed like one that lags by the
 * last write: from memory, or from the disk where memory has forgotten, never more than some bytes
 * ahead of what the learner says is durable, and never so much in one turn that others wait.
 */
export class LearnerFeed {
  readonly #journal: Pick<Journal, 'get' | 'last'>
  readonly #reader: LogReader
  readonly #port: FeedPort
  readonly #ahead = new Fifo<{ readonly zxid: Zxid; readonly bytes: number }>()
  #aheadBytes = 0
  #sentZxid: Zxid
  #reading: { cancel(): void } | null = null
  /** Of what was read from the disk: what is not yet sent. */
  readonly #piece = new Fifo<Txn>()
  /** Bytes that this turn may still send. */
  #room: number = limits.learnerBytesPerTurnMax

  /** @param after the last record that the learner has like the leader */
  constructor(
    journal: Pick<Journal, 'get' | 'last'>,
    reader: LogReader,
    after: Zxid,
    port: FeedPort,
  ) {
    this.#journal = journal
    this.#reader = reader
    this.#port = port
    this.#sentZxid = after
  }

  get sentZxid(): Zxid {
    return this.#sentZxid
  }

  /** Nothing is in the leader's log that was not sent. */
  get isCaughtUp(): boolean {
    return this.#sentZxid >= this.#journal.last.zxid
  }

  /** The learner has it durable up to here. */
  synced(zxid: Zxid): void {
    assert(zxid <= this.#sentZxid, 'a learner has no more than it was sent')
    for (;;) {
      const oldest = this.#ahead.at(0)
      if (oldest === undefined || oldest.zxid > zxid) return
      this.#ahead.shift()
      this.#aheadBytes -= oldest.bytes
    }
  }

  /** Sends what may be sent now. */
  advance(): void {
    while (this.#isOpen && this.#room > 0) {
      const txn = this.#piece.shift() ?? this.#journal.get(nextZxid(this.#sentZxid))
      if (txn === undefined) this.#read()
      else this.#send(txn)
    }
  }

  /** The next turn may send as much again. */
  endTurn(): void {
    this.#room = limits.learnerBytesPerTurnMax
  }

  /** There is something to send, and only the turn is to blame that it was not. */
  get waitsForTurn(): boolean {
    return this.#isOpen
  }

  close(): void {
    this.#reading?.cancel()
  }

  #read(): void {
    this.#reading = this.#reader.read(this.#sentZxid, (piece) => {
      this.#reading = null
      if (piece === null) return this.#port.exhausted()
      for (const txn of piece) this.#piece.push(txn)
      this.#port.moved()
    })
  }

  get #isOpen(): boolean {
    const isWindowOpen = this.#aheadBytes < limits.learnerBytesAheadMax
    return this.#reading === null && !this.isCaughtUp && isWindowOpen
  }

  #send(txn: Txn): void {
    const bytes = txnBytes(txn)
    this.#ahead.push({ zxid: txn.zxid, bytes })
    this.#aheadBytes += bytes
    this.#room -= bytes
    this.#sentZxid = txn.zxid
    this.#port.send(txn)
  }
}
