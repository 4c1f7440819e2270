import type { ClientFrame, Epoch, ServerFrame, ServerId, Zxid } from '@conclave/protocol'
import type { HardState, PeerFrame } from '@conclave/protocol/peer'
import type { Persist, Trace } from '#server/core/effect.js'
import type { ConnectionId } from '#server/core/input.js'
import type { Recovered } from '#server/core/recovery.js'
import type { Ledger } from '../ledger.js'

/** All that an invariant can be asked about, as it happens; the ledger knows it already. */
export type Sight =
  | { readonly sight: 'started'; readonly server: ServerId; readonly recovered: Recovered }
  | { readonly sight: 'wiped'; readonly server: ServerId }
  /** The state in its memory is no longer what its log says. */
  | { readonly sight: 'corrupted'; readonly server: ServerId }
  | { readonly sight: 'persisting'; readonly server: ServerId; readonly effect: Persist }
  | { readonly sight: 'hardState'; readonly server: ServerId; readonly hardState: HardState }
  /** A server has applied one more txn. */
  | { readonly sight: 'applied'; readonly server: ServerId; readonly zxid: Zxid }
  /** A server stands still after a step or a drain. */
  | {
      readonly sight: 'rested'
      readonly server: ServerId
      readonly zxid: Zxid
      readonly digest: string
    }
  | { readonly sight: 'established'; readonly server: ServerId; readonly epoch: Epoch }
  /** A server is not, or no longer, the leader that it may have been. */
  | { readonly sight: 'leftRole'; readonly server: ServerId }
  | {
      readonly sight: 'sent'
      readonly server: ServerId
      readonly to: ServerId
      readonly frame: PeerFrame
    }
  | { readonly sight: 'traced'; readonly server: ServerId; readonly trace: Trace }
  /** The replica is made anew from the disk, on which a snapshot was installed, or nothing left. */
  | { readonly sight: 'restarting'; readonly server: ServerId }
  | {
      readonly sight: 'clientLost'
      readonly server: ServerId
      readonly connection: ConnectionId
    }
  | {
      readonly sight: 'clientFrame'
      readonly server: ServerId
      readonly connection: ConnectionId
      readonly frame: ClientFrame
    }
  | {
      readonly sight: 'serverFrame'
      readonly server: ServerId
      readonly connection: ConnectionId
      readonly frame: ServerFrame
    }

/** A promise that must hold at every moment of every world; throws a Violation when it does not. */
export interface Invariant {
  check(sight: Sight, ledger: Ledger): void
}
