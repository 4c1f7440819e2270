import { limits } from '@conclave/protocol'
import type { Context, Departure } from './context.js'
import { quorumHighest } from './quorum.js'
import type { Roster } from './roster.js'

/**
 * Why a leader must leave. One that hears no quorum leads nobody; one that cannot keep up makes
 * room for one that can, unless the others are no quorum without it: that would help nobody.
 * @param startedMs when it began to wait for a quorum
 */
export const whyUnfit = (context: Context, roster: Roster, startedMs: number): Departure | null => {
  const { clock } = context
  const heardMs = Math.max(quorumHeardMs(roster, clock.nowMs), startedMs)
  if (clock.nowMs - heardMs > limits.silenceMsMax) return leave('no quorum of learners was heard')
  const othersHeardMs = quorumHeardMs(roster, -Infinity)
  return clock.nowMs - othersHeardMs > limits.silenceMsMax ? null : whySpared(context, roster)
}

/** Whether a quorum of voters has room for what is proposed. */
export const haveSpace = (roster: Roster, own: boolean): boolean =>
  roster.isQuorum({ own, learner: (learner) => learner.counts && learner.hasSpace })

const whySpared = ({ clock, disk, journal }: Context, roster: Roster): Departure | null => {
  if (!disk.hasSpace && haveSpace(roster, false)) {
    return leave('its disk is full, and others have space')
  }
  const diskMs = clock.nowMs - (journal.outstandingSinceMs ?? clock.nowMs)
  if (diskMs > limits.stallMsMax) return leave(`its disk has stalled for ${diskMs} ms`)
  const { stalledMs } = clock
  return stalledMs > limits.stallMsMax ? leave(`it has stood still for ${stalledMs} ms`) : null
}

/** When the quorum-th of the voters was last heard. */
const quorumHeardMs = (roster: Roster, own: number): number =>
  quorumHighest(
    roster.ofVoters({
      own,
      absent: -Infinity,
      learner: (learner) => (learner.counts ? learner.heardMs : -Infinity),
    }),
  )

const leave = (why: string): Departure => ({ from: null, why })
