import type { CacheEvent } from '#client/recipes/index.js'
import type { Change, Txn } from '@conclave/protocol/peer'
import type { Test } from 'tap'
import { cachedPath, type Followed, type TreeCachePlan, treeCacheRun } from './tree-cache-run.js'

/** What each cache was told is what the logs of the servers say, and nothing else. */
export const testTreeCacheRun = async (t: Test, plan: TreeCachePlan): Promise<void> => {
  const { followed, txns, faults, killed } = await treeCacheRun(t, plan)
  t.strictSame(faults, [])
  t.equal(killed, plan.kills)
  t.equal(followed.length, plan.disconnects + 2)
  t.ok(txns.size > plan.writes)
  const committed = committedEvents(txns)
  t.ok(committed.length > plan.writes / 2)
  for (const each of followed) {
    const { listed, streamed } = parts(each)
    const zxid = listed[0]?.zxid ?? 0
    t.strictSame(
      listed.map(({ path, entry }) => [path, entry?.mzxid, entry?.version]),
      treeAt(committed, zxid),
      `the listing of the cache ${each.name} is the tree at ${zxid}`,
    )
    const last = streamed.at(-1)?.zxid ?? 0
    t.strictSame(
      streamed.map(saidBy),
      committed.filter((event) => event.zxid > zxid && event.zxid <= last).map(({ said }) => said),
      `the ${streamed.length} events of the cache ${each.name}`,
    )
  }
}

/** The differences at the beginning, all of one zxid, and all that came then. */
const parts = ({ events }: Followed) => {
  const streamed = events.findIndex(({ origin }) => origin === 'stream')
  const end = streamed === -1 ? events.length : streamed
  return { listed: events.slice(0, end), streamed: events.slice(end) }
}

const saidBy = (event: CacheEvent<Uint8Array>): string => {
  const { origin, type, path, zxid } = event
  const { version, czxid } = event.entry ?? event.previous
  return `${origin} ${zxid} ${type} ${path} ${czxid}:${version}`
}

interface Committed {
  readonly zxid: number
  readonly path: string
  readonly said: string
  /** Null for a delete. */
  readonly version: number | null
}

const committedEvents = (txns: ReadonlyMap<number, Txn>): readonly Committed[] =>
  [...txns.values()]
    .toSorted((a, b) => a.zxid - b.zxid)
    .flatMap(({ zxid, body }) =>
      'changes' in body ? body.changes.flatMap((change) => committedBy(change, zxid)) : [],
    )

const committedBy = (change: Change, zxid: number): readonly Committed[] => {
  if (!('path' in change) || !`${change.path}/`.startsWith(`${cachedPath}/`)) return []
  const { path } = change
  const event = (type: string, czxid: number, version: number): readonly Committed[] => {
    const said = `stream ${zxid} ${type} ${path} ${czxid}:${version}`
    return [{ zxid, path, said, version: type === 'deleted' ? null : version }]
  }
  switch (change.change) {
    case 'create':
      return event('created', zxid, 0)
    case 'setData':
      return event('dataChanged', change.czxid, change.version)
    case 'delete':
      return event('deleted', change.czxid, change.version)
    default:
      return []
  }
}

const treeAt = (committed: readonly Committed[], at: number): readonly unknown[] => {
  const tree = new Map<string, readonly unknown[]>()
  for (const { zxid, path, version } of committed) {
    if (zxid > at) break
    if (version === null) tree.delete(path)
    else tree.set(path, [path, zxid, version])
  }
  const paths = [...tree.keys()].sort()
  return paths.map((path) => tree.get(path))
}
