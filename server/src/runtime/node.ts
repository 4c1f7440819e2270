import { limits } from '@conclave/protocol'
import type { Logger } from 'pino'
import { assertNever } from '../core/assert.js'
import type { Effect, Trace } from '../core/effect.js'
import type { ConnectionId, Input } from '../core/input.js'
import type { Replica } from '../core/replica.js'
import type { ClientListener } from './net/client-listener.js'
import type { ClientSocketEvents } from './net/client-socket.js'
import { RefusalLog } from './net/refusal-log.js'
import type { PasswordHasher } from './password-hasher.js'
import type { Storage } from './storage/index.js'

/** What a node carries the effects of its replica out with. */
export interface NodePorts {
  readonly storage: Storage
  readonly hasher: PasswordHasher
  readonly log: Logger
  /** Clients are served from now on; told once. */
  readonly onServing: () => void
  /** The process cannot go on: a broken invariant. */
  readonly onFatal: (error: Error) => void
}

/**
 * The loop around one replica: steps all that one turn of the event loop brought in, then drains
 * once and carries out the effects.
 */
export class Node {
  readonly #replica: Replica
  readonly #ports: NodePorts
  readonly #refusals: RefusalLog
  readonly #ticker: NodeJS.Timeout
  #listener: ClientListener | null = null
  #isDrainDue = false
  #hasServed = false
  #isStopped = false

  constructor(replica: Replica, ports: NodePorts) {
    this.#replica = replica
    this.#ports = ports
    this.#refusals = new RefusalLog(ports.log)
    this.#ticker = setInterval(() => this.#tick(), limits.tickMs)
    this.#tick()
  }

  serve(listener: ClientListener): void {
    this.#listener = listener
  }

  input(input: Input): void {
    if (this.#isStopped) return
    this.#guarded(() => this.#replica.step(input))
    if (this.#isDrainDue) return
    this.#isDrainDue = true
    setImmediate(() => this.#drain())
  }

  /** The events of a new client connection become inputs. */
  accept(connection: ConnectionId, address: string): ClientSocketEvents {
    this.input({ input: 'clientOpened', connection, address })
    return {
      frame: (frame, bytes) => this.input({ input: 'clientFrame', connection, frame, bytes }),
      congested: (congested) => this.input({ input: 'clientCongested', connection, congested }),
      lost: () => this.input({ input: 'clientLost', connection }),
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
    this.input({ input: 'tick', nowMs: performance.now(), wallMs: Date.now() })
  }

  #drain(): void {
    this.#isDrainDue = false
    if (this.#isStopped) return
    this.#guarded(() => {
      for (const effect of this.#replica.drain()) this.#carryOut(effect)
    })
    if (this.#hasServed || this.#isStopped || !this.#replica.isServing) return
    this.#hasServed = true
    this.#ports.onServing()
  }

  #carryOut(effect: Effect): void {
    const { storage, hasher } = this.#ports
    switch (effect.effect) {
      case 'persist': {
        const { ticket } = effect
        return storage.persist(effect, () => this.input({ input: 'persisted', ticket }))
      }
      case 'sendClient':
        return this.#listener?.get(effect.connection)?.send(effect.frames)
      case 'closeClient':
        return this.#listener?.get(effect.connection)?.close(effect.reason)
      case 'pauseClient':
        return this.#listener?.get(effect.connection)?.pause(true)
      case 'resumeClient':
        return this.#listener?.get(effect.connection)?.pause(false)
      case 'saveSnapshot':
        return storage.saveSnapshot(
          effect.view,
          (zxid) => this.input({ input: 'snapshotEnded', zxid }),
          () => this.input({ input: 'snapshotEnded', zxid: null }),
        )
      case 'readLog': {
        const { ticket } = effect
        return storage.readLog(effect, (txns) => this.input({ input: 'logPiece', ticket, txns }))
      }
      case 'hash': {
        const { ticket } = effect
        return hasher.hash(effect, (hash) => this.input({ input: 'hashed', ticket, hash }))
      }
      case 'sendPeer':
        // Peers are servers of an ensemble of several; this node has links to none.
        return
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

  #tell({ trace, ...fields }: Trace): void {
    const { log } = this.#ports
    if (trace === 'zxidsSpent') log.error(fields, trace)
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

const quiet: ReadonlySet<Trace['trace']> = new Set(['sessionCreated', 'reaped', 'authenticated'])
