import {
  type Epoch,
  epochZero,
  limits,
  nextZxid,
  type ServerId,
  type Zxid,
} from '@conclave/protocol'
import type { PeerFrame, PeerFrameOf, Txn } from '@conclave/protocol/peer'
import { assert, assertNever } from '../assert.js'
import type { Context, Departure } from './context.js'
import { compareHistories, isFresh } from './credentials.js'
import { epochAbove, isPromisedElsewhere, judgeOffers, type Offer } from './discovery.js'
import { type LearnerHandler, newLearnerHandler } from './learner-handler.js'
import { majority, quorumHighest } from './quorum.js'
import { Roster } from './roster.js'
import { Rounds } from './rounds.js'
import { planSynchronization, synchronizationFrames } from './synchronization.js'

/**
 * One leadership, from standing for it to its end. It is established when a quorum of voters has
 * the leader's initial history and the epoch durable; with that all of this history is committed.
 */
export class Leader {
  readonly #context: Context
  readonly #offer: Offer
  readonly #initialZxid: Zxid
  readonly #startedMs: number
  readonly #roster: Roster
  readonly #accepted: Map<ServerId, Epoch>
  readonly #rounds = new Rounds()
  #heartbeatMs: number
  #epoch: Epoch = epochZero
  #stage: Stage = 'gathering'

  /** @param early what learners have sent already; all of it has a say in the choice of epoch */
  constructor(
    context: Context,
    offer: Offer,
    early: ReadonlyMap<ServerId, PeerFrameOf<'followerInfo'>>,
  ) {
    const { clock, config, journal } = context
    assert(journal.isIdle, 'a role begins when the disk has come to rest')
    this.#context = context
    this.#offer = offer
    this.#roster = new Roster(config)
    this.#initialZxid = journal.last.zxid
    this.#startedMs = clock.nowMs
    this.#heartbeatMs = clock.nowMs
    this.#accepted = new Map([[config.serverId, journal.durableHardState.acceptedEpoch]])
    for (const [from, frame] of early) this.#join(from, frame)
    this.#chooseEpoch()
  }

  /** 0 until it is chosen. */
  get epoch(): Epoch {
    return this.#epoch
  }

  get isEstablished(): boolean {
    return this.#stage === 'established'
  }

  /** Established, and the tree holds all that it begins with. */
  isEstablishedAt(lastApplied: Zxid): boolean {
    return this.isEstablished && lastApplied >= this.#initialZxid
  }

  propose(proposal: Omit<Txn, 'zxid' | 'epoch'>): Txn {
    const { journal } = this.#context
    assert(this.isEstablished, 'only an established leader proposes')
    const { timeMs, sessionId, xid, ackedXid, body } = proposal
    const zxid = nextZxid(journal.last.zxid)
    // Spelled out: what is made by a spread takes three times the memory, and history keeps it.
    const txn = { zxid, epoch: this.#epoch, timeMs, sessionId, xid, ackedXid, body }
    journal.append(txn)
    for (const [id, learner] of this.#roster.learners) {
      if (learner.isSynchronizing) this.#send(id, { frame: 'proposal', ...this.#tag(learner), txn })
    }
    return txn
  }

  startRound(): number {
    assert(this.isEstablished, 'only an established leader confirms rounds')
    return this.#rounds.want()
  }

  get isRoundWanted(): boolean {
    return this.#rounds.isWanted
  }

  tick(): Departure | null {
    const { nowMs } = this.#context.clock
    if (nowMs - this.#heartbeatMs >= limits.heartbeatMs) {
      this.#heartbeatMs = nowMs
      if (this.#isPromised) this.#rounds.want()
    }
    const heard = this.#roster.ofVoters({
      own: nowMs,
      absent: -Infinity,
      learner: (learner) => (learner.counts ? learner.heardMs : -Infinity),
    })
    const quorumHeardMs = Math.max(quorumHighest(heard), this.#startedMs)
    const isSilent = nowMs - quorumHeardMs > limits.silenceMsMax
    return isSilent ? { from: null, why: 'no quorum of learners was heard' } : null
  }

  /** Only of the link that is open now: whatever belonged to a lost one is gone with it. */
  frame(from: ServerId, frame: PeerFrame): Departure | null {
    if (frame.frame === 'notification') return this.#notification(from, frame)
    if (frame.frame === 'followerInfo') return this.#followerInfo(from, frame)
    const learner = this.#roster.get(from)
    if (learner === undefined || learner.join !== frame.join) return null
    return frame.epoch === this.#epoch ? this.#learnerFrame(from, learner, frame) : null
  }

  peerLost(from: ServerId): Departure | null {
    return this.#drop(from, 'the link was lost')
  }

  /** Something has become durable here; the leader is a voter like any other. */
  persisted(): void {
    switch (this.#stage) {
      case 'promising':
        if (this.#context.journal.durableHardState.acceptedEpoch === this.#epoch) this.#invite()
        return
      case 'synchronizing':
      case 'established':
        this.#advance()
        return
      case 'gathering':
      case 'inviting':
        return
      default:
        assertNever(this.#stage)
    }
  }

  /** One heartbeat of the round that was asked for, or else one commit, for each learner. */
  beforeDrain(): void {
    const { lastCommitted } = this.#context.delivery
    const isRound = this.#rounds.begin()
    for (const [id, learner] of this.#roster.learners) {
      if (isRound && learner.promise !== null) {
        const round = this.#rounds.begun
        this.#send(id, {
          frame: 'heartbeat',
          ...this.#tag(learner),
          committed: lastCommitted,
          round,
        })
      } else if (learner.toldCommitted !== null && learner.toldCommitted < lastCommitted) {
        this.#send(id, { frame: 'commit', ...this.#tag(learner), zxid: lastCommitted })
      }
      if (learner.toldCommitted !== null) learner.toldCommitted = lastCommitted
    }
    if (isRound) this.#confirmRounds()
  }

  /** A learner that votes for somebody else, or not yet, has left. */
  #notification(from: ServerId, frame: PeerFrameOf<'notification'>): Departure | null {
    const isLearner = frame.vote === this.#context.config.serverId
    return isLearner ? null : this.#drop(from, 'it has left')
  }

