import { type Client, connect, FencedError, SessionExpiredError } from '#client/index.js'
import t from 'tap'
import { startReal } from '../real-kit.js'
import { CuttingTransport, type Fault } from './cutting.js'
import { faultedCoordination } from './faulted-coordination.js'
import { faultedGrants } from './faulted-grants.js'
import type { FaultedRecipe } from './faulted-recipe.js'
import { untilGone } from './recipe-kit.js'

t.setTimeout(600_000)

/** Every recipe has its row in one of these. */
const recipes: readonly FaultedRecipe[] = [...faultedGrants, ...faultedCoordination]

const faults: readonly Fault[] = ['cutBefore', 'cutAfter', 'expire']
/** As many rounds at once. */
const batch = 16

interface Place {
  readonly fault: Fault
  /** At which frame, from 1. */
  readonly at: number
}

interface Round extends Place {
  readonly hasStruck: boolean
  readonly outcome: unknown
}

for (const [i, recipe] of recipes.entries()) {
  t.test(
    `RECIPE-6 RECIPE-7 RECIPE-60 ${recipe.name}: a fault at every frame`,
    { timeout: 120_000 },
    async (t) => {
      const { server, client: other } = await startReal(t)
      const play = ({ fault, at }: Place): Promise<Round> => {
        const path = `/recipe-${i}-${fault}-${at}`
        return round(recipe, { url: server.url, other, path, fault, at })
      }
      let struck = 0
      for (let from = 1, isOver = false; !isOver; from += batch) {
        const ats = Array.from({ length: batch }, (_, offset) => from + offset)
        const places = faults.flatMap((fault) => ats.map((at) => ({ fault, at })))
        const rounds = await Promise.all(places.map(play))
        for (const { fault, at, outcome } of rounds) {
          t.ok(isExpected(outcome, fault), `${fault} at ${at}: ${String(outcome)}`)
        }
        struck += rounds.filter(({ hasStruck }) => hasStruck).length
        isOver = faults.every((each) =>
          rounds.some(({ fault, hasStruck }) => fault === each && !hasStruck),
        )
      }
      t.ok(struck >= 3 * framesMin, `struck ${struck} times`)
    },
  )
}

/** Fewer frames than that are no recipe. */
const framesMin = 8

/** One run with a fault at one frame; resolves once nothing of it is left. */
const round = async (
  recipe: FaultedRecipe,
  { url, other, path, fault, at }: Place & { url: string; other: Client; path: string },
): Promise<Round> => {
  const wire = new CuttingTransport()
  const client = await wire.connect(url)
  wire.arm(at, fault)
  const outcome = await recipe.run({ client, other, path, connect: () => connect(url) }).then(
    () => done,
    (error: unknown) => error,
  )
  // Not by the end of its session, as long as that lives.
  if (client.state !== 'expired') await untilGone(other, path)
  await client.close()
  await untilGone(other, path)
  return { fault, at, hasStruck: wire.hasStruck, outcome }
}

const done = 'done'

const isExpected = (outcome: unknown, fault: Fault): boolean =>
  outcome === done ||
  (fault === 'expire' && (outcome instanceof SessionExpiredError || outcome instanceof FencedError))
