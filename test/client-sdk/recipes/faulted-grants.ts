import type { Client } from '#client/index.js'
import {
  Election,
  type Grant,
  Lease,
  MultiLock,
  Mutex,
  ReadWriteLock,
  Semaphore,
} from '#client/recipes/index.js'
import { contended, demand, type FaultedRecipe, guardedWrite, type Hold } from './faulted-recipe.js'
import { abortOf, deferred, untilNames } from './recipe-kit.js'

/** What is held by one after the other: each waits for another who has it, and writes under it. */
export const faultedGrants: readonly FaultedRecipe[] = [
  {
    name: 'mutex that nobody has used before',
    async run({ client, path }) {
      await using grant = await new Mutex(client, `${path}/deep/mutex`).acquire()
      await guardedWrite(client, grant.guard)
    },
  },
  contended(
    'mutex',
    (client, path) => holdGrant(new Mutex(client, path).acquire()),
    (client, path) => writeUnder(client, new Mutex(client, path).acquire()),
  ),
  contended(
    'reentrant mutex',
    (client, path) => holdGrant(new Mutex(client, path).acquire()),
    async (client, path) => {
      const mutex = new Mutex(client, path, { reentrant: true })
      await using outer = await mutex.acquire()
      await writeUnder(client, mutex.acquire())
      await guardedWrite(client, outer.guard)
    },
  ),
  {
    name: 'mutex that is tried, waited for and given up',
    async run({ client, other, path }) {
      const at = `${path}/mutex`
      await using _held = await new Mutex(other, at).acquire()
      const mutex = new Mutex(client, at)
      demand((await mutex.tryAcquire()) === null, 'somebody holds it')
      const over = new AbortController()
      const waiting = mutex.acquire({ signal: over.signal })
      await Promise.race([waiting, untilNames(other, at, (names) => names.length > 1)])
      over.abort(new Error('given up'))
      await waiting.catch((error: unknown) => {
        if (error !== over.signal.reason) throw error
      })
    },
  },
  contended(
    'read-write lock',
    (client, path) => holdGrant(new ReadWriteLock(client, path).read.acquire()),
    async (client, path) => {
      const lock = new ReadWriteLock(client, path)
      await writeUnder(client, lock.write.acquire())
      await writeUnder(client, lock.read.acquire())
    },
  ),
  contended(
    'semaphore',
    async (client, path) => {
      const semaphore = new Semaphore(client, path, { permits: 2 })
      const grants = await Promise.all([semaphore.acquire(), semaphore.acquire()])
      return () => Promise.all(grants.map((grant) => grant.release()))
    },
    (client, path) => writeUnder(client, new Semaphore(client, path, { permits: 2 }).acquire()),
  ),
  contended(
    'multi-lock',
    (client, path) => holdGrant(new Mutex(client, path).acquire()),
    async (client, path) => {
      const locks = [path, `${path}-first`].map((one) => new Mutex(client, one))
      await using held = await new MultiLock(locks.toReversed()).acquire()
      const write = client.transaction().create('/written-', null, { kind: 'sequential' })
      await held.guard(write).commit()
    },
  ),
  contended(
    'election',
    (client, path) => holdLeadership(client, path),
    (client, path) => new Election(client, path).lead(({ guard }) => guardedWrite(client, guard)),
  ),
  contended(
    'election that is observed and resigned',
    (client, path) => holdLeadership(client, path),
    async (client, path) => {
      const election = new Election(client, path, { id: 'me' })
      const isMine = (async () => {
        for await (const leader of election.observe()) if (leader?.id === 'me') return
      })()
      const leading = election.lead(async (leadership) => {
        await Promise.race([isMine, abortOf(leadership.signal)])
        leadership.resign()
        await abortOf(leadership.signal)
      })
      // Its session ends once, for both.
      await Promise.all([leading, isMine])
    },
  ),
  contended(
    'lease',
    (client, path) => holdGrant(Lease.acquire(client, path)),
    (client, path) => writeUnder(client, Lease.acquire(client, path)),
  ),
  contended(
    'lease with a time',
    (client, path) => holdGrant(Lease.acquire(client, path)),
    async (client, path) => {
      await using lease = await Lease.acquire(client, path, { ttlMs: 1_000, renew: true })
      await lease.renew()
      await guardedWrite(client, lease.guard)
    },
  ),
  contended(
    'lease that is handed over, claimed and revoked',
    (client, path) => holdGrant(Lease.acquire(client, path)),
    async (client, path) => {
      const lease = await Lease.acquire(client, path)
      const token = await lease.transfer('another', 1_000)
      const next = await Lease.claim(client, path, { token })
      await guardedWrite(client, next.guard)
      demand(next.token > token && token > lease.token, 'tokens rise')
      await Lease.revoke(client, path)
      await abortOf(next.signal)
    },
  ),
]

const holdGrant = async (acquiring: Promise<Grant>): Promise<() => Promise<void>> => {
  const grant = await acquiring
  return () => grant.release()
}

const writeUnder = async (client: Client, acquiring: Promise<Grant>): Promise<void> => {
  await using grant = await acquiring
  await guardedWrite(client, grant.guard)
}

const holdLeadership: Hold = async (client, path) => {
  const [elected, done] = [deferred(), deferred()]
  const leading = new Election(client, path).lead(() => {
    elected.resolve()
    return done.promise
  })
  await elected.promise
  return () => {
    done.resolve()
    return leading
  }
}
