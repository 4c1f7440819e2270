import type { ServerId } from '@conclave/protocol'
import type { TxnPacker } from './txn-packer.js'

/** What a replica is told once, at its start. */
export interface ReplicaConfig {
  readonly serverId: ServerId
  /** Ascending. */
  readonly voters: readonly ServerId[]
  /** Ascending, none of them a voter. This server's own id is among these or those. */
  readonly observers: readonly ServerId[]
  /** The ensemble is new: a majority of fresh voters that all say so may found it. */
  readonly bootstrap: boolean
  /** Drawn by the runtime; becomes the ensemble's id if this server leads its first election. */
  readonly newEnsembleId: string
  readonly historyBytesMax: number
  readonly packer: TxnPacker
  /** A snapshot is begun when this many txns have been applied since the last one began. */
  readonly snapshotTxns: number
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
}
