import { type Epoch, epochZero, type ServerId, zxidZero } from '@conclave/protocol'
import type { PeerFrameOf } from '@conclave/protocol/peer'
import { assertNever } from '../assert.js'
import type { RoleName } from '../effect.js'
import type { Context } from './context.js'
import type { Offer } from './discovery.js'
import type { Election } from './election.js'
import type { Leader } from './leader.js'
import type { Learner } from './learner.js'

export type Role =
  /** There is no election before the disk has come to rest. */
  | { readonly role: 'looking'; readonly election: Election | null }
  /** On the way into a leadership, or in it. */
  | { readonly role: 'following'; readonly learner: Learner; readonly offer: Offer }
  /** Standing for a leadership, or established in it. */
  | { readonly role: 'leading'; readonly leader: Leader; readonly offer: Offer }

/** The role as the rest of the world sees it. */
export interface Standing {
  readonly role: RoleName
  readonly epoch: Epoch
  readonly leader: ServerId | null
}

export const standingOf = (role: Role, { config, delivery, journal }: Context): Standing => {
  if (role.role === 'leading' && role.leader.isEstablishedAt(delivery.lastApplied)) {
    return { role: 'leading', epoch: role.leader.epoch, leader: config.serverId }
  }
  if (role.role === 'following' && role.learner.isUpToDateAt(delivery.lastApplied)) {
    const { epoch, leader } = role.learner
    const isVoter = config.voters.includes(config.serverId)
    return { role: isVoter ? 'following' : 'observing', epoch, leader }
  }
  return { role: 'looking', epoch: journal.durableHardState.currentEpoch, leader: null }
}

/** What other servers are told of it. */
export const notificationOf = (role: Role, context: Context): PeerFrameOf<'notification'> => ({
  frame: 'notification',
  state: standingOf(role, context).role,
  hasSpace: context.disk.hasSpace,
  ...ballotOf(role, context),
})

type Ballot = Omit<PeerFrameOf<'notification'>, 'frame' | 'state' | 'hasSpace'>

const ballotOf = (role: Role, { config }: Context): Ballot => {
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

const noBallot = Object.freeze({
  epoch: epochZero,
  vote: 0 as ServerId,
  currentEpoch: epochZero,
  lastZxid: zxidZero,
  rejoining: false,
  bootstrap: false,
})
