import type { Brand, ClientFrame, ServerId, Zxid } from '@conclave/protocol'
import type { PeerFrame, Txn } from '@conclave/protocol/peer'

/** One client connection, numbered by the runtime, never reused. */
export type ConnectionId = Brand<number, 'ConnectionId'>

/** One connection between two servers, numbered by the runtime, never reused. */
export type LinkId = Brand<number, 'LinkId'>

/** Names one persist effect. Grows by one; a completion covers all tickets up to its own. */
export type Ticket = Brand<number, 'Ticket'>

/** Names one hash effect. */
export type HashTicket = Brand<number, 'HashTicket'>

/** Names one readLog effect. */
export type LogTicket = Brand<number, 'LogTicket'>

/** Names one readSnapshot or storeSnapshot effect. */
export type SnapshotTicket = Brand<number, 'SnapshotTicket'>

/** A part of a saved snapshot, as it lies on the disk. */
export interface SnapshotPiece {
  readonly zxid: Zxid
  readonly offset: number
  readonly bytes: Uint8Array
  /** Of the whole. */
  readonly size: number
}

/** All that ever enters a replica. */
export type Input =
  | Tick
  | { readonly input: 'peerOpened'; readonly from: ServerId; readonly link: LinkId }
  | PeerFrameInput
  | { readonly input: 'peerLost'; readonly from: ServerId; readonly link: LinkId }
  | { readonly input: 'clientOpened'; readonly connection: ConnectionId; readonly address: string }
  | ClientFrameInput
  | { readonly input: 'clientLost'; readonly connection: ConnectionId }
  /** Everything of this ticket and of all before it is durable. */
  | { readonly input: 'persisted'; readonly ticket: Ticket }
  /** The snapshot that was begun is on disk, or was given up (no space): zxid null. */
  | { readonly input: 'snapshotEnded'; readonly zxid: Zxid | null }
  /** More, or again less, is buffered for the connection than a client should let pile up. */
  | {
      readonly input: 'clientCongested'
      readonly connection: ConnectionId
      readonly congested: boolean
    }
  /** The hash asked for by a hash effect, as 64 hexadecimal digits; null: refused, over a limit. */
  | { readonly input: 'hashed'; readonly ticket: HashTicket; readonly hash: string | null }
  /** The answer to a readLog effect; null: purged, or not to be read. */
  | {
      readonly input: 'logPiece'
      readonly ticket: LogTicket
      readonly txns: readonly Txn[] | null
    }
  /** The answer to a readSnapshot effect; null: there is no such snapshot any more. */
  | {
      readonly input: 'snapshotPiece'
      readonly ticket: SnapshotTicket
      readonly piece: SnapshotPiece | null
    }
  /** The answer to a storeSnapshot effect; not ok: the disk is full, or the file is not whole. */
  | { readonly input: 'snapshotStored'; readonly ticket: SnapshotTicket; readonly ok: boolean }
  | { readonly input: 'diskSpace'; readonly ok: boolean }
  /** Answer what is in flight, take nothing new, hand over; the `retired` effect is the end. */
  | { readonly input: 'shutdown' }

export interface Tick {
  readonly input: 'tick'
  /** Monotonic clock. */
  readonly nowMs: number
  /** Milliseconds since 1970. */
  readonly wallMs: number
}

export interface PeerFrameInput {
  readonly input: 'peerFrame'
  readonly from: ServerId
  readonly link: LinkId
  readonly frame: PeerFrame
}

export interface ClientFrameInput {
  readonly input: 'clientFrame'
  readonly connection: ConnectionId
  readonly frame: ClientFrame
  /** Size of the frame as it came, for the limits on what is in flight. */
  readonly bytes: number
}
