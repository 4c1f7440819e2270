import t from 'tap'
import fc from 'fast-check'
import type { Xid } from '@conclave/protocol'
import type { EpochStart, SnapshotEntry, Txn } from '@conclave/protocol/peer'
import type { SnapshotView } from '#server/core/effect.js'
import { ReplicatedState } from '#server/core/pipeline/replicated-state.js'
import { create, getChildren, remove, setData } from '../../../support/replica-kit.js'
import { type ClientKit, ReplicaKit } from '../../../support/replica-kit.js'
import { closeSession, deleteRecursive, multi, setAcl } from '../../../support/tree-kit.js'
import { statOf, world } from '../../../support/tree-kit.js'

/** One step of a random run: who does what where, in a small tree. */
const stepsOf = fc.array(
  fc.record({
    act: fc.constantFrom(
      ...(['create', 'create', 'delete', 'setData', 'setAcl', 'multi', 'recursive'] as const),
      ...(['tick', 'close'] as const),
    ),
    path: fc
      .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
      .map((parts) => `/${parts.join('/')}`),
    kind: fc.constantFrom('persistent', 'ephemeral', 'persistentSequential', 'container'),
    value: fc.nat(255),
  }),
  { minLength: 30, maxLength: 80 },
)
type Step = typeof stepsOf extends fc.Arbitrary<(infer S)[]> ? S : never

/** Three clients take turns. A session that is closed makes room for another. */
const perform = (kit: ReplicaKit, steps: readonly Step[]): void => {
  const clients = [kit.client(), kit.client(), kit.client()]
  for (const { act, path, kind, value } of steps) {
    const turn = value % clients.length
    const client = clients[turn] as ClientKit
    if (value % 4 === 0) client.ackedXid = client.xid as Xid
    const data = value % 5 === 0 ? null : Uint8Array.of(value)
    if (act === 'create') client.reply(create(path, { kind, data }))
    if (act === 'delete') client.reply(remove(path))
    if (act === 'setData') client.reply(setData(path, data))
    if (act === 'setAcl') client.reply(setAcl(path, world(value % 2 === 0 ? 31 : 29)))
    if (act === 'recursive') client.reply(deleteRecursive(path))
    if (act === 'multi') client.reply(multi([create(path, { kind, data }), remove('/b')]))
    if (act === 'tick') kit.tick()
    if (act === 'close') {
      client.reply(closeSession)
      clients[turn] = kit.client()
    }
  }
}

/** Every znode that can be reached from the root, with the paths of its children. */
const treeOf = (client: ClientKit): Map<string, string[]> => {
  const tree = new Map<string, string[]>()
  const visit = (path: string): void => {
    const { children } = client.ok(getChildren(path))
    const paths = children.map(({ name }) => (path === '/' ? `/${name}` : `${path}/${name}`))
    tree.set(path, paths)
    for (const each of paths) visit(each)
  }
  visit('/')
  return tree
}

/** How often a child of each znode was created or deleted, as the log tells it. */
const childChanges = (log: readonly Txn[]): Map<string, number> => {
  const counts = new Map<string, number>()
  const changes = log.flatMap(({ body }) => ('changes' in body ? body.changes : []))
  for (const each of changes) {
    if (each.change !== 'create' && each.change !== 'delete') continue
    const parent = each.path.slice(0, each.path.lastIndexOf('/')) || '/'
    counts.set(parent, (counts.get(parent) ?? 0) + 1)
    if (each.change === 'create') counts.set(each.path, 0)
  }
  return counts
}

t.test('ZNODE-21 random writes keep the account of children', async (t) => {
  const property = fc.property(stepsOf, (steps) => {
    const kit = new ReplicaKit()
    perform(kit, steps)
    const client = kit.client()
    const tree = treeOf(client)
    const counts = childChanges(kit.log)
    const stats = [...tree.keys()].map((path) => statOf(client, path))
    return (
      tree.size === kit.replica.status.znodes &&
      [...tree].every(([path, children], i) => {
        const { numChildren, cversion } = stats[i] ?? {}
        return numChildren === children.length && cversion === (counts.get(path) ?? 0)
      })
    )
  })
  fc.assert(property, { numRuns: 60, seed: 7 })
  t.pass('60 runs')
})

