import { limits, type ServerId } from '@conclave/protocol'
import type { PeerFrameOf } from '@conclave/protocol/peer'
import type { Context } from './context.js'
import { compareCredentials, isFresh } from './credentials.js'
import { judgeOffers, type Offer } from './discovery.js'
import type { Notices } from './notices.js'

type Decision =
  | { readonly decision: 'stand' }
  | { readonly decision: 'follow'; readonly leader: ServerId }

/**
 * Looking for a leader. Every server votes for the best it hears, itself included; it does not pass
 * on whom others hear, so nobody elects a server that it cannot reach. A leadership that is already
 * established is joined, never disturbed; an observer does nothing else.
 */
export class Election {
  readonly #context: Context
  readonly #notices: Notices
  /** What this server has, read once when its disk has come to rest. */
  readonly offer: Offer
  readonly #startedMs: number
  readonly #isVoter: boolean
  #vote = nobody
  /** Whom enough votes agree on, and since when. */
  #favourite: { readonly server: ServerId; readonly sinceMs: number } | null = null

  constructor(context: Context, notices: Notices) {
    const { journal, config, clock } = context
    this.#context = context
    this.#notices = notices
    this.offer = {
      currentEpoch: journal.durableHardState.currentEpoch,
      lastZxid: journal.durable.zxid,
      rejoining: journal.durableHardState.rejoining,
      bootstrap: config.bootstrap,
    }
    this.#startedMs = clock.nowMs
    this.#isVoter = config.voters.includes(config.serverId)
  }

  get vote(): ServerId {
    return this.#vote
  }

  /**
   * Looks at all that was heard, changes the vote if need be, and decides when votes suffice.
   * @param mayVote false when the others had better do without this server
   */
  decide({ mayVote }: { readonly mayVote: boolean }): Decision | null {
    const heard = this.#notices.heard()
    const { nowMs } = this.#context.clock
    const leader = establishedLeader(heard)
    if (leader !== null) {
      // Not at once: a join that fails straight away must not be repeated without a pause.
      const isSettled = nowMs - this.#startedMs >= limits.electionSettleMs
      return isSettled ? { decision: 'follow', leader } : null
    }
    this.#vote = this.#isVoter && mayVote ? this.#bestOf(heard) : nobody
    if (this.#vote === nobody) return null
    const offers = this.#offersForVote(heard)
    if (judgeOffers(offers) === 'tooFew') {
      this.#favourite = null
      return null
    }
    if (this.#favourite?.server !== this.#vote) {
      this.#favourite = { server: this.#vote, sinceMs: nowMs }
    }
    const isSettled = nowMs - this.#favourite.sinceMs >= limits.electionSettleMs
    if (!this.#isUnanimous(offers) && !isSettled) return null
    return this.#vote === this.#context.config.serverId
      ? { decision: 'stand' }
      : { decision: 'follow', leader: this.#vote }
  }

  /** Whoever has no link cannot say anything else: there is nothing to wait for. */
  #isUnanimous(offers: readonly (Offer | undefined)[]): boolean {
    const { config, outbox } = this.#context
    return config.voters.every(
      (voter, i) => offers[i] !== undefined || outbox.linkTo(voter) === undefined,
    )
  }

  #bestOf(heard: Heard): ServerId {
    let best = { ...this.offer, serverId: this.#context.config.serverId }
    for (const [serverId, notice] of heard) {
      if (notice.state !== 'looking' || notice.vote === 0) continue
      const candidate = { ...notice, serverId }
      if (compareCredentials(candidate, best) > 0) best = candidate
    }
    return best.serverId
  }

  /**
   * For each voter what it offers, if its vote is the same as ours. One that is not fresh says by
   * its mere presence that the ensemble is not new.
   */
  #offersForVote(heard: Heard): readonly (Offer | undefined)[] {
    const { config } = this.#context
    const heardVoters = config.voters.flatMap((voter) => heard.get(voter) ?? [])
    const isNew = heardVoters.every(({ currentEpoch }) => isFresh({ currentEpoch }))
    return config.voters.map((voter) => {
      if (voter === config.serverId)
        return { ...this.offer, bootstrap: isNew && this.offer.bootstrap }
      const notice = heard.get(voter)
      return notice?.state === 'looking' && notice.vote === this.#vote ? notice : undefined
    })
  }
}

const nobody = 0 as ServerId

type Heard = ReadonlyMap<ServerId, PeerFrameOf<'notification'>>

const establishedLeader = (heard: Heard): ServerId | null => {
  let leader: ServerId | null = null
  let epoch = -1
  for (const [serverId, notice] of heard) {
    if (notice.state !== 'leading' || notice.epoch <= epoch) continue
    leader = serverId
    epoch = notice.epoch
  }
  return leader
}
