import t from 'tap'
import { runWorld } from './world.js'

t.setTimeout(120_000)

const options = { safetyMs: 60_000, livenessMs: 30_000 } as const

t.test('SIM-1 whatever fails in a world, every promise holds and all recover', async (t) => {
  const totals = { acknowledged: 0, faults: 0, epochs: 0 }
  for (let seed = 1; seed <= 25; seed++) {
    const { violation, acknowledged, faults, epochs } = await runWorld({ seed, ...options })
    t.equal(violation, null, `seed ${seed}`)
    totals.acknowledged += acknowledged
    totals.epochs += epochs
    for (const times of faults.values()) totals.faults += times
  }
  t.comment(JSON.stringify(totals))
  t.ok(totals.acknowledged > 5_000 && totals.faults > 300 && totals.epochs > 80)
})

t.test('SIM-2 a seed replays its world, event for event', async (t) => {
  for (const seed of [3, 7, 1_000]) {
    const [first, second] = [
      await runWorld({ seed, ...options }),
      await runWorld({ seed, ...options }),
    ]
    t.equal(first.hash, second.hash)
    t.equal(first.committed, second.committed)
  }
  const [a, b] = [await runWorld({ seed: 1, ...options }), await runWorld({ seed: 2, ...options })]
  t.not(a.hash, b.hash, 'another seed is another world')
})
