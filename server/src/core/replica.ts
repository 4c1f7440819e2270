import {
  type ClientFrame,
  digestAlgorithm,
  type Epoch,
  limits,
  nextZxid,
  type ServerId,
  type Zxid,
} from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { assert, assertNever } from './assert.js'
import type { ReplicaConfig } from './config.js'
import type { Effect, RoleName, SnapshotView, Trace } from './effect.js'
import type { ClientFrameInput, ConnectionId, Input, Tick } from './input.js'
import { LogReads } from './log-reads.js'
import { Attaching } from './pipeline/attaching.js'
import type { Connection } from './pipeline/connection.js'
import { Connections } from './pipeline/connections.js'
import { Leadership, numbersSpent } from './pipeline/leadership.js'
import type { Applied } from './pipeline/replicated-state.js'
import { Serving } from './pipeline/serving.js'
import { TurnBudget } from './pipeline/turn-budget.js'
import { Watching } from './pipeline/watching.js'
import type { Recovered } from './recovery.js'
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
  #leadership: Leadership | null = null
  #tick: Tick = { input: 'tick', nowMs: 0, wallMs: 0 }
  #leaderlessSinceMs: number | null = null
  #hasSpace = true
  #isShuttingDown = false
  #snapshot: { view: SnapshotView | null; lastZxid: Zxid }

  constructor(config: ReplicaConfig, recovered: Recovered) {
    this.#config = config
    this.#recovered = recovered
    const { state, history, hardState, epochs } = recovered
    this.#logReads = new LogReads(history)
    this.#watching = new Watching(state, history, this.#logReads, this.#connections)
    this.#attaching = new Attaching(config, state, this.#connections)
    this.#serving = new Serving(state, this.#connections, this.#watching, this.#budget)
    const lastApplied = state.lastApplied.zxid
    this.#snapshot = { view: null, lastZxid: lastApplied }
    const host: ZabHost = {
      apply: (txn) => this.#apply(txn),
      roundConfirmed: (round) => this.#roundConfirmed(round),
      roleChanged: (role) => this.#roleChanged(role),
      trace: (trace) => this.#trace(trace),
    }
    this.#zab = new Zab(config, { hardState, epochs, lastApplied }, history, host)
  }

  get status(): ReplicaStatus {
    const { state } = this.#recovered
    return {
      serverId: this.#config.serverId,
      role: this.#zab.role,
      epoch: this.#zab.epoch,
      leader: this.#zab.leader,
      zxid: state.lastApplied.zxid,
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
    return this.#openLeadership !== null
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
        this.#snapshot = { ...this.#snapshot, view: null }
        return
      case 'hashed':
        return this.#serving.hashed(input.ticket, input.hash)
      case 'diskSpace':
        this.#hasSpace = input.ok
        return this.#leadership?.diskSpace(input.ok)
      case 'shutdown':
        return this.#onShutdown()
      default:
        return assertNever(input)
    }
  }

  /** All that must happen now, coalesced over the inputs since the last drain. */
  drain(): readonly Effect[] {
    this.#leadership?.beforeDrain()
    const outward = this.#zab.drain()
    this.#watching.replay()
    this.#connections.resume()
    this.#beginSnapshot()
    const clients = this.#connections.drain()
    this.#pumpReady()
    this.#budget.renew((connection) => this.#serving.pump(connection))
    const again: Effect[] = this.#hasMore() ? [{ effect: 'again' }] : []
    return [...outward, ...this.#logReads.drain(), ...clients, ...again]
  }

  /** The txn is committed. Events, then its reply, then the reads behind it. */
  #apply(txn: Txn): void {
    const { state, history } = this.#recovered
    const applied = state.apply(txn)
    history.applied(txn.zxid)
    this.#leadership?.applied(applied)
    this.#watching.trigger(txn)
    this.#serving.applied(applied)
    this.#attaching.applied(applied, this.#leadership)
    this.#tell(applied)
  }

  #roundConfirmed(round: number): void {
    const { role, epoch } = this.#zab
    assert(role !== 'looking', 'rounds are confirmed in an established leadership')
    if (this.#leadership !== null) {
      this.#attaching.confirmed(round, this.#leadership, { role, epoch })
    }
    this.#serving.confirmed(round)
  }

  #roleChanged(role: RoleName): void {
    this.#leadership = null
    this.#attaching.restart()
    if (role === 'leading') {
      this.#lead()
      return
    }
    this.#leaderlessSinceMs = this.#tick.nowMs
    this.#serving.lead(null)
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
      propose: (proposal: Omit<Txn, 'zxid' | 'epoch'>) => zab.propose(proposal),
      startRound: () => zab.startRound(),
    }
    const start = { tick: this.#tick, hasSpace: this.#hasSpace }
    this.#leadership = new Leadership(state, broadcast, start)
    const { zxid } = state.lastApplied
    if (zxid >= limits.zxidMax - limits.zxidsForSessions) this.#tellSpent(zxid)
    if (state.ensembleId === null) {
      this.#leadership.createEnsemble(this.#config.newEnsembleId, digestAlgorithm)
    } else {
      this.#open()
    }
  }

  /** There is a leader and an ensemble: clients are served. */
  #open(): void {
    const leadership = this.#leadership
    if (leadership === null) return
    this.#leaderlessSinceMs = null
    this.#serving.lead(leadership)
    for (const connection of this.#connections.values()) {
      this.#attaching.proceed(connection, leadership)
    }
  }

  #tell({ txn, ended }: Applied): void {
    const { body, zxid } = txn
    if (zxid === limits.zxidMax - limits.zxidsForSessions) this.#tellSpent(zxid)
    if (body.body === 'createEnsemble') {
      const { ensembleId } = body
      this.#zab.ensembleIdLearned(ensembleId)
      this.#trace({ trace: 'ensembleCreated', ensembleId })
      this.#open()
    }
    if (body.body === 'createSession') {
      const { sessionTimeoutMs } = body
      const sessionId = zxid as number as Extract<Trace, { trace: 'sessionCreated' }>['sessionId']
      this.#trace({ trace: 'sessionCreated', sessionId, sessionTimeoutMs })
    }
    if (body.body === 'write' && txn.sessionId === 0) {
      for (const change of body.changes) {
        if (change.change === 'delete') this.#trace({ trace: 'reaped', path: change.path })
      }
    }
    if (ended !== null && body.body === 'closeSession') {
      const { sessionId, expired } = ended
      const ephemerals = body.changes.length
      this.#trace({ trace: 'sessionClosed', sessionId, expired, ephemerals })
    }
  }

  #tellSpent(zxid: Zxid): void {
    this.#trace({ trace: 'zxidsSpent', zxid, advice: numbersSpent.message })
  }

  #onTick(tick: Tick): void {
    this.#tick = tick
    this.#leaderlessSinceMs ??= this.#leadership === null ? tick.nowMs : null
    this.#leadership?.tick(tick)
    this.#zab.tick(tick.nowMs)
    const isAlone =
      this.#leaderlessSinceMs !== null && tick.nowMs - this.#leaderlessSinceMs >= limits.noQuorumMs
    for (const connection of this.#connections.values()) {
      const { phase } = connection
      if (phase.phase === 'greeting' && tick.nowMs - phase.sinceMs >= limits.firstFrameMs) {
        this.#connections.close(connection, 'timeout')
      } else if (isAlone && phase.phase !== 'greeting') {
        this.#connections.close(connection, 'noQuorum')
      }
      // It cannot be heard for a reason that is not its own.
      if (connection.paused === 'serverLoad') this.#leadership?.touch(connection.sessionId)
    }
  }

  #onClientOpened(id: ConnectionId, address: string): void {
    this.#connections.open(id, address, this.#tick.nowMs)
    const connection = this.#connections.get(id)
    if (this.#isShuttingDown && connection !== undefined) {
      this.#connections.close(connection, 'shutdown')
    }
  }

  #onClientFrame({ connection: id, frame, bytes }: ClientFrameInput): void {
    const connection = this.#connections.get(id)
    if (connection === undefined || connection.phase.phase === 'closed') return
    if (frame.frame === 'probe') return this.#onProbe(connection, frame.id)
    this.#leadership?.touch(connection.sessionId)
    if (connection.phase.phase === 'attached') this.#onSessionFrame(connection, frame, bytes)
    else if (frame.frame === 'connect' && connection.phase.phase === 'greeting') {
      this.#attaching.connect(connection, frame, this.#openLeadership)
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
    switch (frame.frame) {
      case 'request':
        // What has no answer when the connection closes is sent again to another server.
        return this.#isShuttingDown ? undefined : this.#serving.request(connection, frame, bytes)
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
    this.#isShuttingDown = true
    for (const connection of this.#connections.values()) {
      if (connection.started === 0) this.#connections.close(connection, 'shutdown')
    }
  }

  /** The leadership that clients may ask: not before there is an ensemble. */
  get #openLeadership(): Leadership | null {
    return this.#recovered.state.ensembleId === null ? null : this.#leadership
  }

  /** Goes on where an answer was too much for the last outbox. */
  #pumpReady(): void {
    for (const connection of this.#connections.takeBlocked()) this.#serving.pump(connection)
    if (!this.#isShuttingDown) return
    this.#onShutdown()
  }

  #hasMore(): boolean {
    const isBehind = this.#leadership?.isBehind === true || this.#zab.hasOutput
    return isBehind || this.#connections.hasOutput || this.#watching.isReplaying
  }

  /** Only of what is durable in the own log. */
  #beginSnapshot(): void {
    const { state } = this.#recovered
    const { zxid } = state.lastApplied
    const isDue = zxid - this.#snapshot.lastZxid >= this.#config.snapshotTxns
    const isDurable = this.#zab.durable.zxid >= zxid
    if (!isDue || !isDurable || this.#snapshot.view !== null) return
    const view = state.snapshot(this.#zab.epochsUpTo(zxid))
    this.#snapshot = { view, lastZxid: zxid }
    this.#connections.effect({ effect: 'saveSnapshot', view })
    this.#trace({ trace: 'snapshotStarted', zxid })
  }
}

/** For people and metrics. */
export interface ReplicaStatus {
  readonly serverId: ServerId
  readonly role: RoleName
  readonly epoch: Epoch
  readonly leader: ServerId | null
  /** Of the last txn applied. */
  readonly zxid: Zxid
  readonly ensembleId: string | null
  readonly digest: string
  readonly znodes: number
  readonly sessions: number
  readonly connections: number
  readonly watches: number
  readonly streams: number
}
