import type { Epoch, ServerId, Zxid } from '@conclave/protocol'
import type { RoleName } from './effect.js'

/** For people and metrics. */
export interface ReplicaStatus {
  readonly serverId: ServerId
  readonly role: RoleName
  readonly epoch: Epoch
  readonly leader: ServerId | null
  /** Of the last txn applied. */
  readonly zxid: Zxid
  /** The highest zxid known to be committed. */
  readonly committed: Zxid
  readonly ensembleId: string | null
  readonly digest: string
  readonly znodes: number
  readonly sessions: number
  readonly connections: number
  readonly watches: number
  readonly streams: number
}
