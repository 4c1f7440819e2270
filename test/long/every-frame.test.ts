import { nodePlatform } from '#client/transport/node.js'
import t from 'tap'
import { EveryFrame } from '../client-sdk/recipes/every-frame.js'
import { faultedRecipes } from '../client-sdk/recipes/faulted-recipes.js'
import { startReal } from '../client-sdk/real-kit.js'
import { checkRounds } from '../support/every-frame-checks.js'
import { testEveryFrame } from '../sim/recipes/every-frame.js'

t.setTimeout(1_800_000)

await testEveryFrame(t, 1)

/** What is cut off for seconds is for simulated time. */
const faults = ['cutBefore', 'cutAfter', 'expire'] as const

for (const recipe of faultedRecipes) {
  t.test(`RECIPE-6 RECIPE-7 RECIPE-60 over real connections: ${recipe.name}`, async (t) => {
    const { server } = await startReal(t)
    const ground = { url: server.url, place: () => nodePlatform }
    checkRounds(t, await new EveryFrame(recipe, ground, { faults }).run(), { faults, stride: 1 })
  })
}
