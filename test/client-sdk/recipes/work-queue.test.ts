import { BadArgumentsError, ClosedError, TooLargeError } from '#client/index.js'
import { TreeCache, type Work, WorkQueue } from '#client/recipes/index.js'
import { backoffMs, TokenBucket } from '#client/recipes/retry-delays.js'
import t from 'tap'
import { startReal } from '../real-kit.js'
import { deferred } from './recipe-kit.js'

/** Work that goes on until it is told to end. */
class Bench {
  readonly begun: string[] = []
  readonly #ends = new Map<string, (error?: Error) => void>()
  #onBegin: () => void = () => undefined

  readonly work: Work = (key) => {
    this.begun.push(key)
    const { promise, resolve, reject } = deferred()
    this.#ends.set(key, (error) => (error === undefined ? resolve() : reject(error)))
    this.#onBegin()
    return promise
  }

  /** Resolves once so many have begun. */
  async until(count: number): Promise<void> {
    while (this.begun.length < count)
      await new Promise<void>((resolve) => (this.#onBegin = resolve))
  }

  end(key: string, error?: Error): void {
    this.#ends.get(key)?.(error)
    this.#ends.delete(key)
  }
}

const quick = { backoffMsMin: 0, backoffMsMax: 0, retriesPerSecond: 1_000_000 } as const

t.test('RECIPE-110 a key is worked on by one at a time, and once for many changes', async (t) => {
  const bench = new Bench()
  await using queue = new WorkQueue(bench.work, { concurrency: 2 })
  for (const key of ['a', 'a', 'b', 'b', 'c', 'a', 'c']) queue.add(key)
  t.strictSame(bench.begun, [], 'not inside add')
  t.equal(queue.size, 3)
  await bench.until(2)
  t.strictSame(bench.begun, ['a', 'b'])
  queue.add('a')
  queue.add('a')
  bench.end('a')
  await bench.until(3)
  t.strictSame(bench.begun, ['a', 'b', 'c'], 'what waited comes first')
  bench.end('b')
  await bench.until(4)
  t.strictSame(bench.begun, ['a', 'b', 'c', 'a'])
  const drained = queue.drain()
  bench.end('c')
  bench.end('a')
  await drained
  t.equal(queue.size, 0)
  t.equal(bench.begun.length, 4)
})

t.test('RECIPE-111 what fails is done again until it succeeds, or is given up', async (t) => {
  const failures: string[] = []
  const given = deferred()
  const done = deferred()
  let attempts = 0
  await using queue = new WorkQueue(
    (key) => {
      if (key === 'hopeless') throw new Error(key)
      if (++attempts < 5) throw new Error('not yet')
      done.resolve()
    },
    {
      ...quick,
      onFailure({ key, failures: count, error }) {
        failures.push(`${key} ${count} ${(error as Error).message}`)
        if (key !== 'hopeless' || count < 2) return true
        given.resolve()
        return false
      },
    },
  )
  queue.add('later')
  queue.add('hopeless')
  await Promise.all([done.promise, given.promise])
  await queue.drain()
  t.strictSame(
    failures.filter((said) => said.startsWith('l')),
    ['later 1 not yet', 'later 2 not yet', 'later 3 not yet', 'later 4 not yet'],
  )
  t.strictSame(
    failures.filter((said) => said.startsWith('h')),
    ['hopeless 1 hopeless', 'hopeless 2 hopeless'],
  )
})

t.test(
  'RECIPE-111 a key that was put off is worked on at once, and once, when it is added',
  async (t) => {
    const bench = new Bench()
    const failed = deferred()
    const queue = new WorkQueue(bench.work, {
      backoffMsMin: 2_147_483_647,
      backoffMsMax: 2_147_483_647,
      onFailure: () => failed.resolve(),
    })
    queue.add('a')
    await bench.until(1)
    bench.end('a', new Error('for now'))
    await failed.promise
    t.equal(queue.size, 1)
    queue.add('a')
    await bench.until(2)
    bench.end('a')
    await queue.drain()
    t.strictSame(bench.begun, ['a', 'a'])
  },
)

t.test('RECIPE-112 backoff doubles up to its bound, and half of it is drawn', async (t) => {
  const backoff = { minMs: 10, maxMs: 1_000 }
  const longest = [1, 2, 3, 7, 8, 5_000].map((failures) => backoffMs(backoff, failures, 1))
  t.strictSame(longest, [10, 20, 40, 640, 1_000, 1_000])
  t.equal(backoffMs(backoff, 3, 0), 20)
  t.equal(backoffMs(backoff, 3, 0.5), 30)
})

t.test('RECIPE-112 retries of all keys share a bucket of tokens', async (t) => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 })
  const reserve = (nowMs: number, count: number) =>
    Array.from({ length: count }, () => Math.round(bucket.reserve(nowMs)))
  t.strictSame(reserve(5_000, 5), [0, 0, 0, 100, 200])
  t.strictSame(reserve(5_100, 1), [200])
  t.strictSame(reserve(5_300, 2), [100, 200], 'what was taken is paid for first')
  t.strictSame(reserve(60_000, 4), [0, 0, 0, 100], 'no more than a burst is saved')
})

