import { epochZero, type LogPosition, type Zxid, zxidZero } from '@conclave/protocol'
import type { JoinFrameOf } from './join-frame.js'
import type { Journal } from './journal.js'

type History = Pick<Journal, 'last' | 'epochs'>

/** The frame by which a learner's history becomes a prefix of its leader's. */
type Alignment = JoinFrameOf<'diff'> | JoinFrameOf<'trunc'>

/**
 * A leader's history holds all that any earlier epoch committed, and an epoch that logged anything
 * was established on a committed history. So a record of the learner's last epoch k vouches for all
 * of its log below k, and the two histories part no earlier than where the leader's records of
 * epochs up to k end. Example: the learner ends with epoch 3 at zxid 10, the leader holds epoch 2
 * up to zxid 8, then epoch 4: cut the learner after 8.
 */
export const planAlignment = ({ last, epochs }: History, learner: LogPosition): Alignment => {
  const isContained = learner.zxid <= last.zxid && epochs.epochAt(learner.zxid) === learner.epoch
  if (isContained) return { frame: 'diff', zxid: learner.zxid }
  const common = epochs.lastZxidThrough(learner.epoch, last.zxid)
  const zxid = Math.min(learner.zxid, common) as Zxid
  const expectedEpoch = zxid === zxidZero ? epochZero : epochs.epochAt(zxid)
  return { frame: 'trunc', zxid, expectedEpoch }
}

/** Whether the learner's record at the cut is the one the leader means. */
export const truncationFits = (
  history: History,
  cut: Pick<JoinFrameOf<'trunc'>, 'zxid' | 'expectedEpoch'>,
): boolean =>
  cut.zxid <= history.last.zxid && history.epochs.epochAt(cut.zxid) === cut.expectedEpoch
