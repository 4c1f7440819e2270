import type { Epoch, LogPosition, ServerId, Zxid } from '@conclave/protocol'
import type { EpochStart, HardState, PeerFrameOf, Txn } from '@conclave/protocol/peer'
import type { RoleName, Trace } from '../effect.js'

/** The recent suffix of the log, in memory. It must hold at least what is not yet applied. */
export interface TxnLog {
  append(txn: Txn): void
  /** @param position what is then the last record, if need be one that has left memory */
  truncateAfter(position: LogPosition): void
  /** Undefined when it is older than memory reaches, or absent. */
  get(zxid: Zxid): Txn | undefined
  /** The lowest zxid held, 0 when nothing is. */
  readonly firstZxid: Zxid
  /** Of the last txn logged, also when it has left memory; zero when there is none. */
  readonly last: LogPosition
}

/** Reads back what memory has forgotten of the log. */
export interface LogReader {
  /**
   * @param after the piece begins with the record behind it and has no hole
   * @param take called once, in a later step; null: purged, or not to be read
   */
  read(after: Zxid, take: (piece: readonly Txn[] | null) => void): { cancel(): void }
}

/** What the state machine tells the rest of the replica. Calls may lead to `propose` at once. */
export interface ZabHost {
  /** Committed, in zxid order, exactly once per zxid, also what was learned from a leader. */
  apply(txn: Txn): void
  /** Every linearizable round up to this one was confirmed by a quorum in this epoch. */
  roundConfirmed(round: number): void
  /** 'leading' and 'following' are reported only once the leadership is established. */
  roleChanged(role: RoleName, epoch: Epoch, leader: ServerId | null): void
  /** A learner needs a snapshot of what is applied now, or later; {@link Zab.snapshotEnded}. */
  snapshotWanted(): void
  /** The state is going to be replaced by a snapshot: no client may be served meanwhile. */
  resync(): void
  /** A learner that is up to date asks for its clients; only while this server leads. */
  asked(from: ServerId, frame: PeerFrameOf<'ask'>): void
  /** The leader of this server answers; only while this server follows and is up to date. */
  answered(frame: PeerFrameOf<'answer'>): void
  /** The learner is gone, or joins anew: nothing of its last join counts any more. */
  learnerLost(learner: ServerId): void
  trace(trace: Trace): void
}

/** What recovery found on the disk and has already applied. */
export interface ZabRecovery {
  readonly hardState: HardState
  readonly epochs: readonly EpochStart[]
  /** The commit mark on the disk: committed, and applied by recovery. */
  readonly lastApplied: Zxid
}
