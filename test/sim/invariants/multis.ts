import type { MultiOp, Op, SessionId } from '@conclave/protocol'
import type { Change, Txn } from '@conclave/protocol/peer'
import type { Ledger } from '../ledger.js'
import { Violation } from '../violation.js'
import type { Invariant, Sight } from './invariant.js'

/** N3: the txn of a multi has a change for each operation of one branch, in order, or none. */
export class Multis implements Invariant {
  readonly #sessions = new Map<string, SessionId>()
  readonly #asked = new Map<string, Op<'multi'>>()
  #checked = 0

  check(sight: Sight, { committed }: Ledger): void {
    if (sight.sight === 'serverFrame' && sight.frame.frame === 'connected') {
      this.#sessions.set(`${sight.server}:${sight.connection}`, sight.frame.sessionId)
    }
    if (sight.sight === 'clientFrame' && sight.frame.frame === 'request') {
      const { xid, op } = sight.frame
      const sessionId = this.#sessions.get(`${sight.server}:${sight.connection}`)
      if (op.op === 'multi') this.#asked.set(`${sessionId}:${xid}`, op)
    }
    if (sight.sight !== 'applied') return
    for (; this.#checked < committed.length; this.#checked++) {
      this.#committed(committed[this.#checked] as Txn)
    }
  }

  #committed({ zxid, sessionId, xid, body }: Txn): void {
    if (body.body !== 'write' || body.answer.answer !== 'multi') return
    const op = this.#asked.get(`${sessionId}:${xid}`)
    const wanted = op === undefined ? [] : op[body.answer.branch]
    const isWhole =
      wanted.length === body.changes.length &&
      wanted.every((each, i) => isDone(each, body.changes[i] as Change))
    this.#asked.delete(`${sessionId}:${xid}`)
    if (!isWhole) {
      const [some, all] = [body.changes.length, wanted.length]
      throw new Violation('N3', `${zxid} does ${some} of the ${all} operations of its multi`)
    }
  }
}

const isDone = (op: MultiOp, change: Change): boolean => {
  if (op.op !== change.change || change.change === 'check') return op.op === change.change
  // A name that an earlier operation made is known to nobody but the servers.
  return typeof op.path !== 'string' || change.path.startsWith(op.path)
}
