import t from 'tap'
import { disagreements, mistakesOnLies } from '../checker/self-test.js'
import { checkLinearizable } from '../checker/wgl.js'

t.setTimeout(1_800_000)

t.test('SIM-3 the checker agrees with trying all orders, in 100,000 cases', async (t) => {
  t.strictSame(disagreements(checkLinearizable, 100_000, 10_000).found, [])
})

t.test('SIM-3 10,000 lies are seen', async (t) => {
  t.strictSame(mistakesOnLies(checkLinearizable, 2_000), [])
})
