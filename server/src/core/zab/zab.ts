import { type Epoch, limits, type LogPosition, type ServerId, type Zxid } from '@conclave/protocol'
import type { Ask, EpochStart, PeerFrameOf, Txn } from '@conclave/protocol/peer'
import { assert, assertNever } from '../assert.js'
import type { ReplicaConfig } from '../config.js'
import type { Effect, RoleName } from '../effect.js'
import type { Input, PeerFrameInput, Ticket } from '../input.js'
import { Clock, type Context, type Departure } from './context.js'
import { Delivery } from './delivery.js'
import { DigestBook } from './digests.js'
import { Election } from './election.js'
import { Journal } from './journal.js'
import { Leader } from './leader.js'
import { Learner } from './learner.js'
import { Notices } from './notices.js'
import { Outbox } from './outbox.js'
import type { LogReader, TxnLog, ZabHost, ZabRecovery } from './ports.js'
import { quorumHighest } from './quorum.js'
import { notificationOf, type Role, type Standing, standingOf } from './role.js'
import { SnapshotFiles } from './snapshot-files.js'

export type { LogReader, TxnLog, ZabHost, ZabRecovery } from './ports.js'

/**
 * ZAB for one server. Disk, links and time outlive the roles; everything that belongs to one
 * leadership lives in the role's own object and is dropped with it.
 */
export class Zab {
  readonly #context: Context
  readonly #notices: Notices
  /** The last attempt to join that each peer made on its present link, also one made too early. */
  readonly #followerInfos = new Map<ServerId, PeerFrameOf<'followerInfo'>>()
  #role: Role = { role: 'looking', election: null }
  #announced: Standing
  #joins = 0
  #notifiedMs = 0
  #retiringSinceMs: number | null = null
  /** Why all history is being given up. */
  #forgettingWhy: string | null = null

