import type { EventDetail, Stat } from '@conclave/protocol'
import type { Client } from '../client.js'
import { ConclaveError, TooLargeError } from '../errors.js'
import type { ReadOptions } from '../options.js'
import type { ChangedZnode, WatchStream } from '../watch.js'
import { childPath, persistently } from './znodes.js'

/** A znode as a stream tells it. */
export type ZnodeState = EventDetail

/** What a whole subtree was at one zxid, parents before their children. */
export interface TreeListing {
  readonly znodes: ReadonlyMap<string, ZnodeState>
  readonly zxid: number
}

export interface TreeReading {
  readonly path: string
  readonly signal: AbortSignal
  /** A larger tree is refused. */
  readonly entriesMax: number
}

/**
 * Reads a subtree while it changes, and makes it exact by the stream that was opened before: a
 * fuzzy snapshot with the log replayed over it, as ZooKeeper takes its own (Junqueira, Reed:
 * ZooKeeper, 2013, chapter 9). What is read is at least as new as all that any client was told of
 * before. The stream goes on right after the listing.
 *
 * @returns null when the client was closed
 * @throws `TooLargeError` for more than `entriesMax` znodes; what ends the stream; the signal's
 *   reason
 */
export const listTree = async (
  client: Client,
  stream: WatchStream,
  reading: TreeReading,
): Promise<TreeListing | null> => {
  for (;;) {
    const replayed = await replayOver(await readTree(client, reading), stream)
    if (replayed === 'ended') return null
    if (replayed !== 'gap') return replayed
  }
}

/**
 * Takes from the stream all that came while the tree was read. An event that a read has seen takes
 * its znode back for a moment, until those after it, which come too, have brought it up again.
 */
const replayOver = async (
  znodes: Map<string, ZnodeState>,
  stream: WatchStream,
): Promise<TreeListing | 'gap' | 'ended'> => {
  while (!stream.isCaughtUp) {
    const { value: event } = await stream.next()
    if (event === undefined) return 'ended'
    if (event.type === 'gap') return 'gap'
    if (event.type !== 'caughtUp') replay(znodes, event)
  }
  return { znodes, zxid: stream.position?.zxid ?? 0 }
}

const replay = (znodes: Map<string, ZnodeState>, { type, path, detail }: ChangedZnode): void => {
  if (type === 'deleted') znodes.delete(path)
  else if (detail !== null) znodes.set(path, detail)
}

/** Two reads for each. */
const pathsMax = 64

const readTree = async (
  client: Client,
  { path: root, signal, entriesMax }: TreeReading,
): Promise<Map<string, ZnodeState>> => {
  const znodes = new Map<string, ZnodeState>()
  const paths = [root]
  for (let at = 0, count = 1; at < paths.length;) {
    const some = paths.slice(at, at + count)
    const visits = await visitAll(client, some, { isFirst: at === 0, signal })
    if (visits === null) {
      count = Math.ceil(count / 4)
      continue
    }
    for (const [i, { state, names }] of visits.entries()) {
      const path = some[i] as string
      if (state !== null) znodes.set(path, state)
      for (const name of names) paths.push(childPath(path, name))
    }
    if (paths.length > entriesMax) throw tooMany(root, entriesMax)
    at += some.length
    count = Math.min(count * 2, pathsMax)
  }
  return znodes
}

/** @returns the error of a tree that is larger than its cache may become */
export const tooMany = (path: string, entriesMax: number): ConclaveError => {
  const message = `the tree has more than ${entriesMax} znodes; raise entriesMax, or cache less`
  return new TooLargeError({ path, message })
}

interface Visit {
  /** Null when it is gone, or may not be read. */
  readonly state: ZnodeState | null
  readonly names: readonly string[]
}

interface Visiting {
  readonly isFirst: boolean
  readonly signal: AbortSignal
}

/** Null when it is more than one answer can say. */
const visitAll = async (
  client: Client,
  paths: readonly string[],
  { isFirst, signal }: Visiting,
): Promise<readonly Visit[] | null> => {
  const [first = '/'] = paths
  // One barrier is enough: the later reads follow it.
  if (isFirst) return [await visitOne(client, first, { consistency: 'linearizable', signal })]
  if (paths.length === 1) return [await visitOne(client, first, { signal })]
  const gets = paths.map((path) => ({ get: path }))
  const lists = paths.map((path) => ({ list: path }))
  try {
    const outcomes = await persistently(client, () =>
      client.multiRead([...gets, ...lists], { signal }),
    )
    return paths.map((_, i): Visit => {
      const got = valueOf(outcomes[i])
      const listed = valueOf(outcomes[i + paths.length])
      const state = got !== null && 'data' in got ? stateOf(got.data, got.stat) : null
      return { state, names: listed !== null && 'children' in listed ? listed.children : [] }
    })
  } catch (error) {
    if (error instanceof TooLargeError) return null
    throw error
  }
}

const visitOne = async (client: Client, path: string, options: ReadOptions): Promise<Visit> => {
  const [got, names] = await Promise.all([
    unlessHidden(client, () => client.get(path, options)),
    unlessHidden(client, () => client.list(path, { signal: options.signal }).toArray()),
  ])
  return { state: got === null ? null : stateOf(got.data, got.stat), names: names ?? [] }
}

const unlessHidden = async <T>(client: Client, read: () => Promise<T>): Promise<T | null> => {
  try {
    return await persistently(client, read)
  } catch (error) {
    if (error instanceof ConclaveError && hidden.has(error.code)) return null
    throw error
  }
}

const hidden: ReadonlySet<string> = new Set(['noNode', 'noAuth'])

type Outcome<V> = { readonly ok: true; readonly value: V } | { ok: false; error: ConclaveError }

const valueOf = <V>(outcome: Outcome<V> | undefined): V | null => {
  if (outcome === undefined) return null
  if (outcome.ok) return outcome.value
  if (hidden.has(outcome.error.code)) return null
  throw outcome.error
}

const stateOf = (data: Uint8Array, stat: Stat): ZnodeState => {
  const { czxid, mzxid, version, mtime, ephemeralOwner } = stat
  return { data: data.length === 0 ? null : data, czxid, mzxid, version, mtime, ephemeralOwner }
}
