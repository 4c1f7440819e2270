import type { LogPosition, Zxid } from '@conclave/protocol'
import type { Offer } from './discovery.js'

/** What a leader knows of one learner, for one join on the link that is open. */
export interface LearnerHandler {
  readonly join: number
  /** The last round begun before it joined. */
  readonly joinedRound: number
  /** From its ackEpoch: what it held then. */
  promise: { readonly offer: Offer; readonly last: LogPosition } | null
  /** A fresh learner counts for nothing until it has acknowledged newLeader. */
  counts: boolean
  /** The leader's history was sent; every proposal follows. */
  isSynchronizing: boolean
  isNewLeaderSent: boolean
  /** Durable there, since it acknowledged newLeader. */
  ackedZxid: Zxid | null
  /** The highest commit told, since it is up to date. */
  toldCommitted: Zxid | null
  ackedRound: number
  heardMs: number
}

export const newLearnerHandler = (
  join: Pick<LearnerHandler, 'join' | 'joinedRound' | 'heardMs'>,
): LearnerHandler => ({
  ...join,
  promise: null,
  counts: false,
  isSynchronizing: false,
  isNewLeaderSent: false,
  ackedZxid: null,
  toldCommitted: null,
  ackedRound: 0,
})
