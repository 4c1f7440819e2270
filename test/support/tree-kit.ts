import type { Acl, Compare, Fence, MultiOp, Op, OpResult, Stat, Zxid } from '@conclave/protocol'
import { ReplicatedState } from '#server/core/pipeline/replicated-state.js'
import type { SnapshotEntry, SnapshotEntryOf, SnapshotHeader } from '@conclave/protocol/peer'
import { type ClientKit, create, getChildren, type ReplicaKit } from './replica-kit.js'

/** Operations and states of the tree, for tests that drive a replica. */

export const exists = (path: string, linearizable = false): Op<'exists'> => ({
  op: 'exists',
  path,
  watch: false,
  linearizable,
})

export const check = (path: string, version = -1): Op<'check'> => ({
  op: 'check',
  path,
  version,
  linearizable: false,
})

export const getAcl = (path: string): Op<'getAcl'> => ({ op: 'getAcl', path, linearizable: false })

export const setAcl = (path: string, acl: Acl, version = -1): Op<'setAcl'> => ({
  op: 'setAcl',
  path,
  acl,
  version,
})

export const deleteRecursive = (path: string): Op<'deleteRecursive'> => ({
  op: 'deleteRecursive',
  path,
})

export const getEphemerals = (
  path: string,
  cursor: Uint8Array | null = null,
): Op<'getEphemerals'> => ({ op: 'getEphemerals', path, linearizable: false, cursor })

export const countDescendants = (
  path: string,
  cursor: Uint8Array | null = null,
): Op<'countDescendants'> => ({ op: 'countDescendants', path, linearizable: false, cursor })

export const whoAmI: Op<'whoAmI'> = { op: 'whoAmI' }
export const closeSession: Op<'closeSession'> = { op: 'closeSession' }

export const auth = (user: string, password: string): Op<'auth'> => ({
  op: 'auth',
  scheme: 'digest',
  user,
  password,
})

/** The same operation as a part of a multi. */
export const part = {
  check: (path: string, version = -1): MultiOp => ({ op: 'check', path, version }),
}

export interface Guards {
  readonly fences?: readonly Fence[]
  readonly compares?: readonly Compare[]
  readonly else?: readonly MultiOp[]
}

export const multi = (then: readonly MultiOp[], guards: Guards = {}): Op<'multi'> => ({
  op: 'multi',
  fences: guards.fences ?? [],
  compares: guards.compares ?? [],
  then,
  else: guards.else ?? [],
})

export const fence = (path: string, czxid: number): Fence => ({ path, czxid: czxid as Zxid })

/** Everybody may do what the bits say. */
export const world = (permissions: number): Acl => [{ scheme: 'world', id: 'anyone', permissions }]

/** Everything but these permissions for everybody. */
export const worldWithout = (permissions: number): Acl => world(31 - permissions)

export const digest = (user: string, permissions: number, digit = 'a'): Acl => [
  { scheme: 'digest', id: `${user}:${digit.repeat(64)}`, permissions },
]

/** The stat of a znode that is there. */
export const statOf = (client: ClientKit, path: string): Stat => {
  const stat = client.stat(path)
  if (stat === null) throw new Error(`${path} does not exist`)
  return stat
}

/** Creates children in as few requests as possible. */
export const fill = (
  client: ClientKit,
  paths: readonly string[],
  kind: 'ephemeral' | 'persistent' = 'persistent',
): void => {
  for (let at = 0; at < paths.length; at += 100) {
    client.ackedXid = client.xid as typeof client.ackedXid
    client.ok(multi(paths.slice(at, at + 100).map((path) => create(path, { kind }))))
  }
}

export const numbered = (count: number, path: (index: number) => string): string[] =>
  Array.from({ length: count }, (_, index) => path(index))

/** All pages of a listing; `between` runs after each but the last. */
export const pages = (
  client: ClientKit,
  path: string,
  limit: number,
  between: () => void = () => {},
): string[][] => {
  const all: string[][] = []
  let cursor: OpResult<'getChildren'>['cursor'] = null
  do {
    const page: OpResult<'getChildren'> = client.ok(getChildren(path, { cursor, limit }))
    all.push(page.children.map(({ name }) => name))
    cursor = page.cursor
    if (cursor !== null) between()
  } while (cursor !== null)
  return all
}

/** Restarts from a snapshot in which one znode is changed. The kit has one of each txn. */
export const rewrite = (
  kit: ReplicaKit,
  path: string,
  change: Partial<SnapshotEntryOf<'znode'>>,
): void =>
  rewriteSnapshot(kit, (entry) =>
    entry.entry === 'znode' && entry.path === path ? { ...entry, ...change } : entry,
  )

/** Restarts from a snapshot whose entries are changed, and no log. The kit has one of each txn. */
export const rewriteSnapshot = (
  kit: ReplicaKit,
  change: (entry: SnapshotEntry) => SnapshotEntry,
  at: Partial<SnapshotHeader> = {},
): void => {
  const taken = kit.snapshot
  if (taken === null) throw new Error('the kit has taken no snapshot')
  const header = { ...taken.header, ...at }
  const entries = taken.entries.map(change)
  const state = new ReplicatedState()
  state.loadHeader(header)
  for (const entry of entries) state.loadEntry(entry)
  state.loaded()
  kit.snapshot = { header: { ...header, digest: state.digest }, entries }
  kit.log = []
  kit.commit = header.zxid
  kit.restart()
}
