import { limits, type Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { assert } from './assert.js'
import type { ReadLog } from './effect.js'
import type { LogTicket } from './input.js'

/** Txns that follow each other; null when they were purged or cannot be read. */
type LogPiece = readonly Txn[] | null

/** A piece that was asked for and has not come. */
export interface LogRead {
  /** It is not wanted any more: whatever comes goes nowhere. */
  cancel(): void
}

/**
 * How the core reads what memory holds no more of its own log. One question is one bounded piece,
 * answered once; whoever reads on asks again, behind all others. Few pieces are under way at one
 * time and none is kept, so that their memory is bounded however many read.
 */
export class LogReads {
  readonly #memory: { readonly forgotten: Zxid }
  readonly #waiting = new Map<LogTicket, Want>()
  /** A piece that was cancelled still takes its room until it comes: null. */
  readonly #underWay = new Map<LogTicket, Want | null>()
  #lastTicket = 0 as LogTicket

  /** @param memory knows the last zxid that can only be read from the disk */
  constructor(memory: { readonly forgotten: Zxid }) {
    this.#memory = memory
  }

  /** Asks for txns from `after` + 1 on, at least one; `take` is called in a later step. */
  read(after: Zxid, take: (piece: LogPiece) => void): LogRead {
    assert(after < this.#memory.forgotten, 'what is in memory is not read from the disk')
    this.#lastTicket = (this.#lastTicket + 1) as LogTicket
    const ticket = this.#lastTicket
    this.#waiting.set(ticket, { after, take })
    return { cancel: () => this.#cancel(ticket) }
  }

  piece(ticket: LogTicket, txns: LogPiece): void {
    const want = this.#underWay.get(ticket)
    assert(want !== undefined, 'a piece of the log comes once, and when it was asked for')
    this.#underWay.delete(ticket)
    if (want === null) return
    const { after, take } = want
    assert(
      txns === null || (txns[0]?.zxid === after + 1 && txns.at(-1)?.zxid === after + txns.length),
      `a piece of the log begins after zxid ${after} and has no hole`,
    )
    take(txns)
  }

  drain(): readonly ReadLog[] {
    const effects: ReadLog[] = []
    for (const [ticket, want] of this.#waiting) {
      if (this.#underWay.size >= limits.logReadsMax) break
      this.#waiting.delete(ticket)
      this.#underWay.set(ticket, want)
      const { after } = want
      // No further: beyond it a record may not be whole yet, or be cut before the piece comes.
      const through = this.#memory.forgotten
      effects.push({ effect: 'readLog', ticket, after, through, bytesMax: limits.logPieceBytes })
    }
    return effects
  }

  #cancel(ticket: LogTicket): void {
    this.#waiting.delete(ticket)
    if (this.#underWay.has(ticket)) this.#underWay.set(ticket, null)
  }
}

interface Want {
  readonly after: Zxid
  readonly take: (piece: LogPiece) => void
}
