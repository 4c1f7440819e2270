import {
  type Epoch,
  epochZero,
  limits,
  nextZxid,
  type ServerId,
  type Zxid,
} from '@conclave/protocol'
import type { PeerFrame, PeerFrameOf } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import type { Context, Departure } from './context.js'
import { judgeLeaderInfo } from './discovery.js'
import { truncationFits } from './synchronization.js'

/**
 * A server on its way into one leadership, and then in it. Lives for one join: whatever goes wrong
 * ends it, and the server looks for a leader again with its history as it is.
 */
export class Learner {
  readonly #context: Context
  readonly leader: ServerId
  readonly #join: number
  #epoch: Epoch = epochZero
  #stage: Stage = { stage: 'discovering' }
  #heardMs: number

  constructor(context: Context, leader: ServerId, join: number) {
    this.#context = context
    this.leader = leader
    this.#join = join
    this.#heardMs = context.clock.nowMs
    assert(context.journal.isIdle, 'a role begins when the disk has come to rest')
    const { acceptedEpoch, acceptedFrom } = context.journal.durableHardState
    this.#send({ frame: 'followerInfo', epoch: acceptedEpoch, acceptedFrom, join })
  }

  /** 0 until the leader has told it. */
  get epoch(): Epoch {
    return this.#epoch
  }

  /** In the leadership, and its tree holds all that was committed when it came in. */
  isUpToDateAt(lastApplied: Zxid): boolean {
    return this.#stage.stage === 'upToDate' && lastApplied >= this.#stage.startZxid
  }

  tick(): Departure | null {
    const silenceMs = this.#context.clock.nowMs - this.#heardMs
    return silenceMs > limits.silenceMsMax ? this.#depart('the leader fell silent') : null
  }

  frame(frame: PeerFrame): Departure | null {
    if (frame.frame === 'notification') return this.#notification(frame)
    if (frame.frame === 'followerInfo' || frame.join !== this.#join) return null
    if (frame.frame === 'leaderInfo') return this.#leaderInfo(frame.epoch)
    if (frame.epoch !== this.#epoch) return null
    if (frame.frame === 'refused') return this.#refused(frame.why)
    this.#heardMs = this.#context.clock.nowMs
    return this.#leaderFrame(frame)
  }

  /** Something has become durable: the promises that waited for it may leave. */
  persisted(): void {
    const { durable, durableHardState } = this.#context.journal
    if (this.#stage.stage === 'promising' && durableHardState.acceptedEpoch === this.#epoch) {
      this.#ackEpoch()
    }
    if (
      this.#stage.stage === 'confirming' &&
      durableHardState.currentEpoch === this.#epoch &&
      durable.zxid >= this.#stage.historyZxid
    ) {
      this.#stage = { stage: 'acknowledged', ackedZxid: durable.zxid }
      this.#send({ frame: 'ackNewLeader', ...this.#tag, zxid: durable.zxid })
    }
  }

  /** One cumulative acknowledgement of all that became durable since the last drain. */
  beforeDrain(): void {
    const stage = this.#stage
    if (stage.stage !== 'acknowledged' && stage.stage !== 'upToDate') return
    const { zxid } = this.#context.journal.durable
    if (zxid <= stage.ackedZxid) return
    this.#stage = { ...stage, ackedZxid: zxid }
    this.#send({ frame: 'ack', ...this.#tag, zxid })
  }

  #notification(frame: PeerFrameOf<'notification'>): Departure | null {
    const isStill =
      this.#epoch === epochZero ? frame.vote === this.leader : frame.epoch === this.#epoch
    return isStill ? null : this.#depart('the leader has left its leadership')
  }

  #leaderInfo(epoch: Epoch): Departure | null {
    const { clock, journal } = this.#context
    if (this.#stage.stage !== 'discovering') return this.#unexpected('leaderInfo')
    this.#heardMs = clock.nowMs
    const verdict = judgeLeaderInfo(journal.hardState, { epoch, leader: this.leader })
    if (verdict === 'refuse') return this.#depart(`epoch ${epoch} is promised to another leader`)
    this.#epoch = epoch
    if (verdict === 'rejoin') {
      this.#ackEpoch()
      return null
    }
    journal.save({ acceptedEpoch: epoch, acceptedFrom: this.leader })
    this.#stage = { stage: 'promising' }
    return null
  }

  #ackEpoch(): void {
    const { journal } = this.#context
    const { currentEpoch, rejoining } = journal.durableHardState
    this.#stage = { stage: 'aligning' }
    const last = journal.durable
    this.#send({ frame: 'ackEpoch', ...this.#tag, currentEpoch, last, rejoining })
  }

