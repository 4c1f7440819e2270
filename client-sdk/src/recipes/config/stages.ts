import { BadArgumentsError } from '../../errors.js'
import { nameOf } from '../znodes.js'

/** Which nodes get the next version: those with the label, or so many of 100 (0 < percent). */
export type RolloutStage = { readonly label: string } | { readonly percent: number }

/** Who runs a configuration, as the stages of a rollout see it. */
export interface ConfigNode {
  /** Its own: of two that share it, only the last to say something is seen. */
  readonly id: string
  readonly labels?: readonly string[] | undefined
}

const stagesMax = 20
const labelsMax = 16
const labelLengthMax = 100

const isLabel = (label: unknown): boolean =>
  typeof label === 'string' && label !== '' && label.length <= labelLengthMax

/** @throws BadArgumentsError */
export const stagesOf = (given: unknown): readonly RolloutStage[] => {
  if (Array.isArray(given) && given.length > 0 && given.length <= stagesMax) {
    if (given.every(isStage)) return given
  }
  const message = `stages are 1 to ${stagesMax} of { label } or { percent: 0 to 100 }`
  throw new BadArgumentsError({ message })
}

const isStage = (stage: unknown): stage is RolloutStage => {
  if (typeof stage !== 'object' || stage === null || Object.keys(stage).length !== 1) return false
  const { label, percent } = stage as { readonly label?: unknown; readonly percent?: unknown }
  if (label !== undefined) return isLabel(label)
  return typeof percent === 'number' && percent > 0 && percent <= 100
}

/** @throws BadArgumentsError */
export const nodeOf = (given: unknown): Required<ConfigNode> => {
  const { id, labels = [] } = (given ?? {}) as Partial<ConfigNode>
  const areFew = Array.isArray(labels) && labels.length <= labelsMax
  if (areFew && labels.every(isLabel)) {
    return { id: nameOf(id, 'the id of a node'), labels: [...labels] }
  }
  const message = `the labels of a node are at most ${labelsMax} words of ${labelLengthMax} letters`
  throw new BadArgumentsError({ message })
}

/**
 * Whether a node is among those of the stages so far. Who is in the part of a percentage differs
 * from version to version, so that it is not always the same ones that go first, and is the same
 * for everybody who asks; a larger part holds every smaller one.
 */
export const isChosen = (
  { id, labels = [] }: ConfigNode,
  { version, stages }: { readonly version: number; readonly stages: readonly RolloutStage[] },
): boolean =>
  stages.some((stage) =>
    'label' in stage ? labels.includes(stage.label) : placeOf(`${version}/${id}`) < stage.percent,
  )

/** From 0 to 100: FNV-1a, its bits mixed by the last steps of MurmurHash3 (Appleby, fmix32). */
const placeOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32) * 100
}
