import {
  type ClientFrame,
  type CloseReason,
  digestAlgorithm,
  limits,
  nextZxid,
  type ServerId,
} from '@conclave/protocol'
import type { PeerFrameOf, Txn } from '@conclave/protocol/peer'
import { assert, assertNever } from './assert.js'
import type { ReplicaConfig } from './config.js'
import type { Effect, RoleName, Trace } from './effect.js'
import type { ClientFrameInput, ConnectionId, Input, Tick } from './input.js'
import { LogReads } from './log-reads.js'
import { Attaching } from './pipeline/attaching.js'
import type { Connection } from './pipeline/connection.js'
import { Connections } from './pipeline/connections.js'
import { LeaderAccess, type PeerPort } from './pipeline/leader-access.js'
import type { Confirmation, LeaderAnswers } from './pipeline/leader-port.js'
import { Leadership } from './pipeline/leadership.js'
import type { Applied } from './pipeline/replicated-state.js'
import { Serving } from './pipeline/serving.js'
import { tracesOf, zxidsSpent } from './pipeline/traces.js'
import { TurnBudget } from './pipeline/turn-budget.js'
import { Watching } from './pipeline/watching.js'
import type { Recovered } from './recovery.js'
import type { ReplicaStatus } from './replica-status.js'
import { SnapshotSchedule } from './snapshot-schedule.js'
import { Zab, type ZabHost } from './zab/zab.js'

/**
 * One server of an ensemble, without its body: inputs go in by {@link step}, and {@link drain}
 * hands over all that must happen now. Same inputs, same effects; no clock, no I/O, no dice.
 */
export class Replica {
  readonly #config: ReplicaConfig
  readonly #recovered: Recovered
  readonly #zab: Zab
  readonly #connections = new Connections()
  readonly #budget = new TurnBudget()
  readonly #logReads: LogReads
  readonly #watching: Watching
  readonly #attaching: Attaching
  readonly #serving: Serving
  readonly #snapshots: SnapshotSchedule
  readonly #leaders: LeaderAccess
  #tick: Tick = { input: 'tick', nowMs: 0, wallMs: 0 }
  #leaderlessSinceMs: number | null = null
  /** Since when; null while nobody has asked for it. */
  #shutdownMs: number | null = null
  #hasRetired = false

  constructor(config: ReplicaConfig, recovered: Recovered) {
    this.#config = config
    this.#recovered = recovered
    const { state, history, hardState, epochs } = recovered
    this.#logReads = new LogReads(history)
    this.#watching = new Watching(state, history, this.#logReads, this.#connections)
    this.#attaching = new Attaching(config, state, this.#connections)
    this.#serving = new Serving(state, this.#connections, this.#watching, this.#budget)
    this.#leaders = new LeaderAccess(this.#peers(), this.#budget, this.#leaderAnswers())
    const lastApplied = state.lastApplied.zxid
    this.#snapshots = new SnapshotSchedule(config.snapshotTxns, lastApplied)
    const host: ZabHost = {
      apply: (txn) => this.#apply(txn),
      roundConfirmed: (round) => this.#leaders.roundConfirmed(round),
      roleChanged: (role) => this.#roleChanged(role),
      snapshotWanted: () => this.#snapshots.want(),
      resync: () => this.#closeAll('resync'),
      asked: (from, frame) => this.#onAsked(from, frame),
      answered: (frame) => this.#leaders.answered(frame, state.lastApplied.zxid),
      learnerLost: (learner) => this.#leaders.learnerLost(learner),
      trace: (trace) => this.#trace(trace),
    }
    this.#zab = new Zab(config, { hardState, epochs, lastApplied }, history, this.#logReads, host)
  }

  get status(): ReplicaStatus {
    const { state } = this.#recovered
    return {
      serverId: this.#config.serverId,
      role: this.#zab.role,
      epoch: this.#zab.epoch,
      leader: this.#zab.leader,
      zxid: state.lastApplied.zxid,
      committed: this.#zab.lastCommitted,
      ensembleId: state.ensembleId,
      digest: state.digest,
      znodes: state.tree.size,
      sessions: state.sessions.size,
      connections: this.#connections.size,
      watches: this.#watching.watches,
      streams: this.#watching.streams,
    }
  }

