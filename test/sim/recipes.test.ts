import t from 'tap'
import { runWorlds } from './many-worlds.js'
import { activities } from './recipes/activities.js'

t.setTimeout(1_800_000)

/** In the last one a holder that stood still writes too late. */
const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 21]

t.test(
  'SIM-2 RECIPE-62 RECIPE-63 RECIPE-64 RECIPE-66 RECIPE-67 RECIPE-68 whatever fails, recipes hold',
  async (t) => {
    const report = await runWorlds(t, { seeds, twice: 1, usesRecipes: true })
    t.strictSame(report.shortcomings(0), [])
    const { recipes } = report
    for (const done of demanded) t.ok((recipes.get(done) ?? 0) > 0, done)
  },
)

/** Or the worlds prove nothing. */
const demanded = [
  ...Object.keys(activities).map((activity) => `${activity} done`),
  'mutex TimeoutError',
  'guarded write done',
  'late write when lost sessionExpired',
  'late write when lost fenced',
]
