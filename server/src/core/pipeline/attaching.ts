import {
  type ClientFrameOf,
  protocolVersion,
  type ServerFrameOf,
  type SessionEndReason,
  type SessionId,
  type Xid,
} from '@conclave/protocol'
import type { CreationRefusal, Verdict } from '@conclave/protocol/peer'
import { assertNever } from '../assert.js'
import { bytesKey, sameBytes } from '../byte-equality.js'
import type { ReplicaConfig } from '../config.js'
import type { ConnectionId } from '../input.js'
import type { Session, Tombstone } from '../session/session-table.js'
import type { Connection } from './connection.js'
import type { Connections } from './connections.js'
import type { Confirmation, LeaderPort } from './leader-port.js'
import type { Applied, ReplicatedState } from './replicated-state.js'

/**
 * The way of a connection from its connect frame to its session. Whether the session may be
 * attached is the leader's word; what the client is then told is what the table of this server
 * says, which has by then applied all that the leader knew.
 */
export class Attaching {
  readonly #config: ReplicaConfig
  readonly #state: ReplicatedState
  readonly #connections: Connections
  /** By its nonce: the connection that waits for its session to be created. */
  readonly #creations = new Map<string, Connection>()
  /**
   * Each waits for the leader's confirmed verdict; while an end of its session is outstanding, for
   * that end.
   */
  readonly #claims = new Map<ConnectionId, Connection>()
  #leader: LeaderPort | null = null

  constructor(config: ReplicaConfig, state: ReplicatedState, connections: Connections) {
    this.#config = config
    this.#state = state
    this.#connections = connections
  }

  /** A leader can be asked from now on, or none; see {@link resume} for who waits for one. */
  lead(leader: LeaderPort | null): void {
    this.#leader = leader
    this.#claims.clear()
    this.#creations.clear()
  }

  /** Its connect came before there was this leader. */
  resume(connection: Connection): void {
    const { phase } = connection.phase
    if (phase !== 'connecting' || !this.#connections.learns(connection)) return
    if (this.#leader !== null) this.#proceed(connection, this.#leader)
  }

  connect(connection: Connection, connect: ClientFrameOf<'connect'>): void {
    if (connect.version !== protocolVersion) {
      this.#connections.close(connection, 'badVersion')
      return
    }
    connection.phase = { phase: 'connecting', connect, resumes: true }
    connection.ackedXid = connect.ackedXid
    this.#connections.learns(connection)
    if (this.#leader !== null) this.#proceed(connection, this.#leader)
  }

  /** The verdicts on claims; those of connections that have their session are seldom news. */
  confirmed({ verdicts }: Confirmation, standing: ServingStanding): void {
    for (const { connection: id, verdict } of verdicts) {
      const claiming = this.#claims.get(id)
      const attached = this.#connections.get(id)
      if (claiming !== undefined) this.#judged(claiming, verdict, standing)
      else if (attached?.phase.phase === 'attached' && verdict === 'moved') {
        this.#connections.close(attached, 'sessionMoved')
      }
    }
  }

  creationRefused(nonceHash: Uint8Array, reason: CreationRefusal): void {
    const key = bytesKey(nonceHash)
    const connection = this.#creations.get(key)
    this.#creations.delete(key)
    if (connection !== undefined) this.#connections.close(connection, reason)
  }

  /** A connection with this attach has claimed the session on another server. */
  moved(sessionId: SessionId, attach: number): void {
    const older = [...this.#claims.values()].filter(({ phase }) => {
      if (phase.phase !== 'connecting' || phase.connect.sessionId !== sessionId) return false
      return phase.connect.attach <= attach
    })
    const attached = this.#connections.withSession(sessionId)
    if (attached !== undefined && attached.attach <= attach) older.push(attached)
    for (const connection of older) {
      this.#claims.delete(connection.id)
      this.#connections.close(connection, 'sessionMoved')
    }
  }

  lost(connection: Connection): void {
    this.#claims.delete(connection.id)
  }

  applied({ txn, ended }: Applied): void {
    if (txn.body.body === 'createSession') this.#created(txn.body.nonceHash)
    if (ended === null) return
    const connection = this.#connections.withSession(ended.sessionId)
    if (connection !== undefined) {
      // Who has the reply to its closeSession knows; who has not learns what became of its writes.
      const isOwnWish = txn.sessionId === ended.sessionId
      if (isOwnWish && connection.repliedXid === txn.xid)
        this.#connections.close(connection, 'sessionEnded')
      else this.#farewell(connection, ended)
    }
    for (const claiming of this.#claims.values()) {
      const { phase } = claiming
      const isOfSession =
        phase.phase === 'connecting' && phase.connect.sessionId === ended.sessionId
      if (isOfSession) this.#refuse(claiming, phase.connect)
    }
  }

  #proceed(connection: Connection, leader: LeaderPort): void {
    if (connection.phase.phase !== 'connecting') return
    const { connect } = connection.phase
    if (connect.ensembleId !== null && connect.ensembleId !== this.#state.ensembleId) {
      this.#end(connection, 'otherEnsemble')
    } else if (connect.sessionId === 0) {
      this.#create(connection, connect, leader)
    } else {
      this.#claim(connection, connect, leader)
    }
  }

  #create(connection: Connection, connect: ClientFrameOf<'connect'>, leader: LeaderPort): void {
    const existing = this.#state.sessions.withNonce(connect.nonce)
    if (existing !== undefined) {
      this.#claim(connection, { ...connect, sessionId: existing.sessionId }, leader)
      return
    }
    const { sessionTimeoutMsMin, sessionTimeoutMsMax } = this.#config
    const timeoutMs = Math.min(
      Math.max(connect.sessionTimeoutMs, sessionTimeoutMsMin),
      sessionTimeoutMsMax,
    )
    connection.phase = { phase: 'connecting', connect, resumes: false }
    const key = bytesKey(connect.nonce)
    const earlier = this.#creations.get(key)
    const isOlder = earlier !== undefined && attachOf(earlier) > connect.attach
    if (earlier !== undefined && earlier !== connection) {
      this.#connections.close(isOlder ? connection : earlier, 'sessionMoved')
    }
    if (isOlder) return
    this.#creations.set(key, connection)
    leader.createSession(connect.nonce, timeoutMs)
  }

