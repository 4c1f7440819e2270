import t from 'tap'
import { runWorlds } from './many-worlds.js'

t.setTimeout(1_800_000)

const seeds = Array.from({ length: 75 }, (_, index) => 2 * index + 2)

t.test('SIM-1 SIM-2 whatever fails in another half of the worlds, promises hold', async (t) => {
  const report = await runWorlds(t, { seeds, twice: 7 })
  t.strictSame(report.shortcomings(0), [])
  t.strictSame(report.absentFaults, [], 'every class of faults struck')
})