  #leaderFrame(frame: PeerFrame): Departure | null {
    const { stage } = this.#stage
    switch (frame.frame) {
      case 'diff':
        return stage === 'aligning' ? this.#diff(frame.zxid) : this.#unexpected(frame.frame)
      case 'trunc':
        return stage === 'aligning' ? this.#trunc(frame) : this.#unexpected(frame.frame)
      case 'proposal':
        return this.#proposal(frame)
      case 'newLeader':
        return stage === 'synchronizing'
          ? this.#newLeader(frame.zxid)
          : this.#unexpected('newLeader')
      case 'upToDate':
        if (stage !== 'acknowledged') return this.#unexpected(frame.frame)
        return this.#upToDate(frame.zxid)
      case 'commit':
        return stage === 'upToDate' ? this.#commit(frame.zxid) : this.#unexpected(frame.frame)
      case 'heartbeat':
        this.#send({ frame: 'heartbeatAck', ...this.#tag, round: frame.round })
        return stage === 'upToDate' ? this.#commit(frame.committed) : null
      default:
        return this.#unexpected(frame.frame)
    }
  }

  #diff(zxid: Zxid): Departure | null {
    if (zxid !== this.#context.journal.last.zxid) return this.#unexpected('diff')
    this.#stage = { stage: 'synchronizing' }
    return null
  }

  #trunc(frame: PeerFrameOf<'trunc'>): Departure | null {
    const { delivery, journal } = this.#context
    if (!truncationFits(journal, frame)) {
      // The seam for snapshots: the histories parted earlier than the leader can tell.
      return this.#depart(`no common history at zxid ${frame.zxid}: a snapshot is needed`)
    }
    assert(frame.zxid >= delivery.lastCommitted, 'no leader asks to cut what was committed')
    journal.truncateAfter(frame.zxid)
    this.#stage = { stage: 'synchronizing' }
    return null
  }

  #proposal({ txn }: PeerFrameOf<'proposal'>): Departure | null {
    const { journal } = this.#context
    const isAligned =
      this.#stage.stage !== 'discovering' &&
      this.#stage.stage !== 'promising' &&
      this.#stage.stage !== 'aligning'
    const isNext = txn.zxid === nextZxid(journal.last.zxid)
    const isOfEpoch = txn.epoch >= journal.last.epoch && txn.epoch <= this.#epoch
    if (!isAligned || !isNext || !isOfEpoch) return this.#unexpected('proposal')
    journal.append(txn)
    return null
  }

  /** History is written before currentEpoch, and both before the acknowledgement leaves. */
  #newLeader(zxid: Zxid): Departure | null {
    const { journal } = this.#context
    if (zxid !== journal.last.zxid) return this.#unexpected('newLeader')
    journal.save({ currentEpoch: this.#epoch, rejoining: false })
    this.#stage = { stage: 'confirming', historyZxid: zxid }
    return null
  }

  #upToDate(zxid: Zxid): Departure | null {
    assert(this.#stage.stage === 'acknowledged', 'upToDate follows the acknowledgement')
    const { ackedZxid } = this.#stage
    const departure = this.#commit(zxid)
    if (departure === null) this.#stage = { stage: 'upToDate', ackedZxid, startZxid: zxid }
    return departure
  }

  #commit(zxid: Zxid): Departure | null {
    const { delivery, journal } = this.#context
    if (zxid > journal.last.zxid) return this.#unexpected('commit')
    delivery.commitTo(zxid)
    return null
  }

  /** Asking again would change nothing, so the join is left to end by silence, which paces it. */
  #refused(why: string): null {
    this.#context.host.trace({ trace: 'peerRefused', from: this.leader, why })
    return null
  }

  #unexpected(frame: PeerFrame['frame']): Departure {
    return this.#depart(`unexpected ${frame} while ${this.#stage.stage}`)
  }

  #depart(why: string): Departure {
    return { from: this.leader, why }
  }

  get #tag(): { readonly epoch: Epoch; readonly join: number } {
    return { epoch: this.#epoch, join: this.#join }
  }

  #send(frame: PeerFrame): void {
    this.#context.outbox.send(this.leader, frame)
  }
}

type Stage =
  /** followerInfo is sent. */
  | { readonly stage: 'discovering' }
  /** acceptedEpoch is on its way to the disk. */
  | { readonly stage: 'promising' }
  /** ackEpoch is sent; diff or trunc must come. */
  | { readonly stage: 'aligning' }
  /** The leader's history comes as proposals. */
  | { readonly stage: 'synchronizing' }
  /** newLeader has come; history and currentEpoch are on their way to the disk. */
  | { readonly stage: 'confirming'; readonly historyZxid: Zxid }
  /** ackNewLeader is sent; from now on what becomes durable is acknowledged. */
  | { readonly stage: 'acknowledged'; readonly ackedZxid: Zxid }
  /** The leader is established: what it commits is applied. */
  | { readonly stage: 'upToDate'; readonly ackedZxid: Zxid; readonly startZxid: Zxid }
