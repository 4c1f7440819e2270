import { type Codec, decodeData } from '../codecs.js'
import { type ConclaveError, UndecodableError } from '../errors.js'
import type { ZnodeState } from './tree-listing.js'

/** A znode as a cache holds it. */
export interface CacheEntry<T> {
  readonly path: string
  /** Null for a znode without data, as directories are, and for one that cannot be decoded. */
  readonly value: T | null
  /** Why the value could not be decoded; null when there is nothing wrong. */
  readonly error: ConclaveError | null
  readonly czxid: number
  readonly mzxid: number
  readonly version: number
  /** When it was last written, in ms of the servers' clock. */
  readonly mtime: number
  /** The session of an ephemeral; 0 for others. */
  readonly ephemeralOwner: number
}

/**
 * A change of one znode. Those with `origin` `stream` are committed changes, each told once and in
 * the order of their zxids. Those with `origin` `difference` sum up what was not told one by one
 * (what was there at the beginning, what history no longer says, what a slow loop had no room for):
 * all at the zxid at which the tree was so, the deleted before the others, children deleted before
 * and created after their parents. A znode that was deleted and created again is told as both.
 */
export type CacheEvent<T> = {
  readonly path: string
  readonly zxid: number
  readonly origin: 'stream' | 'difference'
} & Change<T>

/** What becomes of an entry. */
export type Change<T> =
  | { readonly type: 'created'; readonly entry: CacheEntry<T>; readonly previous: null }
  | {
      readonly type: 'dataChanged'
      readonly entry: CacheEntry<T>
      readonly previous: CacheEntry<T>
    }
  | { readonly type: 'deleted'; readonly entry: null; readonly previous: CacheEntry<T> }

/** @returns what leads from one to the other: none, one, or two for another of the same name */
export const changesBetween = <T>(
  previous: CacheEntry<T> | null,
  entry: CacheEntry<T> | null,
): readonly Change<T>[] => {
  if (previous !== null && entry !== null && previous.czxid === entry.czxid) {
    return [{ type: 'dataChanged', entry, previous }]
  }
  const changes: Change<T>[] = []
  if (previous !== null) changes.push({ type: 'deleted', entry: null, previous })
  if (entry !== null) changes.push({ type: 'created', entry, previous: null })
  return changes
}

/** Two states of one znode. */
export interface Pair<T> {
  readonly path: string
  readonly previous: CacheEntry<T> | null
  readonly entry: CacheEntry<T> | null
}

/** @returns the differences in the order in which they can be applied one by one */
export const differences = <T>(
  pairs: Iterable<Pair<T>>,
  zxid: number,
): readonly CacheEvent<T>[] => {
  const deleted: CacheEvent<T>[] = []
  const others: CacheEvent<T>[] = []
  for (const { path, previous, entry } of pairs) {
    if (isSame(previous, entry)) continue
    for (const change of changesBetween(previous, entry)) {
      const event: CacheEvent<T> = { path, zxid, origin: 'difference', ...change }
      ;(change.type === 'deleted' ? deleted : others).push(event)
    }
  }
  const byPath = (a: CacheEvent<T>, b: CacheEvent<T>): number => comparePaths(a.path, b.path)
  return [...deleted.sort(byPath).reverse(), ...others.sort(byPath)]
}

const isSame = <T>(a: CacheEntry<T> | null, b: CacheEntry<T> | null): boolean =>
  a === b ||
  (a !== null &&
    b !== null &&
    a.czxid === b.czxid &&
    a.mzxid === b.mzxid &&
    a.version === b.version)

/** A path sorts before all that is below it. */
const comparePaths = (a: string, b: string): number => {
  if (a === b) return 0
  return a < b ? -1 : 1
}

export const entryOf = <T>(path: string, state: ZnodeState, codec: Codec<T>): CacheEntry<T> => {
  const { data, czxid, mzxid, version, mtime, ephemeralOwner } = state
  const about = { path, czxid, mzxid, version, mtime, ephemeralOwner, error: null }
  if (data === null || data.length === 0) return { ...about, value: null }
  try {
    return { ...about, value: decodeData(data, codec, { path, zxid: mzxid }) }
  } catch (error) {
    if (error instanceof UndecodableError) return { ...about, value: null, error }
    throw error
  }
}
