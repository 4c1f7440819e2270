import type { ServerId } from '@conclave/protocol'
import type { Persist, SendClient, SendPeer, Trace } from '#server/core/effect.js'
import type { ConnectionId, Ticket } from '#server/core/input.js'
import type { Recovered } from '#server/core/recovery.js'
import type { SimServer } from './sim-server.js'

export interface ServerOptions {
  readonly serverId: ServerId
  readonly voters: readonly ServerId[]
  readonly observers: readonly ServerId[]
  readonly snapshotTxns: number
  readonly historyBytesMax: number
  readonly segmentBytes: number
  readonly snapshotsKept: number
  readonly diskMsMean: number
}

/** Whoever watches and carries: the ensemble around one server. */
export interface Surroundings {
  started(server: SimServer, recovered: Recovered): void
  persisting(server: SimServer, effect: Persist): void
  persisted(server: SimServer, ticket: Ticket): void
  /** Some input was stepped, or the effects were carried out: the state may have moved. */
  moved(server: SimServer): void
  traced(server: SimServer, trace: Trace): void
  sendPeer(server: SimServer, effect: SendPeer): void
  sendClient(server: SimServer, effect: SendClient): void
  closeClient(server: SimServer, connection: ConnectionId): void
  pauseClient(server: SimServer, connection: ConnectionId, paused: boolean): void
  /** The replica is gone and is made anew from the disk; so are its connections. */
  restarting(server: SimServer): void
  /** Its state is wrong from now on, until it starts anew. */
  corrupted(server: SimServer): void
  /** The process has ended as it was asked to. */
  stopped(server: SimServer): void
  /** The process has ended by itself. */
  ended(server: SimServer, error: Error): void
  /** Promises may have moved: they must settle before the next event. */
  promised(): void
}
