import { parentPort, workerData } from 'node:worker_threads'
import type { Test } from 'tap'
import {
  EveryFrame,
  type EveryFrameOptions,
  type Round,
} from '../../client-sdk/recipes/every-frame.js'
import { faultedRecipes } from '../../client-sdk/recipes/faulted-recipes.js'
import { checkRounds } from '../../support/every-frame-checks.js'
import { inThread } from '../../support/in-thread.js'
import { calmGround } from './calm-ground.js'

const faults = ['cutBefore', 'cutAfter', 'expire', 'isolate'] as const

/** What became of one recipe. */
interface Played {
  readonly name: string
  readonly rounds: readonly Round[]
  /** What never came to its end. */
  readonly waiting: readonly string[]
}

/** Every recipe in a simulated world of its own, with each fault at every `stride`th frame. */
export const testEveryFrame = async (t: Test, stride: number): Promise<void> => {
  const options: EveryFrameOptions = { faults, stride }
  const names = new Set<string>()
  for await (const played of inThread<Played>(new URL(import.meta.url), options)) {
    const { name, rounds, waiting } = played
    names.add(name)
    await t.test(`RECIPE-6 RECIPE-7 RECIPE-60 ${name}: a fault at every frame`, async (t) => {
      t.strictSame(waiting, [], 'nothing hangs, and nothing is left behind')
      checkRounds(t, rounds, { faults, stride })
    })
  }
  t.strictSame(
    [...names],
    faultedRecipes.map(({ name }) => name),
  )
}

const play = async (options: EveryFrameOptions): Promise<void> => {
  for (const recipe of faultedRecipes) {
    const calm = await calmGround()
    const runs = new EveryFrame(recipe, calm.ground, options)
    const rounds = (await calm.settled(runs.run())) ?? []
    const played: Played = { name: recipe.name, rounds, waiting: runs.waiting }
    parentPort?.postMessage(played)
  }
}

if (parentPort !== null) await play(workerData as EveryFrameOptions)
