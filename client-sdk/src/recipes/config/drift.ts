import type { NodeSeen, NodeState } from './nodes.js'
import { isChosen } from './stages.js'
import type { HeadSeen, Kept, RolloutState } from './versions.js'

/** What a node runs beside what it is to run. */
export interface ConfigDrift extends NodeState {
  /** What it is to run; 0 when there is no version yet. */
  readonly target: number
  /** For how long a newer version has been there for it, in ms; 0 when there is none. */
  readonly behindMs: number
}

/** The version that a node is to run; of no node, the one that counts. */
export const targetOf = (
  head: Pick<HeadSeen, 'version' | 'rollout'>,
  node: Pick<NodeState, 'id' | 'labels'> | null,
): number => {
  if (head.rollout === null || node === null) return head.version
  return isChosen(node, startedStages(head.rollout)) ? head.rollout.version : head.version
}

/** A rollout as far as it has come. */
export const startedStages = ({ version, stages, stage }: RolloutState) => ({
  version,
  stages: stages.slice(0, stage + 1),
})

/** @param about the kept versions, oldest first, and the time, all by the servers' clock */
export const driftOf = (
  node: NodeSeen,
  about: {
    readonly head: HeadSeen
    readonly kept: readonly Kept[]
    readonly nowMs: number
  },
): ConfigDrift => {
  const { id, labels, version, refused, sinceMs } = node
  const { head, kept, nowMs } = about
  const target = targetOf(head, node)
  const missed = kept.find((one) => one.version > (version ?? 0) && one.version <= target)
  if (missed === undefined) return { id, labels, version, refused, target, behindMs: 0 }
  // A version that was rolled out in stages counts for the rest only since then.
  const isForAll = head.rollout === null && missed.version === head.version
  const missedMs = isForAll ? head.atMs : missed.atMs
  const behindMs = Math.max(0, nowMs - Math.max(missedMs, version === null ? sinceMs : 0))
  return { id, labels, version, refused, target, behindMs }
}
