import type { Epoch, ServerId } from '@conclave/protocol'
import type { HardState } from '@conclave/protocol/peer'
import { type HistoryRank, isFresh, mayFound } from './credentials.js'
import { majority } from './quorum.js'

/** What a voter brings to an election: told in its notification, and bindingly in its ackEpoch. */
export interface Offer extends HistoryRank {
  readonly rejoining: boolean
  /** It was told that the ensemble is new. */
  readonly bootstrap: boolean
}

/** The epoch of a new leadership: above every epoch that the given servers have promised. */
export const epochAbove = (accepted: Iterable<Epoch>): Epoch =>
  (Math.max(0, ...accepted) + 1) as Epoch

/**
 * Whether these offers, one for each voter and undefined where there is none, are enough to lead.
 * Fresh servers count for nothing, for they may have forgotten what they acknowledged; except in an
 * ensemble's first election, where every single voter says that there was nothing to forget; or a
 * majority of them, if somebody has told each of them that the ensemble is new.
 */
export const judgeOffers = (
  offers: readonly (Offer | undefined)[],
): 'tooFew' | 'quorum' | 'founding' => {
  const counting = offers.filter((offer) => offer !== undefined && !isFresh(offer)).length
  if (counting >= majority(offers.length)) return 'quorum'
  const known = offers.filter((offer) => offer !== undefined)
  const isComplete =
    known.length === offers.length ||
    (known.length >= majority(offers.length) && known.every(isOfNewEnsemble))
  return isComplete && known.every(mayFound) ? 'founding' : 'tooFew'
}

const isOfNewEnsemble = (offer: Offer): boolean => offer.bootstrap && isFresh(offer)

/** What a learner answers to a leaderInfo: an epoch is promised to one leader only. */
export const judgeLeaderInfo = (
  promised: Pick<HardState, 'acceptedEpoch' | 'acceptedFrom'>,
  offered: { readonly epoch: Epoch; readonly leader: ServerId },
): 'promise' | 'rejoin' | 'refuse' => {
  if (offered.epoch > promised.acceptedEpoch) return 'promise'
  const isKept =
    offered.epoch === promised.acceptedEpoch && offered.leader === promised.acceptedFrom
  return isKept ? 'rejoin' : 'refuse'
}

/** Whether a learner that promised this can never join that leader in that epoch. */
export const isPromisedElsewhere = (
  promised: Pick<HardState, 'acceptedEpoch' | 'acceptedFrom'>,
  offered: { readonly epoch: Epoch; readonly leader: ServerId },
): boolean => judgeLeaderInfo(promised, offered) === 'refuse'
