import { assert } from '../assert.js'
import type { Effect, ReadSnapshot, StoreSnapshot } from '../effect.js'
import type { SnapshotPiece, SnapshotTicket } from '../input.js'

/**
 * The snapshots on the own disk, as leaders read them for learners and learners store what they are
 * given. It belongs to the server, not to a role: a snapshot may be installed after its learner has
 * left the leader, and then replaces the history all the same. So a server whose store is under way
 * does not vote, and one that has installed a snapshot does nothing but restart.
 */
export class SnapshotFiles {
  #lastTicket = 0 as SnapshotTicket
  readonly #reading = new Map<SnapshotTicket, ((piece: SnapshotPiece | null) => void) | null>()
  #storing: { readonly ticket: SnapshotTicket; readonly isLast: boolean } | null = null
  #isInstalled = false
  #effects: Effect[] = []

  /** Nothing is on its way that could replace the history. */
  get isIdle(): boolean {
    return this.#storing === null && !this.#isInstalled
  }

  get hasOutput(): boolean {
    return this.#effects.length > 0
  }

  /** @param take called once, in a later step; null: there is no such snapshot any more */
  read(
    wanted: Pick<ReadSnapshot, 'zxid' | 'offset' | 'bytesMax'>,
    take: (piece: SnapshotPiece | null) => void,
  ): { cancel(): void } {
    const ticket = this.#nextTicket()
    this.#reading.set(ticket, take)
    this.#effects.push({ effect: 'readSnapshot', ticket, ...wanted })
    return {
      cancel: () => {
        if (this.#reading.has(ticket)) this.#reading.set(ticket, null)
      },
    }
  }

  piece(ticket: SnapshotTicket, piece: SnapshotPiece | null): void {
    const take = this.#reading.get(ticket)
    assert(take !== undefined, 'a piece of a snapshot comes once, and when it was asked for')
    this.#reading.delete(ticket)
    take?.(piece)
  }

  /** A piece at offset 0 begins a new file; the last one puts it in the place of all history. */
  store(piece: Pick<StoreSnapshot, 'zxid' | 'offset' | 'bytes' | 'isLast'>): void {
    assert(this.isIdle, 'one piece of a snapshot is stored at a time')
    const ticket = this.#nextTicket()
    this.#storing = { ticket, isLast: piece.isLast }
    this.#effects.push({ effect: 'storeSnapshot', ticket, ...piece })
  }

  stored(ticket: SnapshotTicket, ok: boolean): void {
    assert(ticket === this.#storing?.ticket, 'a piece is stored once, and when it was asked for')
    const { isLast } = this.#storing
    this.#storing = null
    if (!isLast || !ok) return
    this.restart('a snapshot of the leader was installed')
  }

  /** What the server remembers is no longer what it has. */
  restart(why: string): void {
    this.#isInstalled = true
    this.#effects.push({ effect: 'restart', why })
  }

  drain(): readonly Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #nextTicket(): SnapshotTicket {
    this.#lastTicket = (this.#lastTicket + 1) as SnapshotTicket
    return this.#lastTicket
  }
}
