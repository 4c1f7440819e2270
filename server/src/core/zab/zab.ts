import {
  type Epoch,
  epochZero,
  limits,
  type LogPosition,
  type ServerId,
  type Zxid,
  zxidZero,
} from '@conclave/protocol'
import type { EpochStart, HardState, PeerFrameOf, Txn } from '@conclave/protocol/peer'
import { assert, assertNever } from '../assert.js'
import type { ReplicaConfig } from '../config.js'
import type { Effect, RoleName } from '../effect.js'
import type { Input, PeerFrameInput, Ticket } from '../input.js'
import { Clock, type Context, type Departure } from './context.js'
import { Delivery } from './delivery.js'
import type { Offer } from './discovery.js'
import { Election } from './election.js'
import { Journal } from './journal.js'
import { Leader } from './leader.js'
import { Learner } from './learner.js'
import { Notices } from './notices.js'
import { Outbox } from './outbox.js'
import type { TxnLog, ZabHost, ZabRecovery } from './ports.js'

export type { TxnLog, ZabHost, ZabRecovery } from './ports.js'

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

  constructor(config: ReplicaConfig, recovery: ZabRecovery, log: TxnLog, host: ZabHost) {
    assert(config.voters.includes(config.serverId), 'a server is among its voters')
    const clock = new Clock(2 * limits.tickMs)
    const journal = new Journal(log, recovery)
    const delivery = new Delivery(journal, host, recovery.lastApplied)
    this.#context = { config, host, journal, delivery, outbox: new Outbox(), clock }
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

  get hardState(): HardState {
    return this.#context.journal.hardState
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
        this.#look()
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
    if (from === config.serverId || !config.voters.includes(from)) {
      host.trace({ trace: 'peerRefused', from, why: 'it is not another voter of this ensemble' })
      return
    }
    if (outbox.linkTo(from) !== undefined) this.#lose(from)
    outbox.opened(from, link)
    outbox.send(from, this.#notification())
    this.#announce()
  }

  peerFrame({ from, link, frame }: PeerFrameInput): void {
    if (this.#context.outbox.linkTo(from) !== link) return
    if (frame.frame === 'notification') this.#hear(from, frame)
    if (frame.frame === 'followerInfo') this.#followerInfos.set(from, frame)
    const role = this.#role
    switch (role.role) {
      case 'looking':
        if (frame.frame === 'notification') this.#look()
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
    this.#announce()
  }

  peerLost({ from, link }: Extract<Input, { input: 'peerLost' }>): void {
    if (this.#context.outbox.linkTo(from) !== link) return
    this.#lose(from)
    this.#announce()
  }

  persisted(ticket: Ticket): void {
    this.#context.journal.persisted(ticket)
    switch (this.#role.role) {
      case 'looking':
        this.#look()
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

  /** Txn 1 was applied: the data directory is tied to its ensemble from now on. */
  ensembleIdLearned(ensembleId: string): void {
    const { journal } = this.#context
    if (journal.hardState.ensembleId !== ensembleId) journal.save({ ensembleId })
  }

  /** What was asked for since the last drain: at most one persist, at most one send a peer. */
  drain(): readonly Effect[] {
    const { delivery, journal, outbox } = this.#context
    delivery.endTurn()
    this.#announce()
    if (this.#role.role === 'following') this.#role.learner.beforeDrain()
    if (this.#role.role === 'leading') this.#role.leader.beforeDrain()
    const persist = journal.drain(delivery.lastCommitted)
    return [...(persist === null ? [] : [persist]), ...outbox.drain()]
  }

  /** True when a drain would do more than nothing: something was asked for since the last one. */
  get hasOutput(): boolean {
    const { delivery, journal } = this.#context
    if (delivery.isBehind) return true
    return journal.hasOutput || (this.#role.role === 'leading' && this.#role.leader.isRoundWanted)
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

  /** Votes, once the disk has come to rest: before that its last zxid may still turn out lower. */
  #look(): void {
    const { clock, journal } = this.#context
    if (this.#role.role !== 'looking' || !clock.isRunning || !journal.isIdle) return
    const isFirstVote = this.#role.election === null
    const election = this.#role.election ?? new Election(this.#context, this.#notices)
    this.#role = { role: 'looking', election }
    const before = election.vote
    const decision = election.decide()
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

  /** Leaves the role; the next decision waits for the next input. */
  #departIf(departure: Departure | null): void {
    if (departure === null || this.#role.role === 'looking') return
    const { host, outbox } = this.#context
    const { from, why } = departure
    if (from !== null) host.trace({ trace: 'peerRefused', from, why })
    if (this.#role.role === 'following') this.#notices.forget(this.#role.learner.leader)
    outbox.clear()
    this.#role = { role: 'looking', election: null }
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
    const { config, delivery, journal } = this.#context
    const role = this.#role
    if (role.role === 'leading' && role.leader.isEstablishedAt(delivery.lastApplied)) {
      return { role: 'leading', epoch: role.leader.epoch, leader: config.serverId }
    }
    if (role.role === 'following' && role.learner.isUpToDateAt(delivery.lastApplied)) {
      return { role: 'following', epoch: role.learner.epoch, leader: role.learner.leader }
    }
    return { role: 'looking', epoch: journal.durableHardState.currentEpoch, leader: null }
  }

  #notifyAll(): void {
    this.#notifiedMs = this.#context.clock.nowMs
    this.#context.outbox.sendAll(this.#notification())
  }

  #notification(): PeerFrameOf<'notification'> {
    return { frame: 'notification', state: this.#standing().role, ...this.#ballot() }
  }

  #ballot(): Omit<PeerFrameOf<'notification'>, 'frame' | 'state'> {
    const role = this.#role
    const { config } = this.#context
    switch (role.role) {
      case 'looking':
        if (role.election === null) return noBallot
        return { epoch: epochZero, vote: role.election.vote, ...role.election.offer }
      case 'following':
        return { epoch: role.learner.epoch, vote: role.learner.leader, ...role.offer }
      case 'leading':
        return { epoch: role.leader.epoch, vote: config.serverId, ...role.offer }
      default:
        return assertNever(role)
    }
  }
}

type Role =
  /** There is no election before the disk has come to rest. */
  | { readonly role: 'looking'; readonly election: Election | null }
  /** On the way into a leadership, or in it. */
  | { readonly role: 'following'; readonly learner: Learner; readonly offer: Offer }
  /** Standing for a leadership, or established in it. */
  | { readonly role: 'leading'; readonly leader: Leader; readonly offer: Offer }

/** The role as the rest of the world sees it. */
interface Standing {
  readonly role: Exclude<RoleName, 'observing'>
  readonly epoch: Epoch
  readonly leader: ServerId | null
}

const noBallot = Object.freeze({
  epoch: epochZero,
  vote: 0 as ServerId,
  currentEpoch: epochZero,
  lastZxid: zxidZero,
  rejoining: false,
})
