import { Random } from '../sim/random.js'
import { checkExhaustively } from './exhaustive.js'
import { makeHistory } from './histories.js'
import { lies } from './lies.js'
import { partition } from './partition.js'
import type { Check, Verdict } from './wgl.js'
import { znodeModel, type ZnodeOp } from './znode-model.js'

/** The verdict on a whole history: its worst part decides. */
export const checkParts = (check: Check, ops: readonly ZnodeOp[]): Verdict => {
  const verdicts = partition(ops).map((part) => check(znodeModel, part))
  if (verdicts.includes('illegal')) return 'illegal'
  return verdicts.includes('unknown') ? 'unknown' : 'linearizable'
}

/** What `check` gets wrong about long histories: true ones, and the same with one lie in each. */
export const mistakesOnLies = (check: Check, rounds: number): readonly string[] => {
  const mistakes: string[] = []
  for (let round = 1; round <= rounds; round++) {
    const random = new Random(round)
    const ops = 20 + random.below(181)
    const shape = { ops, processes: 2 + random.below(7), paths: ['/a', '/a/b', '/a/c', '/d'] }
    const truth = checkParts(check, makeHistory(random, shape))
    if (truth !== 'linearizable') mistakes.push(`round ${round}: what is true is ${truth}`)
    for (const [name, tell] of Object.entries(lies)) {
      const verdict = checkParts(check, tell(random, { ...shape, ops: Math.max(ops, 60) }))
      if (verdict !== 'illegal') mistakes.push(`round ${round}: ${name} is ${verdict}`)
    }
  }
  return mistakes
}

/** Where `check` and trying all orders disagree, over small histories, most of them spoilt. */
export const disagreements = (
  check: Check,
  cases: number,
  first = 1,
): { readonly found: readonly string[]; readonly illegal: number } => {
  const found: string[] = []
  let illegal = 0
  for (let seed = first; seed < first + cases; seed++) {
    const ops = spoiltHistory(new Random(seed))
    const expected = checkExhaustively(znodeModel, ops)
    if (expected === 'illegal') illegal += 1
    const verdict = check(znodeModel, ops)
    const byParts = checkParts(check, ops)
    if (verdict !== expected || byParts !== expected) {
      found.push(`case ${seed}: ${verdict} and by parts ${byParts}, not ${expected}`)
    }
  }
  return { found, illegal }
}

/** Up to seven operations; some answers change places, some are unknown, some are late. */
const spoiltHistory = (random: Random): readonly ZnodeOp[] => {
  const shape = { ops: 3 + random.below(5), processes: 2 + random.below(3), paths: ['/a', '/a/b'] }
  const faults = { lost: random.pick([0, 0.3]), twice: random.pick([0, 0.3]) }
  const ops = makeHistory(random, { ...shape, ...faults })
  return ops.map((op) => {
    const dice = random.fraction()
    if (dice < 0.3) return { ...op, answer: random.pick(ops).answer }
    if (dice < 0.4) return { ...op, answer: null, returnedAt: Number.POSITIVE_INFINITY }
    return op
  })
}
