import type { Client } from '../client.js'
import { BadArgumentsError, ConclaveError, NoNodeError, NodeExistsError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import type { Guard } from '../transaction.js'

/** What the recipes do to znodes, and nothing of what they mean by it. */

/** The path of a child. */
export const childPath = (parent: string, name: string): string =>
  parent === '/' ? `/${name}` : `${parent}/${name}`

/**
 * Makes a directory and what is missing above it. They are containers: the servers take them away
 * again after their last child, so that no recipe leaves anything behind.
 */
export const ensureDirectory = async (
  client: Client,
  path: string,
  wait: WaitOptions,
): Promise<void> => {
  try {
    await client.create(path, null, { kind: 'container', ...wait })
  } catch (error) {
    if (error instanceof NodeExistsError) return
    if (!(error instanceof NoNodeError)) throw error
    await ensureDirectory(client, path.slice(0, path.lastIndexOf('/')) || '/', wait)
    await ensureDirectory(client, path, wait)
  }
}

/** How often a directory may vanish between its making and its first child. */
const vanishingsMax = 16

/** Runs what creates a child of a directory, which is made when it is missing. */
export const inDirectory = async <T>(
  client: Client,
  { path, wait }: { readonly path: string; readonly wait: WaitOptions },
  create: () => Promise<T>,
): Promise<T> => {
  for (let round = 1; ; round += 1) {
    try {
      return await create()
    } catch (error) {
      if (!(error instanceof NoNodeError) || round === vanishingsMax) throw error
    }
    await ensureDirectory(client, path, wait)
  }
}

const pauseMsFirst = 50
const pauseMsMax = 2_000

/** Repeats what was refused only for now: a server that is full or busy must not leave a lock. */
export const persistently = async <T>(run: () => Promise<T>): Promise<T> => {
  for (let pauseMs = pauseMsFirst; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof ConclaveError) || error.retry !== 'later') throw error
      // `closing` is for another client: this one is at its end.
      if (error.code === 'closing') throw error
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

const goneCodes: ReadonlySet<string> = new Set(['fenced', 'sessionExpired', 'closing'])

/**
 * Deletes the very znode that the guard names, never one that has its name by now. Quiet when it is
 * gone already, or goes with its session.
 */
export const removeGuarded = async (client: Client, guard: Guard): Promise<void> => {
  try {
    await persistently(() => client.transaction().add(guard).delete(guard.path).commit())
  } catch (error) {
    if (error instanceof ConclaveError && goneCodes.has(error.code)) return
    throw error
  }
}

/** For where nobody waits for it any more: its failure has nobody to be told. */
export const removeLater = (client: Client, guard: Guard): void => {
  void removeGuarded(client, guard).catch(() => {})
}

/** What the recipes write about who a znode belongs to. */
export interface Owner {
  /** For people and routing; nothing is decided by it. */
  readonly id: string | null
  readonly data: unknown
}

const encoder = new TextEncoder()

export const encodeOwner = ({ id, data }: Owner): Uint8Array =>
  encoder.encode(JSON.stringify({ id, data: data ?? null }))

/** What somebody else wrote may be anything. */
export const decodeOwner = (bytes: Uint8Array): Owner => {
  try {
    const { id, data } = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Owner>
    return { id: typeof id === 'string' ? id : null, data: data ?? null }
  } catch {
    return { id: null, data: null }
  }
}

/** A name for people, or null. @throws BadArgumentsError */
export const idOf = (id: unknown): string | null => {
  if (id === null || id === undefined || typeof id === 'string') return id ?? null
  throw new BadArgumentsError({ message: 'the option id is a string' })
}
