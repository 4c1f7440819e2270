import type {
  CloseReason,
  Epoch,
  ServerFrame,
  ServerId,
  ServingRole,
  SessionId,
  Zxid,
} from '@conclave/protocol'
import type {
  HardState,
  PeerFrame,
  SnapshotEntry,
  SnapshotHeader,
  Txn,
} from '@conclave/protocol/peer'
import type {
  ConnectionId,
  HashTicket,
  LinkId,
  LogTicket,
  SnapshotTicket,
  Ticket,
} from './input.js'

/** All that a replica ever asks of the world. */
export type Effect =
  | Persist
  | SendPeer
  | SendClient
  /** The frames sent before it are still delivered. */
  | {
      readonly effect: 'closeClient'
      readonly connection: ConnectionId
      readonly reason: CloseReason
    }
  /** Read nothing more from this connection until it is resumed. */
  | { readonly effect: 'pauseClient'; readonly connection: ConnectionId }
  | { readonly effect: 'resumeClient'; readonly connection: ConnectionId }
  | { readonly effect: 'saveSnapshot'; readonly view: SnapshotView }
  | ReadLog
  | ReadSnapshot
  | StoreSnapshot
  /**
   * The disk holds what this replica's memory does not: it is to be dropped, the storage closed,
   * and another replica recovered from the directory. Nothing is stepped or drained any more.
   */
  | { readonly effect: 'restart'; readonly why: string }
  | Hash
  /** After a shutdown: nothing is owed to clients, and this server leads no more. */
  | { readonly effect: 'retired' }
  /** There is more to do: drain again in the next turn, even if nothing comes in. */
  | { readonly effect: 'again' }
  | { readonly effect: 'trace'; readonly trace: Trace }

/**
 * Order inside one persist: truncate (durable), then txns (durable), then hardState (durable).
 * Completed by `persisted{ticket}`.
 */
export interface Persist {
  readonly effect: 'persist'
  readonly ticket: Ticket
  /** The last zxid to keep; null when nothing is cut. */
  readonly truncateAfter: Zxid | null
  readonly txns: readonly Txn[]
  /** The highest zxid known to be committed. */
  readonly commit: Zxid
  readonly hardState: HardState | null
}

/**
 * Txns from `after` + 1 on, read back from the own log: at least one, none past `through`, and no
 * more once their records take `bytesMax`. All up to `through` is durable and stays as it is while
 * the answer is wanted. Completed by `logPiece{ticket}`.
 */
export interface ReadLog {
  readonly effect: 'readLog'
  readonly ticket: LogTicket
  readonly after: Zxid
  readonly through: Zxid
  readonly bytesMax: number
}

/**
 * A part of the saved snapshot at `zxid`, or of the newest one when that is null: at most
 * `bytesMax` bytes from `offset` on. Completed by `snapshotPiece{ticket}`.
 */
export interface ReadSnapshot {
  readonly effect: 'readSnapshot'
  readonly ticket: SnapshotTicket
  readonly zxid: Zxid | null
  readonly offset: number
  readonly bytesMax: number
}

/**
 * A part of another server's snapshot, to be stored behind those before it; one at offset 0 begins
 * anew. Once the last is stored the whole is verified and replaces snapshots and log in one atomic,
 * durable step, or nothing changes. Completed by `snapshotStored{ticket}`.
 */
export interface StoreSnapshot {
  readonly effect: 'storeSnapshot'
  readonly ticket: SnapshotTicket
  readonly zxid: Zxid
  readonly offset: number
  readonly bytes: Uint8Array
  readonly isLast: boolean
}

export interface SendPeer {
  readonly effect: 'sendPeer'
  readonly to: ServerId
  readonly link: LinkId
  readonly frames: readonly PeerFrame[]
}

export interface SendClient {
  readonly effect: 'sendClient'
  readonly connection: ConnectionId
  readonly frames: readonly ServerFrame[]
}

/** scrypt over the password, with a salt fixed for this user in this ensemble. */
export interface Hash {
  readonly effect: 'hash'
  readonly ticket: HashTicket
  readonly ensembleId: string
  readonly user: string
  readonly password: string
}

/** All replicated state at one zxid, handed over in slices while the replica goes on. */
export interface SnapshotView {
  readonly header: SnapshotHeader
  /** At most `entriesMax` more entries; an empty array when all have been given. */
  next(entriesMax: number): readonly SnapshotEntry[]
  /** Must be called when the snapshot is saved or given up: until then changes are copied. */
  close(): void
}

/** What happened, for logs and metrics. Nothing in the core depends on it. */
export type Trace =
  | {
      readonly trace: 'roleChanged'
      readonly role: RoleName
      readonly epoch: Epoch
      readonly leader: ServerId | null
    }
  | { readonly trace: 'ensembleCreated'; readonly ensembleId: string }
  | {
      readonly trace: 'sessionCreated'
      readonly sessionId: SessionId
      readonly sessionTimeoutMs: number
    }
  | {
      readonly trace: 'sessionClosed'
      readonly sessionId: SessionId
      readonly expired: boolean
      readonly ephemerals: number
    }
  | {
      readonly trace: 'authenticated'
      readonly connection: ConnectionId
      readonly user: string
      readonly ok: boolean
    }
  | { readonly trace: 'peerRefused'; readonly from: ServerId; readonly why: string }
  /** Digests differ at one zxid: one server is known to be wrong, or nobody can tell who: null. */
  | { readonly trace: 'statesDiffer'; readonly zxid: Zxid; readonly wrong: ServerId | null }
  | { readonly trace: 'snapshotStarted'; readonly zxid: Zxid }
  | { readonly trace: 'reaped'; readonly path: string }
  /** A write that came again had been logged before: where that was seen. It does not run again. */
  | {
      readonly trace: 'foundAgain'
      readonly where: 'table' | 'outstanding' | 'tombstone'
      readonly sessionId: SessionId
    }
  /** A leadership is over: what was proposed and not committed may or may not be. */
  | { readonly trace: 'deposed'; readonly outstandingWrites: number }
  /** Writes are refused from now on. */
  | { readonly trace: 'zxidsSpent'; readonly zxid: Zxid; readonly advice: string }

export type RoleName = 'looking' | ServingRole
