import type { Zxid } from '@conclave/protocol'
import type { SnapshotEntry, SnapshotHeader, Txn } from '@conclave/protocol/peer'

/**
 * Takes what the disk holds, in this order: the newest valid snapshot, if there is one, then every
 * txn of the retained log from the oldest on, also those that the snapshot already covers (they
 * refill history), also those after the commit mark (they are the tail of the log).
 */
export interface RecoveryVisitor {
  snapshot(header: SnapshotHeader): void
  entry(entry: SnapshotEntry): void
  /** @throws Error when the entries do not add up to the digest of the header */
  snapshotEnd(): void
  txn(txn: Txn): void
  /** Every txn up to here is committed. */
  committed(zxid: Zxid): void
}
