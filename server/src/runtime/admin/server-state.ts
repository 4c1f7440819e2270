import type { RoleName } from '../../core/effect.js'

/** What a server says of itself to those who run it; plain data, without a secret. */
export interface ServerState {
  readonly id: number
  readonly pid: number
  readonly version: string
  readonly uptimeMs: number
  readonly role: RoleName
  readonly epoch: number
  readonly leader: number | null
  /** Of the last txn applied. */
  readonly zxid: number
  /** Txns known to be committed and not applied yet. */
  readonly lag: number
  readonly ensembleId: string | null
  readonly znodes: number
  readonly sessions: number
  readonly connections: number
  readonly watches: number
  readonly streams: number
  readonly peerLinks: number
  readonly logBytes: number
  /** Others than this machine can reach it, and there is no TLS. */
  readonly insecure: boolean
  /** Clients are served. */
  readonly ready: boolean
  /** Why they are not; null when they are. */
  readonly why: string | null
}
