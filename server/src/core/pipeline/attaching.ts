import {
  type ClientFrameOf,
  protocolVersion,
  type ServerFrameOf,
  type SessionEndReason,
  type SessionId,
  type Xid,
} from '@conclave/protocol'
import { bytesKey, sameBytes } from '../byte-equality.js'
import type { ReplicaConfig } from '../config.js'
import type { Session, Tombstone } from '../session/session-table.js'
import type { Connection } from './connection.js'
import type { Connections } from './connections.js'
import type { Leadership } from './leadership.js'
import type { Applied, ReplicatedState } from './replicated-state.js'

/** The way of a connection from its connect frame to its session. */
export class Attaching {
  readonly #config: ReplicaConfig
  readonly #state: ReplicatedState
  readonly #connections: Connections
  /** By its nonce: the connection that waits for its session to be created. */
  readonly #creations = new Map<string, Connection>()
  /**
   * Each waits for the confirmation that this server still leads; while an end of its session is
   * outstanding, for that end.
   */
  readonly #claims = new Map<Connection, Claim>()

  constructor(config: ReplicaConfig, state: ReplicatedState, connections: Connections) {
    this.#config = config
    this.#state = state
    this.#connections = connections
  }

  connect(
    connection: Connection,
    connect: ClientFrameOf<'connect'>,
    leadership: Leadership | null,
  ): void {
    if (connect.version !== protocolVersion) {
      this.#connections.close(connection, 'badVersion')
      return
    }
    connection.phase = { phase: 'connecting', connect, step: 'leader', resumes: true }
    connection.ackedXid = connect.ackedXid
    if (leadership !== null) this.proceed(connection, leadership)
  }

  /** There is a leader to ask. */
  proceed(connection: Connection, leadership: Leadership): void {
    if (connection.phase.phase !== 'connecting') return
    const { connect } = connection.phase
    const { ensembleId, lastApplied } = this.#state
    if (connect.ensembleId !== null && connect.ensembleId !== ensembleId) {
      this.#end(connection, 'otherEnsemble')
    } else if (connect.lastZxidSeen > lastApplied.zxid) {
      this.#end(connection, 'historyLost')
    } else if (connect.sessionId === 0) {
      this.#create(connection, connect, leadership)
    } else {
      this.#resume(connection, connect, leadership)
    }
  }