  /** There is a leader and an ensemble, so that clients get answers. */
  get isServing(): boolean {
    return this.#recovered.state.ensembleId !== null && this.#leaders.port !== null
  }

  step(input: Input): void {
    switch (input.input) {
      case 'tick':
        return this.#onTick(input)
      case 'clientFrame':
        return this.#onClientFrame(input)
      case 'clientOpened':
        return this.#onClientOpened(input.connection, input.address)
      case 'clientLost':
        return this.#onClientLost(input.connection)
      case 'clientCongested':
        return this.#onCongested(input.connection, input.congested)
      case 'persisted':
        this.#zab.persisted(input.ticket)
        return this.#recovered.history.durable(this.#zab.durable.zxid)
      case 'logPiece':
        return this.#logReads.piece(input.ticket, input.txns)
      case 'peerOpened':
        return this.#zab.peerOpened(input)
      case 'peerFrame':
        return this.#zab.peerFrame(input)
      case 'peerLost':
        return this.#zab.peerLost(input)
      case 'snapshotEnded':
        this.#snapshots.ended()
        return this.#zab.snapshotEnded(input.zxid !== null)
      case 'snapshotPiece':
        return this.#zab.snapshotPiece(input)
      case 'snapshotStored':
        return this.#zab.snapshotStored(input)
      case 'hashed':
        return this.#serving.hashed(input.ticket, input.hash)
      case 'diskSpace':
        this.#zab.diskSpace(input.ok)
        return this.#leaders.leadership?.diskSpace(this.#zab.hasSpace)
      case 'shutdown':
        return this.#onShutdown()
      default:
        return assertNever(input)
    }
  }

  /** All that must happen now, coalesced over the inputs since the last drain. */
  drain(): readonly Effect[] {
    for (const connection of this.#connections.takeUntold()) {
      this.#attaching.resume(connection)
      this.#serving.pump(connection)
    }
    if (this.#shutdownMs === null) this.#serving.renew()
    this.#leaders.beforeDrain()
    const outward = this.#zab.drain()
    this.#watching.replay()
    this.#connections.resume()
    this.#beginSnapshot()
    const clients = this.#connections.drain()
    this.#pumpReady()
    this.#budget.renew()
    const retired = this.#retire()
    const again: Effect[] = this.#hasMore() ? [{ effect: 'again' }] : []
    return [...outward, ...this.#logReads.drain(), ...clients, ...retired, ...again]
  }

  /** The txn is committed. Events, then its reply, then the reads behind it. */
  #apply(txn: Txn): void {
    const { state, history } = this.#recovered
    const applied = state.apply(txn)
    history.applied(txn.zxid)
    if (txn.zxid % limits.digestTxns === 0) this.#zab.stateAt(txn.zxid, state.digest)
    this.#leaders.applied(applied)
    this.#watching.trigger(txn)
    this.#serving.applied(applied)
    this.#attaching.applied(applied)
    this.#tell(applied)
    this.#leaders.settled(txn.zxid)
  }

  /** A leader that hands over takes nothing new: what has no answer is asked of the next one. */
  #onAsked(from: ServerId, frame: PeerFrameOf<'ask'>): void {
    if (this.#shutdownMs === null) this.#leaders.asked(from, frame)
  }

  #peers(): PeerPort {
    return {
      toLeader: (asks) => this.#zab.toLeader(asks),
      toLearner: (learner, frame) => this.#zab.toLearner(learner, frame),
    }
  }

