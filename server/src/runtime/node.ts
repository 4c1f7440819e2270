import { limits } from '@conclave/protocol'
import type { Logger } from 'pino'
import { assertNever } from '../core/assert.js'
import type { Effect, Trace } from '../core/effect.js'
import type { ConnectionId, Input } from '../core/input.js'
import type { Replica } from '../core/replica.js'
import type { Metrics } from './admin/metrics.js'
import type { ClientSocket, ClientSocketEvents } from './net/client-socket.js'
import type { PeerHost, PeerLinks } from './net/peer-links.js'
import { RefusalLog } from './net/refusal-log.js'
import type { PasswordHasher } from './password-hasher.js'
import type { Storage } from './storage/index.js'

/** What a node carries the effects of its replica out with. */
export interface NodePorts {
  readonly storage: Storage
  readonly hasher: PasswordHasher
  readonly clients: { get(id: ConnectionId): ClientSocket | undefined }
  /** Null where there are no other servers. */
  readonly peers: Pick<PeerLinks, 'send'> | null
  readonly log: Logger
  /** Told of what passes; it decides nothing. */
  readonly metrics: NodeMetrics
  /** Clients are served from now on; told once. */
  readonly onServing: () => void
  /** After the shutdown input: nothing is owed to clients or other servers. */
  readonly onRetired: () => void
  /** The replica is to be replaced by one recovered from the disk; the node has stopped. */
  readonly onRestart: (why: string) => void
  /** The process cannot go on: a broken invariant. */
  readonly onFatal: (error: Error) => void
}

export type NodeMetrics = Pick<
  Metrics,
  'received' | 'sent' | 'lost' | 'heard' | 'persisting' | 'snapshotting'
>

/**
 * The loop around one replica: steps all that one turn of the event loop brought in, then drains
 * once and carries out the effects.
 */
export class Node {
  readonly #replica: Replica
  readonly #ports: NodePorts
  readonly #refusals: RefusalLog
  readonly #ticker: NodeJS.Timeout
  #isDrainDue = false
  #tickedMs = -Infinity
  #hasServed = false
  #isStopped = false

  constructor(replica: Replica, ports: NodePorts) {
    this.#replica = replica
    this.#ports = ports
    this.#refusals = new RefusalLog(ports.log)
    this.#ticker = setInterval(() => this.#tick(), limits.tickMs)
    this.#tick()
  }