t.test('ZNODE-21 the state after a restart is the state before, digest and all', async (t) => {
  const property = fc.property(stepsOf, fc.integer({ min: 2, max: 20 }), (steps, snapshotTxns) => {
    const kit = new ReplicaKit({ snapshotTxns })
    perform(kit, steps)
    const { digest, znodes, sessions, zxid } = kit.replica.status
    const isSame = (): boolean => {
      kit.restart()
      const now = kit.replica.status
      const same = now.digest === digest && now.znodes === znodes
      return same && now.sessions === sessions && now.zxid === zxid
    }
    const fromSnapshot = isSame()
    kit.snapshot = null
    return fromSnapshot && isSame()
  })
  fc.assert(property, { numRuns: 60, seed: 8 })
  t.pass('60 runs')
})

const epochs: readonly EpochStart[] = []

const planted = (): ReplicatedState => {
  const state = new ReplicatedState()
  state.plant()
  return state
}

const takeAll = (view: SnapshotView, max = 1_000): SnapshotEntry[] => {
  const entries: SnapshotEntry[] = []
  for (let piece = view.next(max); piece.length > 0; piece = view.next(max)) entries.push(...piece)
  view.close()
  return entries
}

const sorted = (entries: readonly SnapshotEntry[]): string[] =>
  entries.map((entry) => JSON.stringify(entry)).sort()

t.test('ZNODE-19 a snapshot taken in slices while writes go on is that of its zxid', async (t) => {
  const shape = fc.record({
    at: fc.nat(25),
    slice: fc.integer({ min: 1, max: 4 }),
    writes: fc.nat(4),
  })
  let changed = 0
  const property = fc.property(stepsOf, shape, (steps, { at, slice, writes }) => {
    const kit = new ReplicaKit()
    perform(kit, steps)
    const live = planted()
    const still = planted()
    const log = [...kit.log]
    for (const txn of log.splice(0, 4 + at)) {
      live.apply(txn)
      still.apply(txn)
    }
    // The second snapshot of the same state must not be misled by the marks of the first.
    for (let round = 0; round < 2; round++) {
      const view = live.snapshot(epochs)
      const expected = takeAll(still.snapshot(epochs))
      if (view.header.digest !== still.digest) return false
      const entries: SnapshotEntry[] = []
      for (let piece = view.next(slice); piece.length > 0; piece = view.next(slice)) {
        if (piece.length > slice) return false
        entries.push(...piece)
        for (const txn of log.splice(0, writes)) {
          live.apply(txn)
          still.apply(txn)
          changed += 1
        }
      }
      view.close()
      if (sorted(entries).join() !== sorted(expected).join()) return false
      const loaded = new ReplicatedState()
      loaded.loadHeader(view.header)
      for (const entry of entries.toReversed()) loaded.loadEntry(entry)
      loaded.loaded()
      if (loaded.digest !== view.header.digest) return false
    }
    return true
  })
  fc.assert(property, { numRuns: 150, seed: 9 })
  t.ok(changed > 500, `${changed} txns were applied between the slices`)
})

t.test('ZNODE-19 every field of a znode counts in the digest', async (t) => {
  const kit = new ReplicaKit({ snapshotTxns: 1 })
  kit.client().create('/a', { data: Uint8Array.of(1), acl: world(30) })
  const { header, entries } = kit.snapshot ?? { header: null, entries: [] }
  const digestWith = (change: object): string => {
    const state = new ReplicatedState()
    if (header !== null) state.loadHeader(header)
    for (const entry of entries) {
      const isIt = entry.entry === 'znode' && entry.path === '/a'
      state.loadEntry(isIt ? { ...entry, ...change } : entry)
    }
    state.loaded()
    return state.digest
  }
  t.equal(digestWith({}), header?.digest)
  const numbers = ['czxid', 'mzxid', 'pzxid', 'ctime', 'mtime', 'version', 'aversion', 'ttlMs']
  const others = ['ephemeralOwner', 'ordinal', 'childrenCreated']
  const changes = [...numbers, ...others].map((field) => ({ [field]: 77 }))
  const more = [{ data: null }, { acl: null }, { kind: 'container' }, { path: '/b' }]
  const last = [{ data: Uint8Array.of(2) }, { acl: world(29) }]
  const digests = [{}, ...changes, ...more, ...last].map(digestWith)
  t.equal(new Set(digests).size, digests.length)
})
