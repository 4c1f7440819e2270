import { Mutex, TreeCache } from '#client/recipes/index.js'
import t from 'tap'
import { startTestServer } from '../../support/server-kit.js'
import { connectTo } from '../real-kit.js'
import { CuttingTransport } from './cutting.js'

t.setTimeout(120_000)

const clientCount = 10
const waitersOfEach = 100

t.test('RECIPE-1 releasing a lock with 1,000 waiters wakes one', async (t) => {
  const server = await startTestServer(t)
  const crowd = await Promise.all(
    Array.from({ length: clientCount }, async () => {
      const wire = new CuttingTransport()
      const client = await wire.connect(server.url)
      t.teardown(() => client.close({ timeoutMs: 1_000 }))
      return { wire, client }
    }),
  )
  const count = (): void => crowd.forEach(({ wire }) => wire.arm(0, 'cutAfter'))
  const passed = (): readonly number[] => crowd.map(({ wire }) => wire.passed)
  // What they have still asked for before has been answered when this has: two frames of each.
  const settle = () => Promise.all(crowd.map(({ client }) => client.whoAmI()))
  const owner = await connectTo(t, server.url)
  const held = await new Mutex(owner, '/m').acquire()
  const over = new AbortController()
  let granted = 0
  const asking = crowd.flatMap(({ client }) => {
    const mutex = new Mutex(client, '/m')
    return Array.from({ length: waitersOfEach }, async () => {
      await mutex.acquire({ signal: over.signal })
      granted += 1
    })
  })
  const settled = Promise.allSettled(asking)
  const joined = owner.watch('/m')
  for (let children = 0; children <= clientCount * waitersOfEach;) {
    await joined.next()
    children = (await owner.exists('/m'))?.numChildren ?? 0
  }
  await joined.return()
  do {
    count()
    await settle()
  } while (passed().some((frames) => frames > 2))
  count()
  await held.release()
  await Promise.race(asking)
  await settle()
  t.equal(granted, 1)
  const [most = 0, ...others] = passed().toSorted((a, b) => b - a)
  t.strictSame(others, Array(clientCount - 1).fill(2), 'nobody else heard or asked anything')
  t.ok(most < 20, `${most} frames`)
  over.abort()
  await settled
})

const memberCount = 1_000

t.test('RECIPE-115 1,000 members joining cost each who follows them no read', async (t) => {
  const server = await startTestServer(t)
  const owner = await connectTo(t, server.url)
  await owner.create('/members')
  const follower = async () => {
    const wire = new CuttingTransport()
    const client = await wire.connect(server.url)
    t.teardown(() => client.close({ timeoutMs: 1_000 }))
    const heard = { requests: 0, events: 0 }
    const count = (): void => {
      heard.requests = 0
      wire.armWhen((frame) => {
        if (frame.frame === 'request') heard.requests += 1
        if (frame.frame === 'streamEvents') heard.events += frame.events.length
        return false
      }, 'cutAfter')
    }
    count()
    const cache = new TreeCache(client, '/members')
    await cache.ready
    return { cache, heard, count }
  }
  const followers = await Promise.all(Array.from({ length: clientCount }, follower))
  for (const { count } of followers) count()
  const members = Array.from({ length: memberCount }, (_, i) =>
    owner.create(`/members/${i}`, null, { kind: 'ephemeral' }),
  )
  await Promise.all(members)
  for (const { cache, heard } of followers) {
    // oxlint-disable-next-line no-unused-vars -- how many there are is seen in the cache
    for await (const _ of cache.events()) if (cache.size > memberCount) break
    t.strictSame(heard, { requests: 0, events: memberCount })
  }
  const { cache, heard } = await follower()
  t.equal(cache.size, memberCount + 1)
  t.ok(heard.requests < 30, `who comes later asks ${heard.requests} times`)
})
