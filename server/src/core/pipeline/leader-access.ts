import { assert } from '../assert.js'
import { Fifo, limits, type ServerId, type Zxid } from '@conclave/protocol'
import type { Ask, PeerFrameOf } from '@conclave/protocol/peer'
import { LeaderDesk } from './leader-desk.js'
import type { LeaderAnswers, LeaderPort } from './leader-port.js'
import type { Leadership } from './leadership.js'
import { LearnerDesk } from './learner-desk.js'
import { RemoteLeader } from './remote-leader.js'
import type { Applied } from './replicated-state.js'
import type { TurnBudget } from './turn-budget.js'

/** The links between servers, as far as the pipeline needs them. */
export interface PeerPort {
  /** To the leader that this server follows. */
  toLeader(asks: readonly Ask[]): void
  toLearner(learner: ServerId, frame: PeerFrameOf<'answer'>): void
}

/**
 * How this server comes by the leader's word, by its role: it is asked of its own leadership or of
 * the leader that it follows, in the same way. All of it is dropped with the role.
 */
export class LeaderAccess {
  readonly #peers: PeerPort
  readonly #budget: TurnBudget
  readonly #answers: LeaderAnswers
  #access: Access = { role: 'looking' }
  #behind: { readonly zxid: Zxid; readonly sinceMs: number } | null = null

  constructor(peers: PeerPort, budget: TurnBudget, answers: LeaderAnswers) {
    this.#peers = peers
    this.#budget = budget
    this.#answers = answers
  }

  /** Null without a leader. */
  get port(): LeaderPort | null {
    if (this.#access.role === 'looking') return null
    return this.#access.role === 'leading' ? this.#access.own : this.#access.leader
  }

  /** What this server does as a leader; null while it is none. */
  get leadership(): Leadership | null {
    return this.#access.role === 'leading' ? this.#access.leadership : null
  }

  lead(leadership: Leadership): void {
    const own = new LeaderDesk(leadership, this.#answers)
    const [learners, confirmed] = [new Map(), new Fifo<ConfirmedRound>()]
    this.#access = { role: 'leading', leadership, own, learners, confirmed }
  }

  follow(): void {
    this.#access = { role: 'following', leader: new RemoteLeader(this.#answers) }
  }

  /** What was asked and not answered is nobody's business any more. */
  drop(): void {
    if (this.#access.role === 'leading') {
      this.#access.leadership.end()
      for (const desk of this.#access.learners.values()) desk.close()
    }
    this.#access = { role: 'looking' }
    this.#behind = null
  }

  /** @returns false when a commit has been known for too long without being applied */
  tick(nowMs: number, applied: Zxid): boolean {
    if (this.#access.role !== 'following') return true
    const { leader } = this.#access
    leader.tick()
    if (!leader.isBehind) this.#behind = null
    else if (this.#behind?.zxid !== applied) this.#behind = { zxid: applied, sinceMs: nowMs }
    return this.#behind === null || nowMs - this.#behind.sinceMs < limits.noQuorumMs
  }

  /** A learner asks. */
  asked(from: ServerId, frame: PeerFrameOf<'ask'>): void {
    assert(this.#access.role === 'leading', 'learners are told to ask once the leader has begun')
    const { leadership, learners } = this.#access
    const desk = learners.get(from) ?? new LearnerDesk(leadership, this.#budget, frame)
    learners.set(from, desk)
    desk.asked(frame.asks)
  }

  /** The leader answers. */
  answered(frame: PeerFrameOf<'answer'>, applied: Zxid): void {
    if (this.#access.role === 'following') this.#access.leader.answered(frame, applied)
  }

  learnerLost(learner: ServerId): void {
    if (this.#access.role !== 'leading') return
    this.#access.learners.get(learner)?.close()
    this.#access.learners.delete(learner)
  }

  roundConfirmed(round: number): void {
    if (this.#access.role !== 'leading') return
    const { own, learners, leadership, confirmed } = this.#access
    confirmed.push({ round, zxid: leadership.lastCommitted })
    this.#confirmOwn(own, confirmed, leadership.lastApplied)
    for (const desk of learners.values()) desk.roundConfirmed(round)
  }

  /** Before its events are told. */
  applied(applied: Applied): void {
    this.leadership?.applied(applied)
  }

  /** After its events and its answer: now what the leader has said of it can be heard. */
  settled(zxid: Zxid): void {
    const access = this.#access
    if (access.role === 'following') access.leader.applied(zxid)
    if (access.role !== 'leading') return
    access.own.applied(zxid)
    this.#confirmOwn(access.own, access.confirmed, zxid)
    for (const desk of access.learners.values()) desk.applied(zxid)
  }

  beforeDrain(): void {
    const access = this.#access
    if (access.role === 'following') {
      for (const asks of access.leader.takeAsks()) this.#peers.toLeader(asks)
    }
    if (access.role !== 'leading') return
    access.leadership.beforeDrain()
    const { lastCommitted } = access.leadership
    for (const [learner, desk] of access.learners) {
      for (const frame of desk.takeFrames(lastCommitted)) this.#peers.toLearner(learner, frame)
    }
  }

  /** True when another drain would bring something. */
  get hasOutput(): boolean {
    const access = this.#access
    if (access.role === 'following') return access.leader.hasOutput
    if (access.role !== 'leading') return false
    return (
      access.leadership.isBehind || [...access.learners.values()].some((desk) => desk.hasOutput)
    )
  }

  #confirmOwn(own: LeaderDesk, confirmed: Fifo<ConfirmedRound>, applied: Zxid): void {
    for (let head = confirmed.at(0); head !== undefined; head = confirmed.at(0)) {
      if (head.zxid > applied) return
      confirmed.shift()
      own.confirmed(head.round)
    }
  }
}

type Access =
  | { readonly role: 'looking' }
  | { readonly role: 'following'; readonly leader: RemoteLeader }
  | {
      readonly role: 'leading'
      readonly leadership: Leadership
      readonly own: LeaderDesk
      readonly learners: Map<ServerId, LearnerDesk>
      readonly confirmed: Fifo<ConfirmedRound>
    }

/** Told to this server's own clients once it has applied up to `zxid`, as to those of others. */
interface ConfirmedRound {
  readonly round: number
  readonly zxid: Zxid
}
