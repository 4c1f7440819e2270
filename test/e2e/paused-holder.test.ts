import t from 'tap'
import { testPausedHolders } from '../support/paused-holder-checks.js'

t.setTimeout(110_000)

t.test('RECIPE-61 holders are stopped past their end', (t) =>
  testPausedHolders(t, { processes: 2, holdings: 6, batches: ['takeover'], takeoversMin: 12 }),
)
