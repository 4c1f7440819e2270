import t from 'tap'
import { ZabModel } from './zab-model.js'

t.setTimeout(120_000)

t.test('ZAB-20 under random faults nothing committed is lost, afterwards all agree', async (t) => {
  const coverage = { leaders: 0, truncated: 0, wiped: 0, rounds: 0, reads: 0 }
  for (let seed = 1; seed <= 300; seed++) {
    const model = new ZabModel(seed, seed % 3 === 0 ? 5 : 3)
    try {
      model.run(12_000)
      model.heal()
      model.run(4_000)
      const committed = model.observer.committed.length
      model.run(4_000)
      if (model.observer.committed.length <= committed) throw new Error('no progress after healing')
      for (const { zab } of model.members) {
        const role = zab?.role ?? 'down'
        if (role === 'looking' || role === 'down') throw new Error(`a server is ${role}`)
      }
    } catch (error) {
      t.fail(`seed ${seed}: ${(error as Error).stack}`)
      return
    }
    for (const key of Object.keys(coverage) as (keyof typeof coverage)[]) {
      coverage[key] += model.observer.coverage[key]
    }
  }
  t.comment(JSON.stringify(coverage))
  for (const [what, times] of Object.entries(coverage)) t.ok(times >= 10, `${what} was exercised`)
})
