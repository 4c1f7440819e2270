import type { Stat } from '@conclave/protocol'
import type { Client } from '../client.js'
import { FencedError, NoNodeError } from '../errors.js'
import type { ReadOptions } from '../options.js'
import type { Guard } from '../transaction.js'
import type { Created } from '../tree-operations.js'
import { ZnodeGrant } from './grant.js'
import { Lookout, type Place } from './waiting.js'
import {
  childPath,
  decodeOwner,
  encodeOwner,
  inDirectory,
  type Owner,
  persistently,
  removeGuarded,
  removeLater,
} from './znodes.js'

/**
 * The one mechanism under election, mutex, read-write lock, semaphore and lease: each contender is
 * a sequential ephemeral in one directory, and by the names alone everybody sees who is in.
 *
 * Usage: {@link contend} from a recipe, {@link listContenders} to see holders and waiters.
 *
 * Each waits for one other place only, so that a departure wakes one. Dangers: a client can watch
 * at most 1,000 places at once, one for each grant that it holds or waits for; children that are
 * no contenders are passed over, and keep the directory from being cleared away.
 */

/** What a contender asks for. Of a `permit`, so many are given out at once. */
export type ContenderKind = 'candidate' | 'lock' | 'read' | 'write' | `permit-${number}`

interface Named {
  readonly name: string
  readonly kind: string
  /** How many of its like are in at once. */
  readonly capacity: number
}

const namePattern = /^(candidate|lock|read|write|permit-([1-9]\d{0,8}))-\d{10,16}$/

const namedOf = (name: string): readonly Named[] => {
  const [, kind, capacity] = namePattern.exec(name) ?? []
  return kind === undefined ? [] : [{ name, kind, capacity: Number(capacity ?? 1) }]
}

/** What one waits for, given those before it in the order of arrival; null: it is in. */
type Blocker = { readonly name: string } | 'anyDeparture' | null

const blockerOf = ({ kind, capacity }: Named, lower: readonly Named[]): Blocker => {
  if (kind === 'read') return lower.findLast((before) => before.kind === 'write') ?? null
  if (lower.length < capacity) return null
  // Only the first in the queue looks at all who are in; the others at the one before them.
  if (capacity > 1 && lower.length === capacity) return 'anyDeparture'
  return lower.at(-1) ?? null
}

export interface ContendOptions {
  readonly owner: Owner
  readonly signal: AbortSignal
  /** False: gives up at once when it would have to wait. */
  readonly isPatient: boolean
}

/**
 * Joins the contenders of a directory and waits to be in.
 *
 * @returns null only for one who is not patient
 * @throws the signal's reason; `FencedError` when somebody deleted its znode while it waited. Then,
 *   as after every error, nothing is left behind.
 */
export const contend = async (
  client: Client,
  { directory, kind }: { readonly directory: string; readonly kind: ContenderKind },
  { owner, signal, isPatient }: ContendOptions,
): Promise<ZnodeGrant | null> => {
  const data = encodeOwner(owner)
  const prefix = childPath(directory, `${kind}-`)
  const options = { kind: 'ephemeralSequential', withStat: true, signal } as const
  const { path, stat }: Created = await inDirectory(
    client,
    { path: directory, wait: { signal } },
    () => client.create(prefix, data, options),
  )
  const guard: Guard = { path, czxid: stat.czxid }
  try {
    const contender = { client, directory, name: path.slice(path.lastIndexOf('/') + 1), signal }
    if (await isAdmitted(contender, isPatient)) {
      // Its follower looks at this znode alone, and a permit leaves it no other sign.
      if (kind.startsWith('permit-')) {
        const announce = client.transaction().add(guard).set(path, data)
        await persistently(client, () => announce.commit({ signal }))
      }
      return new ZnodeGrant(client, guard)
    }
  } catch (error) {
    removeLater(client, guard)
    throw error
  }
  await removeGuarded(client, guard)
  return null
}

interface Waiting {
  readonly client: Client
  readonly directory: string
  readonly name: string
  readonly signal: AbortSignal
}

const isAdmitted = async (waiting: Waiting, isPatient: boolean): Promise<boolean> => {
  const { client, directory, name, signal } = waiting
  await using lookout = new Lookout(client, signal)
  for (;;) {
    const names = await client.list(directory, { signal }).toArray()
    const all = names.flatMap(namedOf)
    const at = all.findIndex((one) => one.name === name)
    const self = all[at]
    if (self === undefined) {
      const message = 'the place in the queue was taken away'
      throw new FencedError({ path: childPath(directory, name), message })
    }
    const blocker = blockerOf(self, all.slice(0, at))
    if (blocker === null) return true
    if (!isPatient) return false
    await lookout.changed(placeOf(directory, blocker))
  }
}

const placeOf = (directory: string, blocker: NonNullable<Blocker>): Place =>
  blocker === 'anyDeparture'
    ? { path: directory, below: 'departures' }
    : { path: childPath(directory, blocker.name), isAsSeen: isUntouched }

/** It is there, and no permit was announced by it. */
const isUntouched = (stat: Stat | null): boolean => stat?.version === 0

/** Somebody who holds or waits. */
export interface Contender extends Owner {
  readonly path: string
  readonly kind: string
  readonly isHolder: boolean
  /** The token it has, or will have. */
  readonly token: number
  readonly sessionId: number
  /** When it came, in ms of the servers' clock. */
  readonly sinceMs: number
}

/** Few enough that what owners write about themselves fits into one answer. */
const readsMax = 32

/**
 * All who hold or wait in a directory of a lock, semaphore or election, in the order in which they
 * came; none when there is no such directory. The danger: true for the moment of the answer only.
 *
 * @param countMax only the first so many
 * @throws `NoAuthError`, `BadArgumentsError`
 * @example const holders = (await listContenders(client, '/locks/a')).filter((c) => c.isHolder)
 */
export const listContenders = async (
  client: Client,
  directory: string,
  options: ReadOptions = {},
  countMax = Infinity,
): Promise<readonly Contender[]> => {
  const all = (await listNames(client, directory, options)).flatMap(namedOf)
  const contenders: Contender[] = []
  const step = Math.min(readsMax, countMax)
  // Who has gone since the listing is before nobody any more.
  const present: Named[] = []
  for (let from = 0; from < all.length && present.length < countMax; from += step) {
    const some = all.slice(from, from + step)
    const reads = some.map(({ name }) => ({ get: childPath(directory, name) }))
    const outcomes = await client.multiRead(reads, options)
    for (const [i, self] of some.entries()) {
      const outcome = outcomes[i]
      if (outcome?.ok !== true) continue
      const { data, stat } = outcome.value
      contenders.push({
        ...decodeOwner(data),
        path: childPath(directory, self.name),
        kind: self.kind,
        isHolder: blockerOf(self, present) === null,
        token: stat.czxid,
        sessionId: stat.ephemeralOwner,
        sinceMs: stat.ctime,
      })
      present.push(self)
    }
  }
  return contenders
}

/** The names of the children; none when there is no such directory. */
export const listNames = async (
  client: Client,
  directory: string,
  options: ReadOptions,
): Promise<readonly string[]> => {
  try {
    return await client.list(directory, options).toArray()
  } catch (error) {
    if (error instanceof NoNodeError) return []
    throw error
  }
}