t.test('RECIPE-113 a queue is bounded', async (t) => {
  const bench = new Bench()
  await using queue = new WorkQueue(bench.work, { keysMax: 2 })
  queue.add('a')
  queue.add('b')
  queue.add('a')
  t.throws(() => queue.add('c'), TooLargeError)
  await bench.until(1)
  bench.end('a')
  await bench.until(2)
  queue.add('c')
  bench.end('b')
  await bench.until(3)
  bench.end('c')
  t.throws(() => new WorkQueue(bench.work, { concurrency: 0 }), BadArgumentsError)
})

t.test(
  'RECIPE-114 a queue that drains works on all it has once more; closed, on nothing',
  async (t) => {
    const failed = deferred()
    const begun: string[] = []
    const draining = new WorkQueue(
      (key) => {
        begun.push(key)
        if (key === 'failing') throw new Error(key)
      },
      {
        backoffMsMin: 2_147_483_647,
        backoffMsMax: 2_147_483_647,
        onFailure: () => failed.resolve(),
      },
    )
    draining.add('failing')
    await failed.promise
    draining.add('fine')
    await draining.drain()
    t.strictSame(begun, ['failing', 'fine', 'failing'])
    t.throws(() => draining.add('late'), ClosedError)
    await draining.drain()

    const bench = new Bench()
    let seen: AbortSignal | null = null
    const closing = new WorkQueue((key, signal) => {
      seen = signal
      return bench.work(key, signal)
    })
    closing.add('a')
    closing.add('b')
    await bench.until(1)
    closing.add('a')
    const closed = closing.close()
    t.ok((seen as AbortSignal | null)?.aborted)
    t.equal(closing.size, 1)
    bench.end('a')
    await closed
    t.strictSame(bench.begun, ['a'])
    t.equal(closing.size, 0)
  },
)

t.test('RECIPE-110 fed by a cache it brings every key to the state it shall have', async (t) => {
  const { client } = await startReal(t)
  await client.create('/s')
  await using cache = new TreeCache(client, '/s')
  await cache.ready
  const done = new Map<string, number | null>()
  const converged = deferred()
  await using queue = new WorkQueue(
    (path) => {
      done.set(path, cache.get(path)?.version ?? null)
      if (done.get('/s/last') === 0) converged.resolve()
    },
    { concurrency: 3 },
  )
  const feeding = (async () => {
    for await (const { path } of cache.events()) queue.add(path)
  })()
  for (let i = 0; i < 50; i += 1) await client.create(`/s/${i}`)
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.set(`/s/${i % 50}`, null)))
  await client.delete('/s/7')
  await client.create('/s/last')
  await converged.promise
  await queue.drain()
  t.equal(done.get('/s/7'), null)
  t.equal(done.get('/s/8'), 10)
  await cache.close()
  await feeding
})