  input(input: Input): void {
    if (this.#isStopped) return
    if (!this.#isDrainDue && input.input !== 'tick') this.#catchUp()
    this.#guarded(() => this.#replica.step(input))
    if (this.#isDrainDue) return
    this.#isDrainDue = true
    setImmediate(() => this.#drain())
  }

  /** It leads, or follows a leader. */
  get isServing(): boolean {
    return this.#replica.isServing
  }

  /** The links to other servers open and close for this node's replica. */
  peerHost(ensembleId: string | null): PeerHost {
    const replica = this.#replica
    return {
      get ensembleId() {
        return ensembleId ?? replica.status.ensembleId
      },
      opened: (from, link) => this.input({ input: 'peerOpened', from, link }),
      frame: (from, link, frame) => this.input({ input: 'peerFrame', from, link, frame }),
      lost: (from, link) => this.input({ input: 'peerLost', from, link }),
    }
  }

  /** The events of a new client connection become inputs. */
  accept(connection: ConnectionId, address: string): ClientSocketEvents {
    this.input({ input: 'clientOpened', connection, address })
    const { metrics } = this.#ports
    return {
      frame: (frame, bytes) => {
        metrics.received(connection, frame)
        this.input({ input: 'clientFrame', connection, frame, bytes })
      },
      congested: (congested) => this.input({ input: 'clientCongested', connection, congested }),
      lost: () => {
        metrics.lost(connection)
        this.input({ input: 'clientLost', connection })
      },
      refused: (why) => this.#refusals.warn({ connection, address, why }, 'connection refused'),
    }
  }

  /** Nothing goes in or out any more. */
  stop(): void {
    this.#isStopped = true
    clearInterval(this.#ticker)
  }

  #tick(): void {
    // Both clocks are read once, here; the core knows no other.
    this.#tickedMs = performance.now()
    this.input({ input: 'tick', nowMs: this.#tickedMs, wallMs: Date.now() })
  }

  /** What came in while the process stood still is heard before the timer that was due then. */
  #catchUp(): void {
    if (performance.now() - this.#tickedMs > limits.tickMs) this.#tick()
  }

  #drain(): void {
    this.#isDrainDue = false
    if (this.#isStopped) return
    this.#guarded(() => {
      for (const effect of this.#replica.drain()) {
        if (!this.#isStopped) this.#carryOut(effect)
      }
    })
    if (this.#hasServed || this.#isStopped || !this.isServing) return
    this.#hasServed = true
    this.#ports.onServing()
  }

  #carryOut(effect: Effect): void {
    const { storage, hasher, clients, peers, metrics } = this.#ports
    switch (effect.effect) {
      case 'persist': {
        const { ticket } = effect
        const persisted = metrics.persisting()
        return storage.persist(effect, () => {
          persisted()
          this.input({ input: 'persisted', ticket })
        })
      }
      case 'sendClient':
        metrics.sent(effect.connection, effect.frames)
        return clients.get(effect.connection)?.send(effect.frames)
      case 'closeClient':
        return clients.get(effect.connection)?.close(effect.reason)
      case 'pauseClient':
        return clients.get(effect.connection)?.pause(true)
      case 'resumeClient':
        return clients.get(effect.connection)?.pause(false)
      case 'saveSnapshot': {
        const saved = metrics.snapshotting()
        return storage.saveSnapshot(
          effect.view,
          (zxid) => {
            saved()
            this.input({ input: 'snapshotEnded', zxid })
          },
          () => this.input({ input: 'snapshotEnded', zxid: null }),
        )
      }
      case 'readLog': {
        const { ticket } = effect
        return storage.readLog(effect, (txns) => this.input({ input: 'logPiece', ticket, txns }))
      }
      case 'readSnapshot': {
        const { ticket } = effect
        return storage.readSnapshot(effect, (piece) =>
          this.input({ input: 'snapshotPiece', ticket, piece }),
        )
      }
      case 'storeSnapshot': {
        const { ticket } = effect
        return storage.storeSnapshot(effect, (ok) =>
          this.input({ input: 'snapshotStored', ticket, ok }),
        )
      }
      case 'restart':
        this.stop()
        return this.#ports.onRestart(effect.why)
      case 'retired':
        return this.#ports.onRetired()
      case 'hash': {
        const { ticket } = effect
        return hasher.hash(effect, (hash) => this.input({ input: 'hashed', ticket, hash }))
      }
      case 'sendPeer':
        return peers?.send(effect.to, effect.link, effect.frames)
      case 'again':
        this.#again()
        return
      case 'trace':
        return this.#tell(effect.trace)
      default:
        return assertNever(effect)
    }
  }

  #again(): void {
    if (this.#isDrainDue) return
    this.#isDrainDue = true
    setImmediate(() => this.#drain())
  }

  #tell(told: Trace): void {
    const { log, metrics } = this.#ports
    const { trace, ...fields } = told
    metrics.heard(told)
    if (trace === 'zxidsSpent' || trace === 'statesDiffer') log.error(fields, trace)
    else if (quiet.has(trace)) log.debug(fields, trace)
    else log.info(fields, trace)
  }

  /** After a broken invariant nothing may be acknowledged: the process ends. */
  #guarded(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.stop()
      this.#ports.onFatal(error as Error)
    }
  }
}

const quiet: ReadonlySet<Trace['trace']> = new Set([
  'sessionCreated',
  'reaped',
  'authenticated',
  'foundAgain',
])