  #created(nonceHash: Uint8Array): void {
    const session = this.#state.sessions.withNonce(nonceHash)
    const key = bytesKey(nonceHash)
    const connection = this.#creations.get(key)
    if (session === undefined || connection === undefined || this.#leader === null) return
    this.#creations.delete(key)
    if (connection.phase.phase !== 'connecting') return
    const { connect } = connection.phase
    this.#claim(connection, { ...connect, sessionId: session.sessionId }, this.#leader)
  }

  #claim(connection: Connection, connect: ClientFrameOf<'connect'>, leader: LeaderPort): void {
    const { phase, id, identities, refusedXid } = connection
    const { sessionId, nonce: nonceHash, attach, ackedXid, lastZxidSeen } = connect
    const resumes = phase.phase !== 'connecting' || phase.resumes
    connection.phase = { phase: 'connecting', connect, resumes }
    this.#claims.set(id, connection)
    const session = { sessionId, nonceHash, attach, ackedXid, lastZxidSeen }
    leader.claim({ connection: id, ...session, refusedXid, identities })
  }

  #judged(connection: Connection, verdict: Verdict, standing: ServingStanding): void {
    const { phase } = connection
    if (phase.phase !== 'connecting') return
    const session = this.#state.sessions.get(phase.connect.sessionId)
    // Its end is on the way: it is told of that when it has come.
    if (verdict === 'ending' && session !== undefined) return
    this.#claims.delete(connection.id)
    switch (verdict) {
      case 'granted':
        if (session === undefined) this.#refuse(connection, phase.connect)
        else this.#welcome(connection, session, standing)
        return
      case 'moved':
        return this.#connections.close(connection, 'sessionMoved')
      case 'historyLost':
        return this.#end(connection, 'historyLost')
      case 'ending':
      case 'gone':
        return this.#refuse(connection, phase.connect)
      default:
        return assertNever(verdict)
    }
  }

  /** There is no such session, or no more, or the client is not its owner. */
  #refuse(connection: Connection, { sessionId, nonce }: ClientFrameOf<'connect'>): void {
    this.#claims.delete(connection.id)
    const tombstone = this.#state.sessions.tombstone(sessionId)
    const known = this.#state.sessions.get(sessionId) ?? tombstone
    if (known === undefined) this.#end(connection, 'unknown')
    else if (tombstone === undefined || !sameBytes(known.nonceHash, nonce)) {
      this.#end(connection, 'wrongNonce')
    } else this.#farewell(connection, tombstone)
  }

  #welcome(connection: Connection, session: Session, { role, epoch }: ServingStanding): void {
    const { phase } = connection
    if (phase.phase !== 'connecting') return
    const { sessionId, sessionTimeoutMs } = session
    const { attach, ackedXid } = phase.connect
    this.#connections.attach(connection, sessionId, attach)
    connection.ackedXid = Math.max(ackedXid, session.ackedXid) as Xid
    this.#connections.send(connection.id, {
      frame: 'connected',
      sessionId,
      sessionTimeoutMs,
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
    if (outcomes.length > 0) {
      const { sessionId } = tombstone
      const trace = { trace: 'foundAgain', where: 'tombstone', sessionId } as const
      this.#connections.effect({ effect: 'trace', trace })
    }
    this.#connections.close(connection, 'sessionEnded', {
      frame: 'sessionExpired',
      reason: tombstone.expired ? 'expired' : 'closed',
      complete: true,
      outcomes,
    })
  }
}

/** What this server is to the ensemble, as it is told to clients. */
type ServingStanding = Pick<ServerFrameOf<'connected'>, 'role' | 'epoch'>

const attachOf = ({ phase }: Connection): number =>
  phase.phase === 'connecting' ? phase.connect.attach : 0
