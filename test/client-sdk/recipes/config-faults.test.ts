import { type Client, SessionExpiredError } from '#client/index.js'
import { ConfigStore } from '#client/recipes/index.js'
import t from 'tap'
import { startReal } from '../real-kit.js'
import { runUntil, type Settings, settings } from './config-kit.js'
import { CuttingTransport, type Fault } from './cutting.js'
import { namesAt, untilEmpty } from './recipe-kit.js'

/** Edits, a rollout and a subscription, by a client that is also the only node. */
const run = async (store: ConfigStore<Settings>): Promise<readonly number[]> => {
  await store.update(() => ({ shards: 1 }))
  const running = runUntil(store.subscribe({ node: { id: 'db-1' } }), ({ shards }) => shards === 99)
  const work = async (): Promise<void> => {
    const judging = { stages: [{ percent: 100 }], settleMs: 0, healthy: () => true }
    await store.rollout({ shards: 2 }, judging)
    await store.update((now) => ({ shards: (now?.shards ?? 0) + 97 }))
  }
  // Whichever fails ends both, for they share the session.
  const [versions] = await Promise.all([running, work()])
  return versions
}

interface Round {
  readonly frames: number
  readonly hasStruck: boolean
  readonly outcome: unknown
  readonly versions: readonly string[]
}

const strike = async (
  other: Client,
  url: string,
  { at, fault }: { readonly at: number; readonly fault: Fault },
): Promise<Round> => {
  const wire = new CuttingTransport()
  const client = await wire.connect(url)
  const path = `/config-${fault}-${at}`
  wire.arm(at, fault)
  const outcome: unknown = await run(new ConfigStore(client, path, { schema: settings })).catch(
    (error: unknown) => error,
  )
  // The servers ended the session before they told it.
  const nodes = client.state === 'expired' ? await namesAt(other, `${path}/nodes`) : []
  await client.close()
  if (nodes.length === 0) await untilEmpty(other, `${path}/nodes`)
  const versions = [...nodes, ...(await namesAt(other, `${path}/versions`))]
  return { frames: wire.passed, hasStruck: wire.hasStruck, outcome, versions }
}

t.test(
  'RECIPE-172 a configuration store with a fault at every frame',
  { timeout: 110_000 },
  async (t) => {
    const { server, client: other } = await startReal(t)
    const calm = await strike(other, server.url, { at: 0, fault: 'cutAfter' })
    t.equal((calm.outcome as readonly number[]).at(-1), 3)
    for (const fault of ['cutBefore', 'cutAfter', 'expire'] as const) {
      const places = Array.from({ length: calm.frames }, (_, i) => i + 1)
      const rounds: Round[] = []
      // A few at a time: all at once are more connections than a busy machine opens in time.
      for (let from = 0; from < places.length; from += 20) {
        const some = places.slice(from, from + 20)
        const struck = some.map((at) => strike(other, server.url, { at, fault }))
        rounds.push(...(await Promise.all(struck)))
      }
      t.ok(rounds.filter(({ hasStruck }) => hasStruck).length >= calm.frames / 2)
      for (const [i, { outcome, versions }] of rounds.entries()) {
        const where = `${fault} at ${i + 1}: ${String(outcome)}`
        if (fault === 'expire') {
          const isEnd = Array.isArray(outcome) || outcome instanceof SessionExpiredError
          t.ok(isEnd && versions.every((name, k) => Number(name) === k + 1), where)
        } else {
          // Each edit was made once: none lost, none made again.
          t.strictSame(versions, calm.versions, where)
          const seen = outcome as readonly number[]
          t.strictSame(
            seen,
            [...new Set(seen)].sort((a, b) => a - b),
            where,
          )
          t.equal(seen.at(-1), 3, where)
        }
      }
    }
  },
)
