import type { Check, Timed } from './wgl.js'

/** Tries every order that respects time: slow, and too simple to be wrong. */
export const checkExhaustively: Check = (model, ops) => {
  const isPossible = (
    state: typeof model.initial,
    left: readonly (typeof ops)[number][],
  ): boolean =>
    left.every(isOptional) ||
    left.some((op) => {
      const others = left.filter((each) => each !== op)
      if (others.some(({ returnedAt }) => returnedAt < op.calledAt)) return false
      const next = model.step(state, op)
      return next !== null && isPossible(next, others)
    })
  return isPossible(model.initial, ops) ? 'linearizable' : 'illegal'
}

const isOptional = ({ returnedAt }: Timed): boolean => !Number.isFinite(returnedAt)