  /** The rounds up to this one are confirmed: these connections have their sessions. */
  confirmed(round: number, leadership: Leadership, standing: ServingStanding): void {
    const due = this.#take(
      (claim) => claim.round <= round && !leadership.isClosing(claim.sessionId),
    )
    for (const connection of due) this.#welcome(connection, standing)
  }

  /** The leadership that was asked is over. */
  restart(): void {
    this.#claims.clear()
    this.#creations.clear()
  }

  lost(connection: Connection): void {
    this.#claims.delete(connection)
  }

  applied({ txn, ended }: Applied, leadership: Leadership | null): void {
    if (txn.body.body === 'createSession') this.#created(txn.body.nonceHash, leadership)
    if (ended === null) return
    const connection = this.#connections.withSession(ended.sessionId)
    if (connection !== undefined) {
      // Who has the reply to its closeSession knows; who has not learns what became of its writes.
      const isOwnWish = txn.sessionId === ended.sessionId
      if (isOwnWish && connection.repliedXid === txn.xid)
        this.#connections.close(connection, 'sessionEnded')
      else this.#farewell(connection, ended)
    }
    const waiting = this.#take((claim) => claim.sessionId === ended.sessionId)
    for (const connection of waiting) this.#farewell(connection, ended)
  }

  #take(isDue: (claim: Claim) => boolean): readonly Connection[] {
    const due = [...this.#claims].filter(([, claim]) => isDue(claim))
    return due.map(([connection]) => {
      this.#claims.delete(connection)
      return connection
    })
  }

  #create(connection: Connection, connect: ClientFrameOf<'connect'>, leadership: Leadership): void {
    const existing = this.#state.sessions.withNonce(connect.nonce)
    if (existing !== undefined) {
      this.#claim(connection, existing, connect, leadership)
      return
    }
    const { sessionTimeoutMsMin, sessionTimeoutMsMax } = this.#config
    const timeoutMs = Math.min(
      Math.max(connect.sessionTimeoutMs, sessionTimeoutMsMin),
      sessionTimeoutMsMax,
    )
    connection.phase = { phase: 'connecting', connect, step: 'creation', resumes: false }
    const key = bytesKey(connect.nonce)
    const earlier = this.#creations.get(key)
    const isOlder = earlier !== undefined && attachOf(earlier) > connect.attach
    if (earlier !== undefined && earlier !== connection) {
      this.#connections.close(isOlder ? connection : earlier, 'sessionMoved')
    }
    if (isOlder) return
    const refusal = leadership.createSession(connect.nonce, timeoutMs)
    if (refusal !== null) {
      this.#connections.close(connection, refusal)
      return
    }
    this.#creations.set(key, connection)
  }

  #resume(connection: Connection, connect: ClientFrameOf<'connect'>, leadership: Leadership): void {
    const { sessions } = this.#state
    const session = sessions.get(connect.sessionId)
    const known = session ?? sessions.tombstone(connect.sessionId)
    if (known === undefined) this.#end(connection, 'unknown')
    else if (!sameBytes(known.nonceHash, connect.nonce)) this.#end(connection, 'wrongNonce')
    else if (session === undefined) this.#farewell(connection, known as Tombstone)
    else this.#claim(connection, session, connect, leadership)
  }

  #claim(
    connection: Connection,
    { sessionId }: Session,
    connect: ClientFrameOf<'connect'>,
    leadership: Leadership,
  ): void {
    if (!leadership.attach(sessionId, connect)) {
      this.#connections.close(connection, 'sessionMoved')
      return
    }
    const { phase } = connection
    const resumes = phase.phase !== 'connecting' || phase.resumes
    const claimed = { ...connect, sessionId }
    connection.phase = { phase: 'connecting', connect: claimed, step: 'confirmation', resumes }
    this.#claims.set(connection, { sessionId, round: leadership.startRound() })
  }

  #created(nonceHash: Uint8Array, leadership: Leadership | null): void {
    const session = this.#state.sessions.withNonce(nonceHash)
    if (session === undefined || leadership === null) return
    const key = bytesKey(nonceHash)
    const connection = this.#creations.get(key)
    this.#creations.delete(key)
    if (connection?.phase.phase !== 'connecting') return
    this.#claim(connection, session, connection.phase.connect, leadership)
  }

  #welcome(connection: Connection, { role, epoch }: ServingStanding): void {
    const { phase } = connection
    if (phase.phase !== 'connecting') return
    const { sessionId, attach, ackedXid } = phase.connect
    const session = this.#state.sessions.get(sessionId)
    if (session === undefined) {
      const tombstone = this.#state.sessions.tombstone(sessionId)
      if (tombstone === undefined) this.#end(connection, 'unknown')
      else this.#farewell(connection, tombstone)
      return
    }
    this.#connections.attach(connection, sessionId, attach)
    connection.ackedXid = Math.max(ackedXid, session.ackedXid) as Xid
    this.#connections.send(connection.id, {
      frame: 'connected',
      sessionId,
      sessionTimeoutMs: session.sessionTimeoutMs,
      ensembleId: this.#state.ensembleId ?? '',
      zxid: this.#state.lastApplied.zxid,
      serverId: this.#config.serverId,
      resumed: phase.resumes,
      role,
      epoch,
    })
  }

  #end(connection: Connection, reason: SessionEndReason): void {
    const word = { frame: 'sessionExpired', reason, complete: false, outcomes: [] } as const
    this.#connections.close(connection, 'sessionEnded', word)
  }

  /** Tells a client what became of the writes that it has not acknowledged. */
  #farewell(connection: Connection, tombstone: Tombstone): void {
    const outcomes: ServerFrameOf<'sessionExpired'>['outcomes'][number][] = []
    for (const { xid, failure, result } of tombstone.results.values()) {
      if (xid > connection.ackedXid) outcomes.push({ xid, failure, result })
    }
    this.#connections.close(connection, 'sessionEnded', {
      frame: 'sessionExpired',
      reason: tombstone.expired ? 'expired' : 'closed',
      complete: true,
      outcomes,
    })
  }
}

interface Claim {
  readonly sessionId: SessionId
  readonly round: number
}

/** What this server is to the ensemble, as it is told to clients. */
type ServingStanding = Pick<ServerFrameOf<'connected'>, 'role' | 'epoch'>

const attachOf = ({ phase }: Connection): number =>
  phase.phase === 'connecting' ? phase.connect.attach : 0
