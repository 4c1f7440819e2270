import { limits, type Zxid } from '@conclave/protocol'
import type { SnapshotPiece } from '../input.js'
import type { JoinFrame, JoinFrameOf } from './join-frame.js'
import type { ZabHost } from './ports.js'
import type { SnapshotFiles } from './snapshot-files.js'

/** What an offer works with. */
interface OfferPort {
  readonly files: SnapshotFiles
  readonly host: Pick<ZabHost, 'snapshotWanted'>
  send(frame: JoinFrame): void
}

/**
 * Gives one learner the newest saved snapshot, when the log does not reach back to what it lacks.
 * The learner asks for one piece after the other, so the leader remembers nothing of how far it is.
 *
 * Only a snapshot at or above what the learner already has of the leader's log will do. Installing
 * it is then like being sent more of the log and no record that the learner may have acknowledged,
 * to this leader or an earlier one, goes missing; a lower one would take committed records from it.
 * If the newest is too low, or there is none, the replica makes a new one.
 */
export class SnapshotOffer {
  readonly #atLeast: Zxid
  readonly #port: OfferPort
  #reading: { cancel(): void } | null = null
  #isWaiting = false

  constructor(atLeast: Zxid, port: OfferPort) {
    this.#atLeast = atLeast
    this.#port = port
    this.#offer()
  }

  /** The replica has saved one. */
  saved(): void {
    if (!this.#isWaiting) return
    this.#isWaiting = false
    this.#offer()
  }

  pull({ zxid, offset }: Pick<JoinFrameOf<'snapPull'>, 'zxid' | 'offset'>): void {
    if (this.#reading !== null) return
    this.#read({ zxid, offset, bytesMax: limits.snapshotPieceBytes }, (piece) => {
      if (piece === null) return this.#offer()
      const { bytes, size } = piece
      const isLast = offset + bytes.length >= size
      this.#port.send({ frame: 'snapPiece', zxid, offset, bytes, isLast })
    })
  }

  close(): void {
    this.#reading?.cancel()
  }

  #offer(): void {
    this.#read({ zxid: null, offset: 0, bytesMax: 0 }, (newest) => {
      if (newest === null || newest.zxid < this.#atLeast) {
        this.#isWaiting = true
        this.#port.host.snapshotWanted()
        return
      }
      this.#port.send({ frame: 'snap', zxid: newest.zxid, size: newest.size })
    })
  }

  #read(
    wanted: { readonly zxid: Zxid | null; readonly offset: number; readonly bytesMax: number },
    take: (piece: SnapshotPiece | null) => void,
  ): void {
    this.#reading = this.#port.files.read(wanted, (piece) => {
      this.#reading = null
      take(piece)
    })
  }
}
