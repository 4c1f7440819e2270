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
import { haveSpace, whyUnfit } from './fitness.js'
import { LearnerHandler } from './learner-handler.js'
import { majority, quorumHighest } from './quorum.js'
import { Roster } from './roster.js'
import { Rounds } from './rounds.js'
import { StateComparison } from './state-comparison.js'

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
  readonly #states = new StateComparison()

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
    this.#roster = new Roster(context)
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
    for (const [, learner] of this.#roster.learners) learner.advance()
    return txn
  }

  startRound(): number {
    assert(this.isEstablished, 'only an established leader confirms rounds')
    return this.#rounds.want()
  }

  /** All that was proposed is committed, and all followers were told. */
  get isSettled(): boolean {
    const { delivery, journal } = this.#context
    const { lastCommitted } = delivery
    if (!this.isEstablished) return true
    for (const [, { toldCommitted }] of this.#roster.learners) {
      if (toldCommitted !== null && toldCommitted < lastCommitted) return false
    }
    return journal.last.zxid === lastCommitted
  }

  get isDivided(): boolean {
    return this.#states.isDivided
  }

  /** The next drain has something to send. */
  get hasOutput(): boolean {
    for (const [, learner] of this.#roster.learners) if (learner.waitsForTurn) return true
    return this.#rounds.isWanted
  }

  tick(): Departure | null {
    const { nowMs } = this.#context.clock
    if (nowMs - this.#heartbeatMs >= limits.heartbeatMs) {
      this.#heartbeatMs = nowMs
      if (this.#isPromised) this.#rounds.want()
    }
    return whyUnfit(this.#context, this.#roster, this.#startedMs)
  }

  /** A quorum of voters has room for what is proposed. */
  get hasSpace(): boolean {
    return haveSpace(this.#roster, this.#context.disk.hasSpace)
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

  /** The replica has saved a snapshot, or given one up. */
  snapshotEnded(isSaved: boolean): void {
    for (const [, learner] of this.#roster.learners) learner.snapshotEnded(isSaved)
  }

  /** Nobody is taught any more. */
  end(): void {
    for (const [, learner] of this.#roster.learners) learner.close()
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
    this.#tellUpToDate()
    const isRound = this.#rounds.begin()
    for (const [, learner] of this.#roster.learners) {
      if (isRound && learner.promise !== null) {
        const round = this.#rounds.begun
        learner.send({ frame: 'heartbeat', committed: lastCommitted, round })
      } else if (learner.toldCommitted !== null && learner.toldCommitted < lastCommitted) {
        learner.send({ frame: 'commit', zxid: lastCommitted })
      }
      if (learner.toldCommitted !== null) learner.toldCommitted = lastCommitted
    }
    if (isRound) this.#confirmRounds()
    for (const [, learner] of this.#roster.learners) learner.endTurn()
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
    const isQuorum = this.#roster.isQuorum({ own: true, learner: ({ counts }) => counts })
    return isQuorum ? null : { from, why: `${why}, and with it the quorum` }
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
    else if (this.#isPromised) learner.send({ frame: 'leaderInfo' })
    return null
  }

  #join(from: ServerId, frame: PeerFrameOf<'followerInfo'>): LearnerHandler {
    const leading = { context: this.#context, epoch: () => this.#epoch }
    const joined = { join: frame.join, round: this.#rounds.begun }
    const learner = new LearnerHandler(leading, from, joined)
    this.#roster.add(from, learner)
    this.#accepted.set(from, frame.epoch)
    return learner
  }

  #chooseEpoch(): void {
    const { config, journal } = this.#context
    const accepted = config.voters.filter((voter) => this.#accepted.has(voter))
    if (accepted.length < majority(config.voters.length)) return
    this.#epoch = epochAbove(this.#accepted.values())
    this.#stage = 'promising'
    journal.save({ acceptedEpoch: this.#epoch, acceptedFrom: config.serverId })
  }

  /** The leader's own promise is durable: now others may be asked for theirs. */
  #invite(): void {
    this.#stage = 'inviting'
    for (const [, learner] of this.#roster.learners) learner.send({ frame: 'leaderInfo' })
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
      case 'synced':
        if (!learner.synced(frame.zxid)) this.#refuseAck(from, learner, frame)
        return null
      case 'snapPull':
        learner.snapPull(frame)
        return null
      case 'heartbeatAck':
        if (learner.promise === null || frame.round > this.#rounds.begun) return null
        learner.heard(frame)
        this.#confirmRounds()
        return learner.digest === null ? null : this.#compareStates(learner.digest.zxid)
      case 'ask':
        if (learner.toldCommitted !== null) this.#context.host.asked(from, frame)
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
    const { currentEpoch, last, rejoining, bootstrap } = frame
    const offer = { currentEpoch, lastZxid: last.zxid, rejoining, bootstrap }
    // With this very epoch current it has come back, and what it holds came from here.
    const isBack = currentEpoch === this.#epoch
    const isVoter = this.#context.config.voters.includes(from)
    const isRival = isVoter && !isBack && compareHistories(offer, this.#offer) > 0
    if (!this.isEstablished && isRival) return { from, why: 'it has a better history' }
    learner.promise = { offer, last }
    learner.counts = !isFresh(offer)
    learner.heardMs = this.#context.clock.nowMs
    if (this.#stage === 'inviting') this.#judgePromises()
    else learner.synchronize()
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
    for (const [, learner] of this.#roster.learners) {
      if (learner.promise === null) continue
      if (verdict === 'founding') learner.counts = true
      learner.synchronize()
    }
  }

  #refuseAck(
    from: ServerId,
    learner: LearnerHandler,
    { frame, zxid }: { readonly frame: string; readonly zxid: Zxid },
  ): void {
    learner.refuse(`unexpected ${frame} of zxid ${zxid}`)
    this.#roster.remove(from)
  }

  #ack(
    from: ServerId,
    learner: LearnerHandler,
    frame: PeerFrameOf<'ackNewLeader'> | PeerFrameOf<'ack'>,
  ): void {
    const isFirst = frame.frame === 'ackNewLeader' && learner.isNewLeaderSent
    const isExpected = isFirst || learner.ackedZxid !== null
    if (!isExpected || !learner.synced(frame.zxid)) return this.#refuseAck(from, learner, frame)
    learner.counts = true
    learner.ackedZxid = Math.max(learner.ackedZxid ?? 0, frame.zxid) as Zxid
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
    this.#stage = 'established'
  }

  /** Whoever hears this begins to ask, so it is said once the leader itself has begun. */
  #tellUpToDate(): void {
    const { lastApplied, lastCommitted } = this.#context.delivery
    if (!this.isEstablishedAt(lastApplied)) return
    for (const [, learner] of this.#roster.learners) {
      if (learner.ackedZxid === null || learner.toldCommitted !== null) continue
      learner.toldCommitted = lastCommitted
      learner.send({ frame: 'upToDate', zxid: lastCommitted })
    }
  }

  #confirmRounds(): void {
    const rounds = this.#rounds
    const acked = this.#roster.ofVoters({
      own: rounds.begun,
      absent: 0,
      learner: (learner) => (learner.counts ? learner.ackedRound : 0),
    })
    if (!rounds.confirm(acked) || !this.isEstablished) return
    for (const [, learner] of this.#roster.learners) learner.roundConfirmed(rounds.confirmed)
    this.#context.host.roundConfirmed(rounds.confirmed)
  }

  /** Whose state is known to be wrong is told so and does not count, the leader itself included. */
  #compareStates(zxid: Zxid): Departure | null {
    const why = `its state at zxid ${zxid} is wrong`
    for (const id of this.#states.wrongAt(zxid, this.#context, this.#roster)) {
      const learner = this.#roster.get(id)
      if (learner === undefined) return { from: null, why, isDiverged: true }
      learner.send({ frame: 'diverged', zxid })
      const departure = this.#drop(id, why)
      if (departure !== null) return departure
    }
    return null
  }

  /** The epoch is durable here, so frames may carry it. */
  get #isPromised(): boolean {
    return this.#stage === 'inviting' || this.#isSynchronizing
  }

  get #isSynchronizing(): boolean {
    return this.#stage === 'synchronizing' || this.#stage === 'established'
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
