import type { Stat } from '@conclave/protocol'
import type { SnapshotEntryOf } from '@conclave/protocol/peer'

/** A znode as snapshots have it. Its fields are described there, once. */
export type ZnodeEntry = SnapshotEntryOf<'znode'>

/** A znode as the rest of the core sees it. */
export interface Znode extends Readonly<Omit<ZnodeEntry, 'entry'>> {
  readonly numChildren: number
}

/**
 * A znode where it stands in the tree. It shows its row as it is, so it holds until the next change
 * of the tree and no longer; whoever keeps it makes a copy.
 */
export interface LiveZnode extends Znode {
  readonly dataLength: number
}

/**
 * What outlives the next change, and may itself be changed.
 * @param known what need not be read of the znode
 */
export const copyOf = (
  znode: Znode,
  { path = znode.path, data = znode.data }: Partial<Pick<Znode, 'path' | 'data'>> = {},
): { -readonly [K in keyof Znode]: Znode[K] } => ({
  path,
  data,
  acl: znode.acl,
  kind: znode.kind,
  czxid: znode.czxid,
  mzxid: znode.mzxid,
  pzxid: znode.pzxid,
  ctime: znode.ctime,
  mtime: znode.mtime,
  version: znode.version,
  aversion: znode.aversion,
  ephemeralOwner: znode.ephemeralOwner,
  ttlMs: znode.ttlMs,
  ordinal: znode.ordinal,
  childrenCreated: znode.childrenCreated,
  numChildren: znode.numChildren,
})

export const znodeEntry = (znode: Znode): ZnodeEntry => {
  const { numChildren: _, ...fields } = copyOf(znode)
  return { entry: 'znode', ...fields }
}

/**
 * Every create and every delete of a child counts, and what was created and is gone was deleted.
 * Stops at the largest number that the wire carries.
 */
export const cversionOf = (znode: Pick<Znode, 'childrenCreated' | 'numChildren'>): number =>
  Math.min(2 * znode.childrenCreated - znode.numChildren, Number.MAX_SAFE_INTEGER)

export const statOf = (znode: LiveZnode): Stat => ({
  czxid: znode.czxid,
  mzxid: znode.mzxid,
  pzxid: znode.pzxid,
  ctime: znode.ctime,
  mtime: znode.mtime,
  version: znode.version,
  cversion: cversionOf(znode),
  aversion: znode.aversion,
  ephemeralOwner: znode.ephemeralOwner,
  dataLength: znode.dataLength,
  numChildren: znode.numChildren,
  kind: znode.kind,
  ttlMs: znode.ttlMs,
})
