import {
  type CloseReason,
  type Identity,
  limits,
  type ServerFrame,
  type SessionId,
  type StreamEvent,
} from '@conclave/protocol'
import type { Effect } from '../effect.js'
import type { ConnectionId } from '../input.js'
import { Connection } from './connection.js'
import type { Audience } from './watching.js'
import { WriteWindow } from './write-window.js'

/** The client connections of this server, and all that goes out to them. */
export class Connections implements Audience {
  /** What all of them have on its way to the leader. */
  readonly writes = new WriteWindow()
  readonly #byId = new Map<ConnectionId, Connection>()
  readonly #bySession = new Map<SessionId, Connection>()
  /** Those that have something to send or do in the coming drain. */
  readonly #active = new Set<Connection>()
  readonly #blocked = new Set<Connection>()
  readonly #paused = new Set<Connection>()
  #effects: Effect[] = []
  #queueBytes = 0
  /** Grows with each change of the leader. */
  #era = 0
  #untold: Iterator<Connection> | null = null

  get size(): number {
    return this.#byId.size
  }

  get(id: ConnectionId): Connection | undefined {
    return this.#byId.get(id)
  }

  withSession(sessionId: SessionId): Connection | undefined {
    return this.#bySession.get(sessionId)
  }

  values(): IterableIterator<Connection> {
    return this.#byId.values()
  }

  /** What was asked of the last leader is asked anew, or of nobody: all must learn of it. */
  changeLeader(): void {
    this.#era += 1
    this.#untold = this.#byId.values()
  }

