import {
  digestAlgorithm,
  type Epoch,
  type LogPosition,
  type ServerId,
  type Zxid,
} from '@conclave/protocol'
import type { PeerFrame, PeerFrameOf, Txn } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import { planAlignment } from './alignment.js'
import type { Context } from './context.js'
import type { Offer } from './discovery.js'
import type { JoinFrame } from './join-frame.js'
import { LearnerFeed } from './learner-feed.js'
import { SnapshotOffer } from './snapshot-offer.js'

/** The leadership that a learner has come to. */
interface Leading {
  readonly context: Context
  epoch(): Epoch
}

/** What a leader knows of one learner, and does for it, for one join on the link that is open. */
export class LearnerHandler {
  readonly #leading: Leading
  readonly #id: ServerId
  readonly join: number
  /** The last round begun before it joined. */
  readonly #joinedRound: number
  /** From its ackEpoch: what it held then. */
  promise: { readonly offer: Offer; readonly last: LogPosition } | null = null
  /** A fresh learner counts for nothing until it has acknowledged newLeader. */
  counts = false
  isNewLeaderSent = false
  /** Durable there, since it acknowledged newLeader. */
  ackedZxid: Zxid | null = null
  /** The highest commit told, since it is up to date. */
  toldCommitted: Zxid | null = null
  ackedRound = 0
  hasSpace = true
  /** The last it told. */
  digest: PeerFrameOf<'heartbeatAck'>['digest'] = null
  heardMs: number
  #feed: LearnerFeed | null = null
  #offer: SnapshotOffer | null = null
  #isProven = false

  constructor(
    leading: Leading,
    id: ServerId,
    joined: { readonly join: number; readonly round: number },
  ) {
    this.#leading = leading
    this.#id = id
    this.join = joined.join
    this.#joinedRound = joined.round
    this.heardMs = leading.context.clock.nowMs
  }

  heard({ round, hasSpace, digest }: PeerFrameOf<'heartbeatAck'>): void {
    this.heardMs = this.#leading.context.clock.nowMs
    this.ackedRound = Math.max(this.ackedRound, round)
    this.hasSpace = hasSpace
    // Digests of two algorithms cannot be compared.
    this.digest = digest?.algorithm === digestAlgorithm ? digest : null
  }

  send(frame: JoinFrame): void {
    const tagged = { ...frame, epoch: this.#leading.epoch(), join: this.join } as PeerFrame
    this.#leading.context.outbox.send(this.#id, tagged)
  }

  /** Brings its history to the leader's and keeps it there. */
  synchronize(): void {
    assert(this.promise !== null, 'a learner promises before it is synchronized')
    const { host, journal, logReader, snapshots } = this.#leading.context
    const alignment = planAlignment(journal, this.promise.last)
    this.send(alignment)
    const send = (frame: JoinFrame): void => this.send(frame)
    const feed = new LearnerFeed(journal, logReader, alignment.zxid, {
      send: (txn: Txn) => this.#propose(txn),
      moved: () => this.advance(),
      exhausted: () => {
        this.#feed = null
        this.#offer = new SnapshotOffer(feed.sentZxid, { files: snapshots, host, send })
      },
    })
    this.#feed = feed
    this.advance()
  }

  /** The frame of which there are most, so it is made at once. */
  #propose(txn: Txn): void {
    const { join } = this
    const epoch = this.#leading.epoch()
    this.#leading.context.outbox.send(this.#id, { frame: 'proposal', epoch, join, txn })
  }

  /** Sends what there is to send, and newLeader when that was the last of it. */
  advance(): void {
    const feed = this.#feed
    if (feed === null) return
    feed.advance()
    const isDue = feed.isCaughtUp && (this.counts || this.#isProven)
    if (!isDue || this.isNewLeaderSent) return
    this.isNewLeaderSent = true
    this.send({ frame: 'newLeader', zxid: feed.sentZxid })
  }

  /** Sends what the turn still has room for, and ends it. */
  endTurn(): void {
    this.advance()
    this.#feed?.endTurn()
  }

  /** The next turn has something to send. */
  get waitsForTurn(): boolean {
    return this.#feed?.waitsForTurn === true
  }

  /**
   * A quorum confirmed a round. A fresh learner may have forgotten that it promised a later epoch:
   * a round begun after it came, confirmed without it, proves that no later epoch had a quorum when
   * it came.
   */
  roundConfirmed(round: number): void {
    if (this.#joinedRound >= round || this.#isProven) return
    this.#isProven = true
    this.advance()
  }

  /** @returns false when it was never sent so much */
  synced(zxid: Zxid): boolean {
    // What was sent before the log turned out too short.
    if (this.#offer !== null) return true
    if (this.#feed === null || zxid > this.#feed.sentZxid) return false
    this.#feed.synced(zxid)
    this.advance()
    return true
  }

  /** A learner that has installed a snapshot comes back with a new join. */
  snapPull(frame: PeerFrameOf<'snapPull'>): void {
    this.#offer?.pull(frame)
  }

  /** @param isSaved false when the replica has given up the snapshot that it had begun */
  snapshotEnded(isSaved: boolean): void {
    if (isSaved) this.#offer?.saved()
    else if (this.#offer !== null) this.refuse('it needs a snapshot, for which there is no space')
  }

  refuse(why: string): void {
    this.#leading.context.host.trace({ trace: 'peerRefused', from: this.#id, why })
    this.send({ frame: 'refused', why })
    this.close()
  }

  /** What is still on its way from the disk goes nowhere. */
  close(): void {
    this.#feed?.close()
    this.#offer?.close()
    this.#feed = null
    this.#offer = null
  }
}
