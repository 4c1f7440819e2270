import t from 'tap'
import { testPausedHolders } from '../support/paused-holder-checks.js'

t.setTimeout(600_000)

/** Some pauses end before a session of 1 s does or about then: not all have lost what they hold. */
const batches = ['takeover', 300, 'takeover', 600, 'takeover', 800, 'takeover', 'takeover'] as const

t.test('RECIPE-61 in 240 rounds of 384 holders are stopped past their end', (t) =>
  testPausedHolders(t, { processes: 4, holdings: 12, batches, takeoversMin: 240 }),
)