  #drop(from: ServerId, why: string): Departure | null {
    const isKnown = this.#roster.remove(from)
    this.#accepted.delete(from)
    if (!isKnown || !this.#isSynchronizing) return null
    const counting = this.#roster.ofVoters({
      own: 1,
      absent: 0,
      learner: (learner) => (learner.counts ? 1 : 0),
    })
    return quorumHighest(counting) > 0 ? null : { from, why: `${why}, and with it the quorum` }
  }

  #followerInfo(from: ServerId, frame: PeerFrameOf<'followerInfo'>): Departure | null {
    const { config } = this.#context
    const promised = { acceptedEpoch: frame.epoch, acceptedFrom: frame.acceptedFrom }
    const offered = { epoch: this.#epoch, leader: config.serverId }
    if (this.#epoch !== epochZero && isPromisedElsewhere(promised, offered)) {
      return { from, why: `it has promised epoch ${frame.epoch} to another leader` }
    }
    const learner = this.#join(from, frame)
    if (this.#stage === 'gathering') this.#chooseEpoch()
    else if (this.#isPromised) this.#send(from, { frame: 'leaderInfo', ...this.#tag(learner) })
    return null
  }

  #join(from: ServerId, frame: PeerFrameOf<'followerInfo'>): LearnerHandler {
    const learner = newLearnerHandler({
      join: frame.join,
      joinedRound: this.#rounds.begun,
      heardMs: this.#context.clock.nowMs,
    })
    this.#roster.add(from, learner)
    this.#accepted.set(from, frame.epoch)
    return learner
  }

  #chooseEpoch(): void {
    const { config, journal } = this.#context
    if (this.#accepted.size < majority(config.voters.length)) return
    this.#epoch = epochAbove(this.#accepted.values())
    this.#stage = 'promising'
    journal.save({ acceptedEpoch: this.#epoch, acceptedFrom: config.serverId })
  }

  /** The leader's own promise is durable: now others may be asked for theirs. */
  #invite(): void {
    this.#stage = 'inviting'
    for (const [id, learner] of this.#roster.learners) {
      this.#send(id, { frame: 'leaderInfo', ...this.#tag(learner) })
    }
    this.#judgePromises()
  }

  #learnerFrame(
    from: ServerId,
    learner: LearnerHandler,
    frame: Exclude<PeerFrame, { readonly frame: 'notification' | 'followerInfo' }>,
  ): Departure | null {
    switch (frame.frame) {
      case 'ackEpoch':
        return this.#ackEpoch(from, learner, frame)
      case 'ackNewLeader':
      case 'ack':
        this.#ack(from, learner, frame)
        return null
      case 'heartbeatAck':
        if (learner.promise === null || frame.round > this.#rounds.begun) return null
        learner.heardMs = this.#context.clock.nowMs
        learner.ackedRound = Math.max(learner.ackedRound, frame.round)
        this.#confirmRounds()
        return null
      default:
        return null
    }
  }

  #ackEpoch(
    from: ServerId,
    learner: LearnerHandler,
    frame: PeerFrameOf<'ackEpoch'>,
  ): Departure | null {
    if (learner.promise !== null) return null
    const { currentEpoch, last, rejoining } = frame
    const offer = { currentEpoch, lastZxid: last.zxid, rejoining }
    // With this very epoch current it has come back, and what it holds came from here.
    const isBack = currentEpoch === this.#epoch
    if (!this.isEstablished && !isBack && compareHistories(offer, this.#offer) > 0) {
      return { from, why: 'it has a better history' }
    }
    learner.promise = { offer, last }
    learner.counts = !isFresh(offer)
    learner.heardMs = this.#context.clock.nowMs
    if (this.#stage === 'inviting') this.#judgePromises()
    else this.#synchronize(from, learner)
    return null
  }

  #judgePromises(): void {
    const { journal } = this.#context
    const offers = this.#roster.ofVoters<Offer | undefined>({
      own: this.#offer,
      absent: undefined,
      learner: (learner) => learner.promise?.offer,
    })
    const verdict = judgeOffers(offers)
    if (verdict === 'tooFew') return
    this.#stage = 'synchronizing'
    // History has been durable since before the promise; so currentEpoch may follow.
    journal.save({ currentEpoch: this.#epoch, rejoining: false })
    for (const [id, learner] of this.#roster.learners) {
      if (learner.promise === null) continue
      if (verdict === 'founding') learner.counts = true
      this.#synchronize(id, learner)
    }
  }

  #synchronize(id: ServerId, learner: LearnerHandler): void {
    assert(learner.promise !== null, 'a learner promises before it is synchronized')
    const { journal } = this.#context
    const plan = planSynchronization(journal, learner.promise.last)
    if (plan.plan === 'snap') {
      this.#refuse(id, learner, 'its history is too old: it needs a snapshot')
      return
    }
    for (const frame of synchronizationFrames(plan, journal, this.#tag(learner))) {
      this.#send(id, frame)
    }
    learner.isSynchronizing = true
    if (learner.counts) this.#newLeader(id, learner)
  }

  #newLeader(id: ServerId, learner: LearnerHandler): void {
    learner.isNewLeaderSent = true
    const { zxid } = this.#context.journal.last
    this.#send(id, { frame: 'newLeader', ...this.#tag(learner), zxid })
  }

  #refuse(id: ServerId, learner: LearnerHandler, why: string): void {
    this.#context.host.trace({ trace: 'peerRefused', from: id, why })
    this.#send(id, { frame: 'refused', ...this.#tag(learner), why })
    this.#roster.remove(id)
  }

  #ack(
    from: ServerId,
    learner: LearnerHandler,
    frame: PeerFrameOf<'ackNewLeader'> | PeerFrameOf<'ack'>,
  ): void {
    const isFirst = frame.frame === 'ackNewLeader' && learner.isNewLeaderSent
    const isExpected = isFirst || learner.ackedZxid !== null
    if (!isExpected || frame.zxid > this.#context.journal.last.zxid) {
      this.#refuse(from, learner, `unexpected ${frame.frame} of zxid ${frame.zxid}`)
      return
    }
    learner.counts = true
    learner.ackedZxid = Math.max(learner.ackedZxid ?? 0, frame.zxid) as Zxid
    if (isFirst && this.isEstablished) this.#upToDate(from, learner)
    this.#advance()
  }

  /** Commits what a quorum holds durably. The first time, that establishes the leadership. */
  #advance(): void {
    const { delivery, journal } = this.#context
    const isCurrent = journal.durableHardState.currentEpoch === this.#epoch
    const acked = quorumHighest(
      this.#roster.ofVoters({
        own: isCurrent ? journal.durable.zxid : notAcked,
        absent: notAcked,
        learner: (learner) => learner.ackedZxid ?? notAcked,
      }),
    )
    if (acked === notAcked) return
    assert(acked >= this.#initialZxid, 'a quorum has acknowledged the initial history')
    delivery.commitTo(acked as Zxid)
    if (this.isEstablished) return
    this.#stage = 'established'
    for (const [id, learner] of this.#roster.learners) {
      if (learner.ackedZxid !== null) this.#upToDate(id, learner)
    }
  }

  #upToDate(id: ServerId, learner: LearnerHandler): void {
    const { lastCommitted } = this.#context.delivery
    learner.toldCommitted = lastCommitted
    this.#send(id, { frame: 'upToDate', ...this.#tag(learner), zxid: lastCommitted })
  }

  #confirmRounds(): void {
    const rounds = this.#rounds
    const acked = this.#roster.ofVoters({
      own: rounds.begun,
      absent: 0,
      learner: (learner) => (learner.counts ? learner.ackedRound : 0),
    })
    if (!rounds.confirm(acked) || !this.isEstablished) return
    for (const [id, learner] of this.#roster.learners) {
      // A fresh learner may have forgotten that it promised a later epoch. A round begun after it
      // came, confirmed without it, proves that no later epoch had a quorum when it came.
      const isProven = learner.joinedRound < rounds.confirmed
      if (learner.isSynchronizing && !learner.isNewLeaderSent && isProven) {
        this.#newLeader(id, learner)
      }
    }
    this.#context.host.roundConfirmed(rounds.confirmed)
  }

  /** The epoch is durable here, so frames may carry it. */
  get #isPromised(): boolean {
    return this.#stage === 'inviting' || this.#isSynchronizing
  }

  get #isSynchronizing(): boolean {
    return this.#stage === 'synchronizing' || this.#stage === 'established'
  }

  #tag(learner: LearnerHandler): { readonly epoch: Epoch; readonly join: number } {
    return { epoch: this.#epoch, join: learner.join }
  }

  #send(to: ServerId, frame: PeerFrame): void {
    this.#context.outbox.send(to, frame)
  }
}

const notAcked = -1
type Stage =
  /** Waiting for the acceptedEpochs of a quorum. */
  | 'gathering'
  /** The leader's own acceptedEpoch is on its way to the disk. */
  | 'promising'
  /** Waiting for a quorum of ackEpochs. */
  | 'inviting'
  /** Waiting for a quorum to have history and currentEpoch durable. */
  | 'synchronizing'
  | 'established'
