import { pathFault } from '@conclave/protocol'
import type { Client } from '../client.js'
import {
  BadArgumentsError,
  ConclaveError,
  NodeExistsError,
  NoNodeError,
  TooLargeError,
} from '../errors.js'
import type { WaitOptions } from '../options.js'
import type { Guard } from '../transaction.js'

/** What the recipes do to znodes, and nothing of what they mean by it. */

/** The path of a child. */
export const childPath = (parent: string, name: string): string =>
  parent === '/' ? `/${name}` : `${parent}/${name}`

interface Directory {
  readonly path: string
  readonly wait: WaitOptions
  /** Container by default. */
  readonly kind?: DirectoryKind | undefined
}

type DirectoryKind = 'container' | 'persistent'

/** A path has up to 64 levels, and a directory may vanish a few times before its first child. */
const attemptsMax = 80

/**
 * Runs what creates a child of a directory, which is made when it is missing, and so is what is
 * missing above it. Directories are containers: the servers take them away again after their last
 * child, so that no recipe leaves anything behind. Only what has to be remembered without any child
 * is `persistent`.
 */
export const inDirectory = async <T>(
  client: Client,
  { path, wait, kind = 'container' }: Directory,
  create: () => Promise<T>,
): Promise<T> => {
  for (let levels = 0, attempt = 1; ; attempt += 1) {
    // The child follows at once: a directory without one may be gone after the next round trip.
    const making = makeDirectories(client, lastLevels(path, levels), { wait, kind })
    const creating = create()
    const [made, created] = await Promise.allSettled([making, creating])
    if (created.status === 'fulfilled') return created.value
    if (!(created.reason instanceof NoNodeError)) throw created.reason
    if (made.status === 'rejected') throw made.reason
    const isWhole = childPath(path, '').split('/').length - 2 <= levels
    const isHopeless = made.value === 'noParent' && isWhole
    if (isHopeless || attempt === attemptsMax) throw created.reason
    levels = made.value === 'noParent' ? levels + 1 : 1
  }
}

/** A path and those above it, the highest first; so many. */
const lastLevels = (path: string, count: number): readonly string[] =>
  count === 0 || path === '/'
    ? []
    : [...lastLevels(path.slice(0, path.lastIndexOf('/')) || '/', count - 1), path]

/**
 * A container that never had a child would stay, so the lowest is given one that goes again: a
 * session that ends before the child comes leaves nothing behind.
 */
const makeDirectories = async (
  client: Client,
  paths: readonly string[],
  { wait, kind }: { readonly wait: WaitOptions; readonly kind: DirectoryKind },
): Promise<'made' | 'noParent'> => {
  const lowest = paths.at(-1)
  if (lowest === undefined) return 'noParent'
  const making = client.transaction()
  for (const path of paths)
    making.create(path, null, { kind: path === lowest ? kind : 'container' })
  const first = childPath(lowest, 'first')
  if (kind === 'container') making.create(first).delete(first)
  try {
    await making.commit(wait)
  } catch (error) {
    if (error instanceof NoNodeError) return 'noParent'
    if (!(error instanceof NodeExistsError)) throw error
  }
  return 'made'
}

const pauseMsFirst = 50
const pauseMsMax = 2_000

/** Repeats what was refused only for now: a server that is full or busy must not leave a lock. */
export const persistently = async <T>(client: Client, run: () => Promise<T>): Promise<T> => {
  for (let pauseMs = pauseMsFirst; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof ConclaveError) || error.retry !== 'later') throw error
      // `closing` is for another client: this one is at its end.
      if (error.code === 'closing') throw error
    }
    await new Promise<void>((resolve) => client.clock.timer(pauseMs, resolve))
  }
}

const goneCodes: ReadonlySet<string> = new Set(['fenced', 'sessionExpired', 'closing'])

/** Quiet when what it is about is gone already, or goes with its session. */
export const unlessGone = async (client: Client, run: () => Promise<unknown>): Promise<void> => {
  try {
    await persistently(client, run)
  } catch (error) {
    if (error instanceof ConclaveError && goneCodes.has(error.code)) return
    throw error
  }
}

/** Deletes the very znode that the guard names, never one that has its name by now. */
export const removeGuarded = (client: Client, guard: Guard): Promise<void> =>
  unlessGone(client, () => client.transaction().add(guard).delete(guard.path).commit())

/** Deletes an ephemeral of this session, whichever of its calls made it. */
export const removeOwn = (client: Client, path: string): Promise<void> =>
  unlessGone(client, () =>
    client
      .transaction()
      .if([{ path, ephemeralOwner: client.sessionId }], (own) => own.delete(path))
      .commit(),
  )

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

/** Small, for many are read at once. */
const recordBytesMax = 16_384

/** @throws TooLargeError */
export const encodeRecord = (record: unknown): Uint8Array => {
  const bytes = encoder.encode(JSON.stringify(record))
  if (bytes.length <= recordBytesMax) return bytes
  const message = `what is written of it has at most ${recordBytesMax} bytes`
  throw new TooLargeError({ message })
}

/** What can be the name of a znode. @throws BadArgumentsError */
export const nameOf = (name: unknown, noun: string): string => {
  const isText = typeof name === 'string' && name !== '' && !name.includes('/')
  if (isText && pathFault(`/${name}`) === null) return name
  throw new BadArgumentsError({ message: `${noun} is a text that can be part of a path` })
}

/** A name for people, or null. @throws BadArgumentsError */
export const idOf = (id: unknown): string | null => {
  if (id === null || id === undefined || typeof id === 'string') return id ?? null
  throw new BadArgumentsError({ message: 'the option id is a string' })
}