  /** @returns true the first time since the leader has changed */
  learns(connection: Connection): boolean {
    if (connection.era === this.#era) return false
    connection.era = this.#era
    return true
  }

  /**
   * Some that may not have learnt yet that the leader has changed: there may be ten thousand, and
   * a turn must end.
   */
  takeUntold(): readonly Connection[] {
    const taken: Connection[] = []
    while (this.#untold !== null && taken.length < limits.resumedPerTurnMax) {
      const { value: connection, done } = this.#untold.next()
      if (done === true) this.#untold = null
      else if (connection.era !== this.#era) taken.push(connection)
    }
    return taken
  }

  /** Nobody is owed an answer any more. */
  get areClosed(): boolean {
    for (const { phase } of this.#byId.values()) if (phase.phase !== 'closed') return false
    return true
  }

  open(id: ConnectionId, address: string, nowMs: number): void {
    this.#byId.set(id, new Connection(id, address, nowMs))
  }

  /** The connection serves the session from now on; the one that did is told so and closed. */
  attach(connection: Connection, sessionId: SessionId, attach: number): void {
    const before = this.#bySession.get(sessionId)
    if (before !== undefined && before !== connection) this.close(before, 'sessionMoved')
    connection.phase = { phase: 'attached', sessionId, attach }
    this.#bySession.set(sessionId, connection)
  }

  /** Says why and closes; what was sent before is still delivered. */
  close(connection: Connection, reason: CloseReason, lastWord?: ServerFrame): void {
    if (connection.phase.phase === 'closed') return
    if (lastWord !== undefined) this.#send(connection, lastWord, 64)
    this.#send(connection, { frame: 'closing', reason }, 64)
    this.#leaveSession(connection)
    connection.phase = { phase: 'closed' }
    this.writes.settle(connection)
    this.#flush(connection)
    this.#effects.push({ effect: 'closeClient', connection: connection.id, reason })
  }

  lost(connection: Connection): void {
    this.#leaveSession(connection)
    connection.phase = { phase: 'closed' }
    this.writes.settle(connection)
    this.#byId.delete(connection.id)
    this.#active.delete(connection)
    this.#blocked.delete(connection)
    this.#paused.delete(connection)
    this.#queueBytes -= connection.queueBytes
  }

  identities(id: ConnectionId): readonly Identity[] {
    return this.#byId.get(id)?.identities ?? []
  }

  send(id: ConnectionId, frame: ServerFrame, bytes = 64): void {
    const connection = this.#byId.get(id)
    if (connection !== undefined) this.#send(connection, frame, bytes)
  }

  sendStreamEvent(id: ConnectionId, streamId: number, event: StreamEvent): void {
    const connection = this.#byId.get(id)
    if (connection === undefined || connection.phase.phase === 'closed') return
    connection.sendStreamEvent(streamId, event)
    this.#active.add(connection)
  }

  isReady(id: ConnectionId): boolean {
    const connection = this.#byId.get(id)
    return connection !== undefined && connection.phase.phase !== 'closed' && connection.isReady
  }

  /**
   * Counts what waits in queues, and stops reading from who has more than its part. Who is held is
   * read on, because it is an acknowledgement that ends the wait, up to a bound of its own.
   */
  queued(connection: Connection, bytes: number): void {
    connection.queueBytes += bytes
    this.#queueBytes += bytes
    if (connection.isHeld && connection.queueBytes > limits.heldBytesPerConnectionMax) {
      this.close(connection, 'slowConsumer')
      return
    }
    this.#pauseOrNot(connection)
  }

  /** Its next write waits for acknowledgements, which must be read. */
  held(connection: Connection): void {
    this.#readOn(connection)
  }

  heldNoMore(connection: Connection): void {
    this.#pauseOrNot(connection)
  }

  unqueued(connection: Connection, bytes: number): void {
    connection.queueBytes -= bytes
    this.#queueBytes -= bytes
  }

  /** Reads on from those that were paused, once there is room again. */
  resume(): void {
    const hasRoom = this.#queueBytes * 2 <= limits.requestBytesPerServerMax
    for (const connection of this.#paused) {
      const isDone =
        connection.paused === 'ownQueue'
          ? connection.queue.length * 2 <= limits.requestsPerSessionMax
          : hasRoom || connection.queueBytes * 2 <= fairShareBytes
      if (isDone) this.#readOn(connection)
    }
  }

  /** True when something waits to be sent. */
  get hasOutput(): boolean {
    return this.#active.size > 0 || this.#untold !== null
  }

  /** Those that were ready for no further answer before the last drain. */
  takeBlocked(): readonly Connection[] {
    const blocked = [...this.#blocked]
    this.#blocked.clear()
    return blocked
  }

  /** An answer has to wait until what is in the outbox has left. */
  block(connection: Connection): void {
    this.#blocked.add(connection)
  }

  effect(effect: Effect): void {
    this.#effects.push(effect)
  }

  drain(): readonly Effect[] {
    for (const connection of this.#active) this.#flush(connection)
    this.#active.clear()
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #send(connection: Connection, frame: ServerFrame, bytes: number): void {
    if (connection.phase.phase === 'closed') return
    connection.send(frame, bytes)
    this.#active.add(connection)
  }

  #flush(connection: Connection): void {
    if (!connection.hasOutput) return
    const frames = connection.takeOutput()
    this.#effects.push({ effect: 'sendClient', connection: connection.id, frames })
  }

  #pauseOrNot(connection: Connection): void {
    if (connection.isHeld || connection.paused !== null) return
    const isLoad =
      this.#queueBytes > limits.requestBytesPerServerMax && connection.queueBytes > fairShareBytes
    if (connection.queue.length > limits.requestsPerSessionMax) connection.paused = 'ownQueue'
    else if (isLoad) connection.paused = 'serverLoad'
    else return
    this.#paused.add(connection)
    this.#effects.push({ effect: 'pauseClient', connection: connection.id })
  }

  #readOn(connection: Connection): void {
    if (connection.paused === null) return
    connection.paused = null
    this.#paused.delete(connection)
    this.#effects.push({ effect: 'resumeClient', connection: connection.id })
  }

  #leaveSession(connection: Connection): void {
    const { sessionId } = connection
    if (this.#bySession.get(sessionId) === connection) this.#bySession.delete(sessionId)
  }
}

/** Over the server's bound, only who has more than this is not read from. */
const fairShareBytes = limits.frameBytesMax
