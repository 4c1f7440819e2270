import type { Test } from 'tap'
import type { Fault } from '../client-sdk/recipes/cutting.js'
import type { Round } from '../client-sdk/recipes/every-frame.js'

/** Fewer frames than that are no recipe. */
const framesMin = 8

/** Every run has ended as it may, and each fault has struck as often as a recipe has frames. */
export const checkRounds = (
  t: Test,
  rounds: readonly Round[],
  { faults, stride }: { readonly faults: readonly Fault[]; readonly stride: number },
): void => {
  for (const { fault, at, isExpected, outcome } of rounds) {
    t.ok(isExpected, `${fault} at ${at}: ${outcome}`)
  }
  for (const each of faults) {
    const struck = rounds.filter(({ fault, hasStruck }) => fault === each && hasStruck)
    t.ok(struck.length * stride >= framesMin, `${each} struck ${struck.length} times`)
  }
}
