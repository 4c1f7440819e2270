import { type Client, connect, SessionExpiredError } from '#client/index.js'
import { type ServiceInstance, ServiceRegistry, SessionScope } from '#client/recipes/index.js'
import t from 'tap'
import { startReal } from '../real-kit.js'
import { CuttingTransport, type Fault } from './cutting.js'
import { untilEmpty } from './recipe-kit.js'

t.setTimeout(120_000)

interface Place {
  readonly fault: Fault
  /** At which frame, from 1. */
  readonly at: number
}

interface Round {
  readonly hasStruck: boolean
  readonly outcome: unknown
}

/** An instance from its registration to its end, seen through the same source. */
const live = async (services: ServiceRegistry, other: Client): Promise<void> => {
  await using resolver = services.resolver('query')
  await resolver.ready
  const me = await services.register('query', { id: 'q-1', address: 'one' })
  let hasFailed = false
  // Both end with the session, unless there is a next one.
  for (const { ended } of [me, resolver]) ended.catch(() => (hasFailed = true))
  const untilPicked = async (isWanted: (picked: ServiceInstance<unknown> | null) => boolean) => {
    // The other's round trips are time for what is under way.
    while (!isWanted(resolver.pick()) && !hasFailed) await other.sync()
  }
  await untilPicked((picked) => picked !== null)
  await me.update({ weight: 2 })
  await untilPicked((picked) => picked?.weight === 2)
  await me.unregister()
  await untilPicked((picked) => picked === null)
  await Promise.all([me.ended, hasFailed ? resolver.ended : null])
}

/** One run with a fault at one frame of its first session; resolves once nothing is left of it. */
const strike = async (
  other: Client,
  url: string,
  { fault, at, isScoped }: Place & { readonly isScoped: boolean },
): Promise<Round> => {
  const path = `/services-${isScoped}-${fault}-${at}`
  const wire = new CuttingTransport()
  const connectFirst = async (): Promise<Client> => {
    const client = await wire.connect(url)
    wire.arm(at, fault)
    return client
  }
  let sessions = 0
  const open = (): Promise<Client> => {
    sessions += 1
    return sessions === 1 ? connectFirst() : connect(url)
  }
  const source = isScoped ? new SessionScope(open) : await open()
  const outcome = await live(new ServiceRegistry(source, path), other).then(
    () => 'done',
    (error: unknown) => error,
  )
  await source.close()
  await untilEmpty(other, `${path}/query`)
  return { hasStruck: wire.hasStruck, outcome }
}

const batch = 16

for (const isScoped of [false, true]) {
  const whose = isScoped ? 'a scope' : 'a client'
  t.test(`RECIPE-146 a service of ${whose} with a fault at every frame`, async (t) => {
    const { server, client: other } = await startReal(t)
    let struck = 0
    for (let from = 1, isOver = false; !isOver; from += batch) {
      const ats = Array.from({ length: batch }, (_, i) => from + i)
      isOver = true
      for (const fault of ['cutBefore', 'cutAfter', 'expire'] as const) {
        const rounds = await Promise.all(
          ats.map((at) => strike(other, server.url, { fault, at, isScoped })),
        )
        for (const [i, { outcome }] of rounds.entries()) {
          const mayEnd = fault === 'expire' && !isScoped
          const isExpected =
            outcome === 'done' || (mayEnd && outcome instanceof SessionExpiredError)
          t.ok(isExpected, `${fault} at ${ats[i]}: ${String(outcome)}`)
        }
        struck += rounds.filter(({ hasStruck }) => hasStruck).length
        isOver &&= rounds.some(({ hasStruck }) => !hasStruck)
      }
    }
    t.ok(struck >= 60, `struck ${struck} times`)
  })
}