  #leaderAnswers(): LeaderAnswers {
    return {
      decided: (write, decision) => this.#serving.decided(write, decision),
      confirmed: (confirmation) => this.#confirmed(confirmation),
      creationRefused: (nonceHash, reason) => this.#attaching.creationRefused(nonceHash, reason),
      moved: (sessionId, attach) => this.#attaching.moved(sessionId, attach),
    }
  }

  #confirmed(confirmation: Confirmation): void {
    const { role, epoch } = this.#zab
    assert(role !== 'looking', 'rounds are confirmed in an established leadership')
    this.#attaching.confirmed(confirmation, { role, epoch })
    this.#serving.confirmed(confirmation)
  }

  #roleChanged(role: RoleName): void {
    this.#leaders.drop()
    this.#connections.changeLeader()
    this.#attaching.lead(null)
    this.#serving.lead(null)
    if (role === 'looking') this.#leaderlessSinceMs = this.#tick.nowMs
    else if (role === 'leading') this.#lead()
    else this.#follow()
  }

  #trace(trace: Trace): void {
    this.#connections.effect({ effect: 'trace', trace })
  }

  #lead(): void {
    const { state, history } = this.#recovered
    const zab = this.#zab
    const broadcast = {
      get nextZxid() {
        return nextZxid(history.last.zxid)
      },
      get lastCommitted() {
        return zab.lastCommitted
      },
      propose: (proposal: Omit<Txn, 'zxid' | 'epoch'>) => zab.propose(proposal),
      startRound: () => zab.startRound(),
      trace: (trace: Trace) => this.#trace(trace),
    }
    const start = { tick: this.#tick, hasSpace: zab.hasSpace }
    const leadership = new Leadership(state, broadcast, this.#budget, start)
    this.#leaders.lead(leadership)
    const { zxid } = state.lastApplied
    if (zxid >= limits.zxidMax - limits.zxidsForSessions) this.#trace(zxidsSpent(zxid))
    if (state.ensembleId === null) {
      leadership.createEnsemble(this.#config.newEnsembleId, digestAlgorithm)
    } else {
      this.#open()
    }
  }

  #closeAll(reason: CloseReason): void {
    for (const connection of this.#connections.values()) this.#connections.close(connection, reason)
  }

  #follow(): void {
    this.#leaders.follow()
    this.#open()
  }

  /** There is a leader and an ensemble: clients are served. */
  #open(): void {
    const { port } = this.#leaders
    if (port === null || this.#recovered.state.ensembleId === null) return
    this.#leaderlessSinceMs = null
    this.#connections.changeLeader()
    this.#attaching.lead(port)
    this.#serving.lead(port)
  }

  #tell(applied: Applied): void {
    for (const trace of tracesOf(applied)) this.#trace(trace)
    const { body } = applied.txn
    if (body.body !== 'createEnsemble') return
    this.#zab.ensembleIdLearned(body.ensembleId)
    this.#open()
  }

  #onTick(tick: Tick): void {
    this.#tick = tick
    const { port, leadership } = this.#leaders
    this.#leaderlessSinceMs ??= port === null ? tick.nowMs : null
    leadership?.tick(tick)
    const keepsUp = this.#leaders.tick(tick.nowMs, this.#recovered.state.lastApplied.zxid)
    this.#zab.tick(tick.nowMs)
    leadership?.diskSpace(this.#zab.hasSpace)
    leadership?.divided(this.#zab.isDivided)
    const leaderlessMs = tick.nowMs - (this.#leaderlessSinceMs ?? tick.nowMs)
    const isLeft = leaderlessMs >= limits.noQuorumMs || !keepsUp
    for (const connection of this.#connections.values()) {
      const { phase } = connection
      if (phase.phase === 'greeting' && tick.nowMs - phase.sinceMs >= limits.firstFrameMs) {
        this.#connections.close(connection, 'timeout')
      } else if (isLeft && phase.phase !== 'greeting') {
        this.#connections.close(connection, 'noQuorum')
      }
      // It cannot be heard for a reason that is not its own.
      if (connection.paused === 'serverLoad') this.#leaders.port?.touch(connection.sessionId)
    }
  }

  #onClientOpened(id: ConnectionId, address: string): void {
    this.#connections.open(id, address, this.#tick.nowMs)
    const connection = this.#connections.get(id)
    const isTooLate = this.#shutdownMs !== null && connection !== undefined
    if (isTooLate) this.#connections.close(connection, 'shutdown')
  }

  #onClientFrame({ connection: id, frame, bytes }: ClientFrameInput): void {
    const connection = this.#connections.get(id)
    if (connection === undefined || connection.phase.phase === 'closed') return
    if (frame.frame === 'probe') return this.#onProbe(connection, frame.id)
    if (connection.phase.phase === 'attached') this.#onSessionFrame(connection, frame, bytes)
    else if (frame.frame === 'connect' && connection.phase.phase === 'greeting') {
      this.#attaching.connect(connection, frame)
    } else this.#connections.close(connection, 'badFrame')
  }

  /** "Are you there?" is answered in any role, and extends nothing. */
  #onProbe(connection: Connection, id: number): void {
    if (connection.phase.phase === 'greeting') this.#connections.close(connection, 'badFrame')
    else this.#connections.send(connection.id, { frame: 'probed', id })
  }

  #onSessionFrame(
    connection: Connection,
    frame: Exclude<ClientFrame, { frame: 'probe' }>,
    bytes: number,
  ): void {
    this.#leaders.port?.touch(connection.sessionId)
    switch (frame.frame) {
      case 'request':
        // What has no answer when the connection closes is sent again to another server.
        if (this.#shutdownMs !== null) return
        return this.#serving.request(connection, frame, bytes)
      case 'ack':
        return this.#serving.acked(connection, frame.ackedXid)
      case 'ping':
        return this.#serving.ping(connection, frame)
      case 'connect':
        return this.#connections.close(connection, 'badFrame')
      default:
        return assertNever(frame)
    }
  }

  #onClientLost(id: ConnectionId): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    this.#watching.forget(id)
    this.#attaching.lost(connection)
    this.#connections.lost(connection)
  }

  #onCongested(id: ConnectionId, congested: boolean): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    connection.isCongested = congested
    this.#serving.pump(connection)
  }

  /**
   * What was started is answered. The rest, a write that is held for acknowledgements and all that
   * is behind it, never runs here: its client is told of the shutdown and sends it again.
   */
  #onShutdown(): void {
    this.#shutdownMs ??= this.#tick.nowMs
    for (const connection of this.#connections.values()) {
      if (connection.started === 0) this.#connections.close(connection, 'shutdown')
    }
  }

  /** Goes on where an answer was too much for the last outbox. */
  #pumpReady(): void {
    for (const connection of this.#connections.takeBlocked()) this.#serving.pump(connection)
    if (this.#shutdownMs !== null) this.#onShutdown()
  }

  /** Leadership ends when nothing is owed to clients, or when that takes too long. */
  #retire(): readonly Effect[] {
    if (this.#shutdownMs === null || this.#hasRetired) return []
    const isLate = this.#tick.nowMs - this.#shutdownMs > limits.handoverMsMax
    if (isLate || this.#connections.areClosed) this.#zab.retire()
    this.#hasRetired = this.#zab.hasRetired
    return this.#hasRetired ? [{ effect: 'retired' }] : []
  }

  #hasMore(): boolean {
    const isBehind = this.#leaders.hasOutput || this.#zab.hasOutput
    const { hasOutput, writes } = this.#connections
    const isStarting = writes.isOpen && this.#shutdownMs === null
    return isBehind || hasOutput || isStarting || this.#watching.isReplaying
  }

  #beginSnapshot(): void {
    const { state } = this.#recovered
    if (!this.#snapshots.isDue(state.lastApplied, this.#zab.durable)) return
    const { zxid } = state.lastApplied
    const view = state.snapshot(this.#zab.epochsUpTo(zxid))
    this.#snapshots.begun(zxid)
    this.#connections.effect({ effect: 'saveSnapshot', view })
    this.#trace({ trace: 'snapshotStarted', zxid })
  }
}