  constructor(
    config: ReplicaConfig,
    recovery: ZabRecovery,
    log: TxnLog,
    logReader: LogReader,
    host: ZabHost,
  ) {
    const members = [...config.voters, ...config.observers]
    assert(members.includes(config.serverId), 'a server is a voter or an observer')
    const clock = new Clock(2 * limits.tickMs)
    const journal = new Journal(log, recovery)
    const delivery = new Delivery(journal, host, recovery.lastApplied)
    const outbox = new Outbox()
    const snapshots = new SnapshotFiles()
    const disk = { hasSpace: true }
    const digests = new DigestBook()
    this.#context = {
      config,
      host,
      journal,
      logReader,
      snapshots,
      delivery,
      outbox,
      clock,
      disk,
      digests,
    }
    this.#notices = new Notices(clock)
    this.#announced = this.#standing()
  }

  /** 'leading' and 'following' only while the leadership is established and history is shared. */
  get role(): RoleName {
    return this.#standing().role
  }

  /** Of the established leadership; while looking, of the last one. */
  get epoch(): Epoch {
    return this.#standing().epoch
  }

  get leader(): ServerId | null {
    return this.#standing().leader
  }

  get lastCommitted(): Zxid {
    return this.#context.delivery.lastCommitted
  }

  /** The log is durable here up to and including this record. */
  get durable(): LogPosition {
    return this.#context.journal.durable
  }

  /** What a snapshot at `zxid` says about epochs. */
  epochsUpTo(zxid: Zxid): readonly EpochStart[] {
    return this.#context.journal.epochs.upTo(zxid)
  }

  tick(nowMs: number): void {
    const { clock } = this.#context
    clock.tick(nowMs)
    switch (this.#role.role) {
      case 'looking':
        break
      case 'following':
        this.#departIf(this.#role.learner.tick())
        break
      case 'leading':
        this.#departIf(this.#role.leader.tick())
        break
      default:
        assertNever(this.#role)
    }
    const isDue = clock.nowMs - this.#notifiedMs >= limits.heartbeatMs
    if (isDue && this.role === 'looking') this.#notifyAll()
    this.#announce()
  }

  peerOpened({ from, link }: Extract<Input, { input: 'peerOpened' }>): void {
    const { config, host, outbox } = this.#context
    const members = [...config.voters, ...config.observers]
    if (from === config.serverId || !members.includes(from)) {
      host.trace({ trace: 'peerRefused', from, why: 'it is no other server of this ensemble' })
      return
    }
    if (outbox.linkTo(from) !== undefined) this.#lose(from)
    outbox.opened(from, link)
    outbox.send(from, this.#notification())
    this.#announce()
  }

  peerFrame({ from, link, frame }: PeerFrameInput): void {
    if (this.#context.outbox.linkTo(from) !== link) return
    if (frame.frame === 'followerInfo') this.#followerInfos.set(from, frame)
    const role = this.#role
    switch (role.role) {
      case 'looking':
        break
      case 'following':
        if (from === role.learner.leader) this.#departIf(role.learner.frame(frame))
        break
      case 'leading':
        this.#departIf(role.leader.frame(from, frame))
        break
      default:
        assertNever(role)
    }
    // Afterwards: when it ends the role, what was heard before of this peer is forgotten.
    if (frame.frame === 'notification') this.#hear(from, frame)
    this.#announce()
  }

  peerLost({ from, link }: Extract<Input, { input: 'peerLost' }>): void {
    if (this.#context.outbox.linkTo(from) !== link) return
    this.#lose(from)
    this.#announce()
  }

  persisted(ticket: Ticket): void {
    const { journal, snapshots } = this.#context
    journal.persisted(ticket)
    if (this.#forgettingWhy !== null && journal.isIdle) snapshots.restart(this.#forgettingWhy)
    switch (this.#role.role) {
      case 'looking':
        break
      case 'following':
        this.#role.learner.persisted()
        break
      case 'leading':
        this.#role.leader.persisted()
        break
      default:
        assertNever(this.#role)
    }
    this.#announce()
  }

  /** The own disk is full, or no longer is. */
  diskSpace(ok: boolean): void {
    this.#context.disk.hasSpace = ok
    this.#notifyAll()
  }

  /** Whether what is written now can be logged: of a leader, by a quorum. */
  get hasSpace(): boolean {
    return this.#role.role === 'leading' ? this.#role.leader.hasSpace : this.#context.disk.hasSpace
  }

  /** The state has this digest with the txn at `zxid` applied; every 128 txns are compared. */
  stateAt(zxid: Zxid, digest: string): void {
    this.#context.digests.note(zxid, digest)
  }

  /** The voters' states differ and none is that of a majority: nobody may build on any of them. */
  get isDivided(): boolean {
    return this.#role.role === 'leading' && this.#role.leader.isDivided
  }

  snapshotPiece({ ticket, piece }: Extract<Input, { input: 'snapshotPiece' }>): void {
    this.#context.snapshots.piece(ticket, piece)
  }

  snapshotStored({ ticket, ok }: Extract<Input, { input: 'snapshotStored' }>): void {
    const { snapshots } = this.#context
    snapshots.stored(ticket, ok)
    if (!snapshots.isIdle || this.#role.role !== 'following') return
    this.#departIf(this.#role.learner.pieceStored(ok))
    this.#announce()
  }

  /** The replica has saved a snapshot, or given one up. */
  snapshotEnded(isSaved: boolean): void {
    if (this.#role.role === 'leading') this.#role.leader.snapshotEnded(isSaved)
  }

  /** Established leader only. The txn is in the log when this returns, and durable nowhere. */
  propose(proposal: Omit<Txn, 'zxid' | 'epoch'>): Txn {
    return this.#leadership().propose(proposal)
  }

  /**
   * Established leader only. `host.roundConfirmed` with this number or a higher one proves that
   * this server was still the leader after this call. It never comes if the leadership ends.
   */
  startRound(): number {
    return this.#leadership().startRound()
  }

  /** From now on it neither leads, once what it has proposed is settled, nor stands nor votes. */
  retire(): void {
    this.#retiringSinceMs ??= this.#context.clock.nowMs
    if (this.#role.role === 'looking') this.#role = { role: 'looking', election: null }
  }

  get hasRetired(): boolean {
    return this.#retiringSinceMs !== null && this.#role.role !== 'leading'
  }

  /** Up-to-date follower only: what its clients ask of the leader. */
  toLeader(asks: readonly Ask[]): void {
    assert(this.#role.role === 'following', 'only a follower asks')
    this.#role.learner.ask(asks)
  }

  /** Established leader only: answers a learner in the epoch and the join in which it asked. */
  toLearner(learner: ServerId, frame: PeerFrameOf<'answer'>): void {
    this.#context.outbox.send(learner, frame)
  }

  /** Txn 1 was applied: the data directory is tied to its ensemble from now on. */
  ensembleIdLearned(ensembleId: string): void {
    const { journal } = this.#context
    if (journal.hardState.ensembleId !== ensembleId) journal.save({ ensembleId })
  }

  /** What was asked for since the last drain: at most one persist, at most one send a peer. */
  drain(): readonly Effect[] {
    const { clock, delivery, journal, outbox, snapshots } = this.#context
    delivery.endTurn()
    this.#departIf(this.#handover())
    this.#look()
    this.#announce()
    if (this.#role.role === 'following') this.#role.learner.beforeDrain()
    if (this.#role.role === 'leading') this.#role.leader.beforeDrain()
    const persist = journal.drain(delivery.lastCommitted, clock.nowMs)
    return [...(persist === null ? [] : [persist]), ...outbox.drain(), ...snapshots.drain()]
  }

  /** True when a drain would do more than nothing: something was asked for since the last one. */
  get hasOutput(): boolean {
    const { delivery, journal, snapshots } = this.#context
    if (delivery.isBehind || journal.hasOutput || snapshots.hasOutput) return true
    if (this.#handover() !== null) return true
    return this.#role.role === 'leading' && this.#role.leader.hasOutput
  }

  #leadership(): Leader {
    assert(this.#role.role === 'leading', 'only a leader is asked to lead')
    return this.#role.leader
  }

  #hear(from: ServerId, frame: PeerFrameOf<'notification'>): void {
    this.#notices.hear(from, frame)
    // Whoever looks is told by the others where the leader is.
    const isAnswered = frame.state === 'looking' && this.role !== 'looking'
    if (isAnswered) this.#context.outbox.send(from, this.#notification())
  }

  #lose(from: ServerId): void {
    this.#context.outbox.lost(from)
    this.#notices.forget(from)
    this.#followerInfos.delete(from)
    if (this.#role.role === 'following' && this.#role.learner.leader === from) {
      this.#departIf({ from, why: 'the link to the leader was lost' })
    } else if (this.#role.role === 'leading') {
      this.#departIf(this.#role.leader.peerLost(from))
    }
  }

  /**
   * Votes, once the disk has come to rest: before that its last zxid may still turn out lower.
   * Done once a turn, after all that was heard in it.
   */
  #look(): void {
    const { clock, journal, snapshots } = this.#context
    const isAtRest = journal.isIdle && snapshots.isIdle
    const isLeaving = this.#retiringSinceMs !== null || this.#forgettingWhy !== null
    if (this.#role.role !== 'looking' || !clock.isRunning || !isAtRest || isLeaving) return
    const isFirstVote = this.#role.election === null
    const election = this.#role.election ?? new Election(this.#context, this.#notices)
    this.#role = { role: 'looking', election }
    const before = election.vote
    const decision = election.decide({ mayVote: !this.#isSpared })
    if (isFirstVote || election.vote !== before) this.#notifyAll()
    if (decision === null) return
    if (decision.decision === 'follow') {
      this.#joins += 1
      const learner = new Learner(this.#context, decision.leader, this.#joins)
      this.#role = { role: 'following', learner, offer: election.offer }
      this.#notifyAll()
      return
    }
    const leader = new Leader(this.#context, election.offer, this.#followerInfos)
    this.#role = { role: 'leading', leader, offer: election.offer }
  }

  /** Its disk is full, and a quorum of the others can do without it. */
  get #isSpared(): boolean {
    const { config, disk } = this.#context
    if (disk.hasSpace) return false
    const heard = this.#notices.heard()
    const others = config.voters.map((voter) => (heard.get(voter)?.hasSpace === true ? 1 : 0))
    return quorumHighest(others) > 0
  }

  /** The others learn of it at once, not by silence. */
  #handover(): Departure | null {
    if (this.#retiringSinceMs === null || this.#role.role !== 'leading') return null
    const isLate = this.#context.clock.nowMs - this.#retiringSinceMs > limits.handoverMsMax
    return this.#role.leader.isSettled || isLate
      ? { from: null, why: 'it hands its leadership over' }
      : null
  }

  /** Leaves the role; whom to follow then is decided when the turn ends. */
  #departIf(departure: Departure | null): void {
    if (departure === null || this.#role.role === 'looking') return
    const { host, outbox } = this.#context
    const { from, why } = departure
    if (from !== null) {
      host.trace({ trace: 'peerRefused', from, why })
      this.#notices.forget(from)
    }
    if (this.#role.role === 'leading') this.#role.leader.end()
    outbox.clear()
    this.#role = { role: 'looking', election: null }
    if (departure.isDiverged === true) {
      this.#forgettingWhy = why
      this.#context.journal.forget()
    }
    this.#notifyAll()
  }

  #announce(): void {
    const before = this.#announced
    const now = this.#standing()
    const isSame =
      now.role === before.role && now.epoch === before.epoch && now.leader === before.leader
    if (isSame) return
    this.#announced = now
    if (now.role === 'looking' && before.role === 'looking') return
    if (now.role !== 'looking') this.#notifyAll()
    const { host } = this.#context
    host.trace({ trace: 'roleChanged', ...now })
    host.roleChanged(now.role, now.epoch, now.leader)
  }

  #standing(): Standing {
    return standingOf(this.#role, this.#context)
  }

  #notifyAll(): void {
    this.#notifiedMs = this.#context.clock.nowMs
    this.#context.outbox.sendAll(this.#notification())
  }

  #notification(): PeerFrameOf<'notification'> {
    return notificationOf(this.#role, this.#context)
  }
}
