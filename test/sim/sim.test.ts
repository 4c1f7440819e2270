import t from 'tap'
import { runWorlds, twoMinutes } from './many-worlds.js'
import { runWorld } from './world.js'

t.setTimeout(1_800_000)

const seeds = Array.from({ length: 75 }, (_, index) => 2 * index + 1)

t.test(
  'SIM-1 SIM-2 SIM-4 whatever fails in a world, every promise holds and all recover',
  async (t) => {
    const report = await runWorlds(t, { seeds, twice: 8 })
    t.strictSame(report.shortcomings(0), [])
    t.strictSame(report.absentFaults, [], 'every class of faults struck')
    t.ok(report.acknowledgedPerSecond >= 10, `${report.acknowledgedPerSecond} operations a second`)
  },
)

t.test('SIM-2 another seed is another world', async (t) => {
  const [a, b] = [
    await runWorld({ seed: 1, ...twoMinutes }),
    await runWorld({ seed: 2, ...twoMinutes }),
  ]
  t.not(a.hash, b.hash)
})
