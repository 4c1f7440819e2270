import type { Test } from 'tap'
import { type PausedHoldersPlan, pausedHolders, type PausedRound } from './paused-holders.js'

/** One run; each test looks at one side of it. */
export const testPausedHolders = async (
  t: Test,
  plan: PausedHoldersPlan & { readonly takeoversMin: number },
): Promise<void> => {
  const rounds = await pausedHolders(t, plan)
  const late = rounds.filter(({ hadTakenOver }) => hadTakenOver)
  t.equal(rounds.length, plan.processes * plan.holdings * plan.batches.length)
  t.comment(countsOf(rounds))
  t.ok(late.length >= plan.takeoversMin, `${late.length} rivals had taken over before the end`)

  await t.test('RECIPE-61 who stood still over its end knows it, and its write is refused', (t) => {
    for (const { kind, late: write } of late) {
      t.equal(write.isHeld, false, kind)
      t.ok(refusals.has(write.outcome), `${kind}: ${write.outcome}`)
    }
    for (const outcome of refusals) {
      const refused = late.filter((round) => round.late.outcome === outcome)
      t.ok(refused.length >= plan.takeoversMin / 8, `${refused.length} were ${outcome}`)
    }
    t.end()
  })

  await t.test('RECIPE-61 no two are accepted: writes are in the order of tokens', (t) => {
    for (const { kind, late: write, rival, value } of rounds) {
      t.ok(rival.token > write.token, kind)
      t.equal(rival.outcome, 'done', kind)
      t.equal(value.token, rival.token, 'the last write is that of the last holder')
      if (write.zxid !== null) t.ok(write.zxid < (rival.zxid ?? 0), kind)
    }
    for (const { kind, value } of late) t.equal(value.version, 1, `${kind}: no other write`)
    t.end()
  })

  await t.test('RECIPE-61 storage that checks tokens accepts nobody after the next', (t) => {
    for (const { kind, hadTakenOver, isLateAcceptedOutside, rival } of rounds) {
      t.ok(rival.isAcceptedOutside, kind)
      if (hadTakenOver) t.equal(isLateAcceptedOutside, false, kind)
    }
    t.end()
  })
}

const refusals: ReadonlySet<string> = new Set(['fenced', 'sessionExpired'])

const countsOf = (rounds: readonly PausedRound[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { kind, hadTakenOver, late } of rounds) {
    const what = `${kind} ${hadTakenOver ? 'after' : 'before'} the takeover: ${late.outcome}`
    counts[what] = (counts[what] ?? 0) + 1
  }
  return counts
}
