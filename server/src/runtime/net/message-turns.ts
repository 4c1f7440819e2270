import { Fifo, limits } from '@conclave/protocol'

/**
 * How much of what clients have sent is acted on in one turn of the event loop. A thousand large
 * messages may be there at once, and each takes tens of milliseconds: they wait for other turns,
 * where each connection gains the same credit a round, so what is small comes before what is large.
 */
export class MessageTurns {
  readonly #soon: (task: () => void) => void
  readonly #waiting = new Fifo<{ readonly bytes: number; credit: number; goOn: () => void }>()
  #bytes = 0
  #isRenewalDue = false

  /** @param soon runs a task in the next turn of the event loop */
  constructor(soon: (task: () => void) => void = setImmediate) {
    this.#soon = soon
  }

  /** @returns true when the message may be acted on at once; otherwise `goOn` says when */
  take(bytes: number, goOn: () => void): boolean {
    this.#renewSoon()
    const hasRoom = this.#bytes < limits.messageBytesPerTurnMax && this.#waiting.length === 0
    if (hasRoom || bytes <= limits.messageBytesSmall) {
      this.#bytes += bytes
      return true
    }
    this.#waiting.push({ bytes, credit: 0, goOn })
    return false
  }

  /** What was taken turned out to be more. */
  charge(bytes: number): void {
    if (bytes > 0) this.#bytes += bytes
  }

  #renewSoon(): void {
    if (this.#isRenewalDue) return
    this.#isRenewalDue = true
    this.#soon(() => this.#renew())
  }

  #renew(): void {
    this.#isRenewalDue = false
    this.#bytes = 0
    while (this.#bytes < limits.messageBytesPerTurnMax) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      next.credit += creditBytes
      if (next.credit < next.bytes) this.#waiting.push(next)
      else {
        this.#bytes += next.bytes
        next.goOn()
      }
    }
    this.#renewSoon()
  }
}

/** A round gives so much to each: the largest message waits for some hundred rounds. */
const creditBytes = 8_192
