import {
  digestAlgorithm,
  type Epoch,
  epochZero,
  limits,
  nextZxid,
  type ServerId,
  type Zxid,
  zxidZero,
} from '@conclave/protocol'
import type { Ask, PeerFrame, PeerFrameOf } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import type { Context, Departure } from './context.js'
import { checkpointAt } from './digests.js'
import { judgeLeaderInfo } from './discovery.js'
import { truncationFits } from './alignment.js'

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
  /** What the leader was told to be durable here. */
  #saidZxid = zxidZero
  /** What the leader has said to be committed; it may be more than has come. */
  #committed = zxidZero

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

  /** For the clients of this server. */
  ask(asks: readonly Ask[]): void {
    assert(this.#stage.stage === 'upToDate', 'only who is up to date asks')
    this.#send({ frame: 'ask', ...this.#tag, asks })
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
      this.#stage = { stage: 'acknowledged' }
      this.#saidZxid = durable.zxid
      this.#send({ frame: 'ackNewLeader', ...this.#tag, zxid: durable.zxid })
    }
  }

  /** One cumulative word on all that became durable since the last drain. */
  beforeDrain(): void {
    if (!this.#isAligned) return
    const { stage } = this.#stage
    const isAck = stage === 'acknowledged' || stage === 'upToDate'
    const zxid = isAck ? this.#context.journal.durable.zxid : this.#takenZxid
    if (zxid <= this.#saidZxid) return
    this.#saidZxid = zxid
    this.#send({ frame: isAck ? 'ack' : 'synced', ...this.#tag, zxid })
  }

  /** Durable, and applied if it can be: what comes faster than it is applied stays in memory. */
  get #takenZxid(): Zxid {
    const { delivery, journal } = this.#context
    const { zxid } = journal.durable
    return delivery.isBehind ? (Math.min(zxid, delivery.lastApplied) as Zxid) : zxid
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
    const { bootstrap } = this.#context.config
    const offer = { currentEpoch, last, rejoining, bootstrap }
    this.#send({ frame: 'ackEpoch', ...this.#tag, ...offer })
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
      case 'snap':
        return stage === 'synchronizing' || stage === 'installing'
          ? this.#snap(frame.zxid)
          : this.#unexpected('snap')
      case 'snapPiece':
        return this.#snapPiece(frame)
      case 'upToDate':
        if (stage !== 'acknowledged') return this.#unexpected(frame.frame)
        return this.#upToDate(frame.zxid)
      case 'diverged':
        return { ...this.#depart(`its state at zxid ${frame.zxid} is wrong`), isDiverged: true }
      case 'commit':
        return stage === 'upToDate' ? this.#commit(frame.zxid) : this.#unexpected(frame.frame)
      case 'heartbeat':
        return this.#heartbeat(frame)
      case 'answer':
        if (stage !== 'upToDate') return this.#unexpected(frame.frame)
        this.#context.host.answered(frame)
        return null
      default:
        return this.#unexpected(frame.frame)
    }
  }

  #heartbeat({ round, committed }: PeerFrameOf<'heartbeat'>): Departure | null {
    this.#commit(committed)
    const { digests, disk } = this.#context
    const { hasSpace } = disk
    const zxid = checkpointAt(committed)
    const noted = digests.at(zxid)
    const digest = noted === undefined ? null : { zxid, algorithm: digestAlgorithm, digest: noted }
    this.#send({ frame: 'heartbeatAck', ...this.#tag, round, hasSpace, digest })
    return null
  }

  #diff(zxid: Zxid): Departure | null {
    if (zxid !== this.#context.journal.last.zxid) return this.#unexpected('diff')
    return this.#aligned()
  }

  #trunc(frame: PeerFrameOf<'trunc'>): Departure | null {
    const { delivery, journal } = this.#context
    if (!truncationFits(journal, frame)) {
      // Of servers that kept what they acknowledged: never. An operator has to look at it.
      return this.#depart(`no common history at zxid ${frame.zxid}: its data must be set aside`)
    }
    assert(frame.zxid >= delivery.lastCommitted, 'no leader asks to cut what was committed')
    journal.truncateAfter(frame.zxid)
    return this.#aligned()
  }

  /** Taken only if it is no step back: see {@link SnapshotOffer}. */
  #snap(zxid: Zxid): Departure | null {
    const { host, journal } = this.#context
    if (zxid < journal.last.zxid) return this.#unexpected('snap')
    this.#stage = { stage: 'installing', zxid, offset: 0 }
    host.resync()
    this.#send({ frame: 'snapPull', ...this.#tag, zxid, offset: 0 })
    return null
  }

  #snapPiece(frame: PeerFrameOf<'snapPiece'>): Departure | null {
    const { snapshots } = this.#context
    const { zxid, offset, bytes, isLast } = frame
    const stage = this.#stage
    const isNext = stage.stage === 'installing' && stage.zxid === zxid && stage.offset === offset
    if (!isNext || !snapshots.isIdle) return this.#unexpected('snapPiece')
    this.#stage = { stage: 'installing', zxid, offset: offset + bytes.length }
    snapshots.store({ zxid, offset, bytes, isLast })
    return null
  }

  /** A piece of the snapshot is on the disk; not the last one, which ends this learner. */
  pieceStored(ok: boolean): Departure | null {
    assert(this.#stage.stage === 'installing', 'pieces are stored while a snapshot is installed')
    if (!ok) return this.#depart('its snapshot could not be stored')
    const { zxid, offset } = this.#stage
    this.#send({ frame: 'snapPull', ...this.#tag, zxid, offset })
    return null
  }

  #proposal({ txn }: PeerFrameOf<'proposal'>): Departure | null {
    const { journal } = this.#context
    const isOpen = this.#isAligned && this.#stage.stage !== 'installing'
    const isNext = txn.zxid === nextZxid(journal.last.zxid)
    const isOfEpoch = txn.epoch >= journal.last.epoch && txn.epoch <= this.#epoch
    if (!isOpen || !isNext || !isOfEpoch) return this.#unexpected('proposal')
    journal.append(txn)
    this.#apply()
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
    this.#stage = { stage: 'upToDate', startZxid: zxid }
    return this.#commit(zxid)
  }

  /** From here on the log is a prefix of the leader's. */
  #aligned(): null {
    this.#stage = { stage: 'synchronizing' }
    this.#saidZxid = this.#context.journal.durable.zxid
    this.#apply()
    return null
  }

  get #isAligned(): boolean {
    const { stage } = this.#stage
    return stage !== 'discovering' && stage !== 'promising' && stage !== 'aligning'
  }

  #commit(zxid: Zxid): null {
    this.#committed = Math.max(this.#committed, zxid) as Zxid
    this.#apply()
    return null
  }

  /**
   * What the leader calls committed is so for ever, whether it is established or not; and an
   * aligned log is a prefix of the leader's. So it is applied as it comes, a million txns before
   * newLeader, too, and memory need not hold what a learner far behind is taught.
   */
  #apply(): void {
    if (!this.#isAligned) return
    const { delivery, journal } = this.#context
    delivery.commitTo(Math.min(this.#committed, journal.last.zxid) as Zxid)
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
  /** The leader's snapshot comes in pieces; all before `offset` were handed to the disk. */
  | { readonly stage: 'installing'; readonly zxid: Zxid; readonly offset: number }
  /** newLeader has come; history and currentEpoch are on their way to the disk. */
  | { readonly stage: 'confirming'; readonly historyZxid: Zxid }
  /** ackNewLeader is sent; from now on what becomes durable is acknowledged. */
  | { readonly stage: 'acknowledged' }
  /** The leader is established: what it commits is applied. */
  | { readonly stage: 'upToDate'; readonly startZxid: Zxid }
