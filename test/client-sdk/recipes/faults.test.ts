import { type Client, FencedError, SessionExpiredError } from '#client/index.js'
import {
  Election,
  Lease,
  MultiLock,
  Mutex,
  PersistentEphemeral,
  ReadWriteLock,
  Semaphore,
} from '#client/recipes/index.js'
import t from 'tap'
import { startReal } from '../real-kit.js'
import { CuttingTransport, type Fault } from './cutting.js'
import { untilEmpty, untilNames } from './recipe-kit.js'

/** A recipe from its begin to its end, which waits for another who has what it wants. */
interface Recipe {
  readonly name: string
  readonly path: string
  /** Has it first. @returns gives it back */
  hold(client: Client, path: string): Promise<() => Promise<unknown>>
  /** @returns once it has written under its guard and given it back */
  run(client: Client, path: string): Promise<unknown>
}

const guarded = (client: Client, guard: { path: string; czxid: number }): Promise<unknown> =>
  client.transaction().add(guard).create('/written-', null, { kind: 'sequential' }).commit()

const recipes: readonly Recipe[] = [
  {
    name: 'mutex',
    path: '/mutex',
    async hold(client, path) {
      const grant = await new Mutex(client, path).acquire()
      return () => grant.release()
    },
    async run(client, path) {
      await using grant = await new Mutex(client, path).acquire()
      await guarded(client, grant.guard)
    },
  },
  {
    name: 'election',
    path: '/election',
    async hold(client, path) {
      let end!: () => void
      const done = new Promise<void>((resolve) => (end = resolve))
      let leading!: Promise<void>
      await new Promise<void>((elected) => {
        leading = new Election(client, path).lead(() => {
          elected()
          return done
        })
      })
      return async () => {
        end()
        await leading
      }
    },
    run: (client, path) => new Election(client, path).lead(({ guard }) => guarded(client, guard)),
  },
  {
    name: 'semaphore',
    path: '/semaphore',
    async hold(client, path) {
      const semaphore = new Semaphore(client, path, { permits: 2 })
      const grants = await Promise.all([semaphore.acquire(), semaphore.acquire()])
      return () => Promise.all(grants.map((grant) => grant.release()))
    },
    async run(client, path) {
      await using grant = await new Semaphore(client, path, { permits: 2 }).acquire()
      await guarded(client, grant.guard)
    },
  },
  {
    name: 'lease',
    path: '/lease',
    async hold(client, path) {
      const lease = await Lease.acquire(client, path)
      return () => lease.release()
    },
    async run(client, path) {
      await using lease = await Lease.acquire(client, path)
      await guarded(client, lease.guard)
    },
  },
  {
    name: 'read-write lock',
    path: '/read-write',
    async hold(client, path) {
      const grant = await new ReadWriteLock(client, path).read.acquire()
      return () => grant.release()
    },
    async run(client, path) {
      const lock = new ReadWriteLock(client, path)
      {
        await using writing = await lock.write.acquire()
        await guarded(client, writing.guard)
      }
      await using reading = await lock.read.acquire()
      await guarded(client, reading.guard)
    },
  },
  {
    name: 'multi-lock',
    path: '/multi',
    async hold(client, path) {
      const grant = await new Mutex(client, path).acquire()
      return () => grant.release()
    },
    async run(client, path) {
      const locks = [path, `${path}-first`].map((one) => new Mutex(client, one))
      await using held = await new MultiLock(locks.toReversed()).acquire()
      await held
        .guard(client.transaction().create('/written-', null, { kind: 'sequential' }))
        .commit()
    },
  },
  {
    name: 'persistent ephemeral',
    path: '/alive',
    async hold(client, path) {
      await client.create(path, null, { kind: 'container' })
      return () => Promise.resolve()
    },
    async run(client, path) {
      const over = new AbortController()
      const keeping = new PersistentEphemeral(`${path}/me`)
        .keep(client, { signal: over.signal })
        .catch((error: unknown) => {
          if (error !== over.signal.reason) throw error
        })
      const made = untilNames(client, path, (names) => names.length > 0)
      await Promise.race([keeping, made])
      over.abort(new Error('enough'))
      await keeping
    },
  },
]

interface Round {
  readonly frames: number
  readonly hasStruck: boolean
  readonly outcome: unknown
}

/** One run with a fault at its k-th frame; resolves once nothing of it is left. */
const strike = async (
  other: Client,
  url: string,
  { recipe, at, fault }: { readonly recipe: Recipe; readonly at: number; readonly fault: Fault },
): Promise<Round> => {
  const wire = new CuttingTransport()
  const client = await wire.connect(url)
  const path = `${recipe.path}-${fault}-${at}`
  const release = await recipe.hold(other, path)
  const held = (await other.list(path).toArray()).length
  wire.arm(at, fault)
  const running = recipe.run(client, path).then(
    () => 'done',
    (error: unknown) => error,
  )
  await Promise.race([running, untilNames(other, path, (names) => names.length > held)])
  await release()
  const outcome = await running
  if (client.state !== 'expired') await untilEmpty(other, path)
  await client.close()
  await untilEmpty(other, path)
  return { frames: wire.passed, hasStruck: wire.hasStruck, outcome }
}

for (const recipe of recipes) {
  const faults = ['cutBefore', 'cutAfter', 'expire'] as const
  t.test(
    `RECIPE-6 RECIPE-7 ${recipe.name}: a fault at every frame`,
    { timeout: 60_000 },
    async (t) => {
      const { server, client: other } = await startReal(t)
      const { frames } = await strike(other, server.url, { recipe, at: 0, fault: 'cutAfter' })
      for (const fault of faults) {
        // A few more than one run had, for a fault makes it longer; the last of them do not strike.
        const places = Array.from({ length: frames }, (_, i) => i + 1)
        const rounds = await Promise.all(
          places.map((at) => strike(other, server.url, { recipe, at, fault })),
        )
        t.ok(rounds.filter(({ hasStruck }) => hasStruck).length >= frames - 2, `${frames} frames`)
        for (const [i, { outcome }] of rounds.entries()) {
          const isExpected =
            outcome === 'done' ||
            (fault === 'expire' &&
              (outcome instanceof SessionExpiredError || outcome instanceof FencedError))
          t.ok(isExpected, `${fault} at ${i + 1}: ${String(outcome)}`)
        }
      }
    },
  )
}
