import {
  type Epoch,
  epochZero,
  type LogPosition,
  nextZxid,
  type Zxid,
  zxidZero,
} from '@conclave/protocol'
import type { PeerFrame } from '@conclave/protocol/peer'
import { assert } from '../assert.js'
import type { Journal } from './journal.js'

/** How a learner's history is brought to its leader's. What follows `after` comes as proposals. */
type SynchronizationPlan =
  | { readonly plan: 'diff'; readonly after: Zxid }
  | { readonly plan: 'trunc'; readonly after: Zxid; readonly expectedEpoch: Epoch }
  | { readonly plan: 'snap' }

type LeaderHistory = Pick<Journal, 'last' | 'epochs' | 'holdsAfter'>

/**
 * A leader's history holds all that any earlier epoch committed, and an epoch that logged anything
 * was established on a committed history. So a record of the learner's last epoch k vouches for all
 * of its log below k, and the two histories part no earlier than where the leader's records of
 * epochs up to k end. Example: the learner ends with epoch 3 at zxid 10, the leader holds epoch 2
 * up to zxid 8, then epoch 4: cut the learner after 8.
 */
export const planSynchronization = (
  leader: LeaderHistory,
  learner: LogPosition,
): SynchronizationPlan => {
  const plan = alignment(leader, learner)
  // The seam for snapshots: what follows has left memory, so only all of the state would help.
  return leader.holdsAfter(plan.after) ? plan : { plan: 'snap' }
}

/** What a learner is sent, up to the leader's last record, committed or not. */
export const synchronizationFrames = (
  plan: Exclude<SynchronizationPlan, { plan: 'snap' }>,
  journal: Pick<Journal, 'last' | 'get'>,
  tag: { readonly epoch: Epoch; readonly join: number },
): readonly PeerFrame[] => {
  const frames: PeerFrame[] = [
    plan.plan === 'diff'
      ? { frame: 'diff', ...tag, zxid: plan.after }
      : { frame: 'trunc', ...tag, zxid: plan.after, expectedEpoch: plan.expectedEpoch },
  ]
  const { last } = journal
  for (let zxid = nextZxid(plan.after); zxid <= last.zxid; zxid = nextZxid(zxid)) {
    const txn = journal.get(zxid)
    assert(txn !== undefined, 'the plan has seen that memory holds what follows')
    frames.push({ frame: 'proposal', ...tag, txn })
  }
  return frames
}

/** Whether the learner's record at the cut is the one the leader means. */
export const truncationFits = (
  history: Pick<Journal, 'last' | 'epochs'>,
  cut: { readonly zxid: Zxid; readonly expectedEpoch: Epoch },
): boolean =>
  cut.zxid <= history.last.zxid && history.epochs.epochAt(cut.zxid) === cut.expectedEpoch

const alignment = (
  { last, epochs }: LeaderHistory,
  learner: LogPosition,
): Exclude<SynchronizationPlan, { plan: 'snap' }> => {
  const isContained = learner.zxid <= last.zxid && epochs.epochAt(learner.zxid) === learner.epoch
  if (isContained) return { plan: 'diff', after: learner.zxid }
  const common = epochs.lastZxidThrough(learner.epoch, last.zxid)
  const after = Math.min(learner.zxid, common) as Zxid
  const expectedEpoch = after === zxidZero ? epochZero : epochs.epochAt(after)
  return { plan: 'trunc', after, expectedEpoch }
}
