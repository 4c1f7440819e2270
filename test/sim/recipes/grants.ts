import { wholeNumberText } from '#client/recipes/counter.js'
import {
  Election,
  type Grant,
  Lease,
  Membership,
  Mutex,
  ReadWriteLock,
  Semaphore,
} from '#client/recipes/index.js'
import type { Client, Guard, WaitOptions } from '#client/index.js'
import { groupPath, passingPath } from './places.js'

/** The recipes by which something is held in simulated worlds, and by how many at once. */
export const capacities = {
  election: 1,
  mutex: 1,
  writeLock: 1,
  lease: 1,
  timedLease: 1,
  membership: 1,
  semaphore: 2,
} as const
export type GrantKind = keyof typeof capacities

export const grantKinds = Object.keys(capacities) as readonly GrantKind[]

/** Where the holders of each write their tokens, under their guards. */
export const valueOf = (kind: GrantKind): string => `/value-${kind}`

/** How long a timed lease lasts after its last renewal. */
const ttlMs = 1_000
/** The one member of its group whom nobody puts out. */
const memberId = 'exclusive'

/** Something held. */
export interface Held {
  readonly kind: GrantKind
  readonly token: number
  readonly guard: Guard
  readonly signal: AbortSignal
  isHeld(): boolean
}

/** Waits for it, and has it while `use` runs. */
export const holding = async (
  client: Client,
  { kind, wait }: { readonly kind: GrantKind; readonly wait: WaitOptions },
  use: (held: Held) => Promise<void>,
): Promise<void> => {
  const path = `${passingPath}/${kind}`
  if (kind === 'election') {
    return new Election(client, path).lead((leadership) => {
      const { token, guard, signal } = leadership
      return use({ kind, token, guard, signal, isHeld: () => leadership.isLeader })
    }, wait)
  }
  await using grant = await acquire[kind](client, path, wait)
  const { token, guard, signal } = grant
  await use({ kind, token, guard, signal, isHeld: () => grant.isHeld })
}

type Acquire = (client: Client, path: string, wait: WaitOptions) => Promise<Grant>

const acquire: Readonly<Record<Exclude<GrantKind, 'election'>, Acquire>> = {
  mutex: (client, path, wait) => new Mutex(client, path).acquire(wait),
  writeLock: (client, path, wait) => new ReadWriteLock(client, path).write.acquire(wait),
  lease: (client, path, wait) => Lease.acquire(client, path, wait),
  timedLease: (client, path, wait) => Lease.acquire(client, path, { ...wait, ttlMs, renew: true }),
  membership: (client, _, wait) => Membership.join(client, groupPath, { ...wait, id: memberId }),
  semaphore: (client, path, wait) =>
    new Semaphore(client, path, { permits: capacities.semaphore }).acquire(wait),
}

/** Writes the token; the request is made before this returns. */
export const writeToken = (client: Client, { kind, token, guard }: Held): Promise<unknown> =>
  client.transaction().add(guard).set(valueOf(kind), token, { as: wholeNumberText }).commit()
