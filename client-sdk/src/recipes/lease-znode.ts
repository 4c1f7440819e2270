import type { Stat } from '@conclave/protocol'
import { anything, checked, type Checks, isBoolean, wholeNumber } from '../checked.js'
import type { Client } from '../client.js'
import { NodeExistsError } from '../errors.js'
import { waitChecks, type WaitOptions, type ZnodeOptions } from '../options.js'
import { type Guard, ref } from '../transaction.js'
import { Lookout } from './waiting.js'
import { childPath, encodeOwner, idOf, inDirectory } from './znodes.js'

/** Stands in the directory of a lease for whoever has it, beside those who wait. */
export const holderName = 'holder'

const ttlMsMax = 2_147_483_647

export interface LeaseOptions extends WaitOptions {
  /** Who this is, for those who list holders. */
  readonly id?: string | undefined
  /**
   * With it the lease outlives the session and lasts this long, in ms from 1,000, by the clock of
   * the servers, after it was last renewed. Without it the lease lasts as long as the session.
   */
  readonly ttlMs?: number | undefined
  /** Renews a lease with `ttlMs` by itself, every third of it; false by default. */
  readonly renew?: boolean | undefined
}

const leaseChecks: Checks<LeaseOptions> = {
  ...waitChecks,
  id: anything,
  ttlMs: wholeNumber(1_000, ttlMsMax, 'a whole number of ms'),
  renew: isBoolean,
}

/** Who has a lease. */
export interface LeaseHolder {
  readonly path: string
  readonly id: string | null
  readonly token: number
  /** When it ends unless renewed, in ms of the servers' clock; null: with its session. */
  readonly untilMs: number | null
}

/** What a lease was asked for with. */
export interface Terms {
  readonly id: string | null
  readonly data: Uint8Array
  readonly ttlMs: number | null
  readonly isRenewed: boolean
  readonly znode: ZnodeOptions
}

/** What stands for a lease that was granted. */
export interface Held {
  readonly guard: Guard
  /** When what made it was sent, by the monotonic clock of this process. */
  readonly sentMs: number
}

export const termsOf = (options: LeaseOptions | undefined): Terms => {
  const { id: given, ttlMs = null, renew = false } = checked(options, leaseChecks)
  const id = idOf(given)
  const znode: ZnodeOptions = ttlMs === null ? { kind: 'ephemeral' } : { kind: 'ttl', ttlMs }
  return { id, data: encodeOwner({ id, data: null }), ttlMs, isRenewed: renew, znode }
}

interface Asking {
  readonly terms: Terms
  readonly signal: AbortSignal
  readonly isPatient: boolean
}

/** Only the first in the queue comes here. */
export const whenFree = async (
  client: Client,
  directory: string,
  { terms, signal, isPatient }: Asking,
): Promise<Held | null> => {
  const path = childPath(directory, holderName)
  await using lookout = new Lookout(client, signal)
  for (;;) {
    // Each renewal of another is a change: a read costs less than a create that is refused.
    const stat: Stat | null = await client.exists(path, { signal })
    const held = stat === null ? await madeHolder(client, directory, { terms, signal }) : null
    if (held !== null || !isPatient) return held
    await lookout.changed({ path })
  }
}

/** Null when another was faster. */
const madeHolder = async (
  client: Client,
  directory: string,
  { terms, signal }: Omit<Asking, 'isPatient'>,
): Promise<Held | null> => {
  const path = childPath(directory, holderName)
  const sentMs = client.clock.nowMs()
  const options = { ...terms.znode, withStat: true, signal } as const
  try {
    const made = await inDirectory(client, { path: directory, wait: { signal } }, () =>
      client.create(path, terms.data, options),
    )
    return { guard: { path, czxid: made.stat.czxid }, sentMs }
  } catch (error) {
    if (error instanceof NodeExistsError) return null
    throw error
  }
}

/** A new znode, and so a new token, in place of the one that the guard names. */
export const replace = async (client: Client, from: Guard, terms: Terms): Promise<Held> => {
  const sentMs = client.clock.nowMs()
  // The create tells only the path; that of the set is the stat of the same znode.
  const [, , stat] = await client
    .transaction()
    .add(from)
    .delete(from.path)
    .create(from.path, terms.data, terms.znode)
    .set(ref(1), terms.data)
    .commit()
  return { guard: { path: from.path, czxid: stat.czxid }, sentMs }
}
