import {
  type Acl,
  type Compare,
  createKinds,
  type MultiOp,
  type Op,
  type Zxid,
} from '@conclave/protocol'
import fc from 'fast-check'
import { anyOf, just, weighted } from './choices.js'
import { identityOf } from './identity.js'
import { present } from './sketches.js'

/** Few paths and few values, so that operations meet. */

export const badPath = anyOf(
  '',
  'a',
  '/a/',
  '//',
  '/a//b',
  '/a/.',
  '/../a',
  '/conclave',
  '/conclave/x',
  '/\u0000',
  '/\ufff0',
  '/\u{10000}',
  `/${'x'.repeat(1_024)}`,
  '/d'.repeat(65),
)
export const goodPath = anyOf(
  '/a',
  '/a',
  '/a',
  '/b',
  '/b',
  '/a/a',
  '/a/a',
  '/a/b',
  '/b/a',
  '/a/a/a',
  '/s-0000000000',
  '/a/s-0000000001',
  '/a/0000000002',
)
export const path = weighted([70, goodPath], [4, just('/')], [1, badPath])
/** For operations that are rare: bad often enough to be seen. */
export const anyPath = weighted([6, path], [1, badPath])
const prefix = weighted([30, anyOf('/s-', '/a/s-', '/a/s-', '/a/', '/b/s-', '/')], [1, badPath])

export const version = weighted([16, just(-1)], [10, just(present)], [6, fc.nat(2)], [1, just(-2)])
const huge = new Uint8Array(1_048_577)
const data = weighted<Uint8Array | null>(
  [60, anyOf(null, new Uint8Array(), Uint8Array.of(120), Uint8Array.of(121, 121))],
  [1, just(huge)],
)

/** The only password of the scripts. */
const ann = identityOf('ann', 'secret').id
const entry = (scheme: 'world' | 'auth' | 'digest' | 'ip', id: string, permissions: number) =>
  just<Acl>([{ scheme, id, permissions }])
export const goodAcl: fc.Arbitrary<Acl> = fc.oneof(
  entry('world', 'anyone', 31),
  ...[1, 2, 4, 8, 16].map((bit) => entry('world', 'anyone', 31 - bit)),
  entry('auth', '', 31),
  entry('digest', ann, 31),
  entry('ip', '127.0.0.0/8', 31),
  entry('ip', '10.0.0.1', 31),
  just<Acl>([
    { scheme: 'world', id: 'anyone', permissions: 1 },
    { scheme: 'digest', id: ann, permissions: 30 },
    { scheme: 'auth', id: '', permissions: 4 },
  ]),
)
const badAcl: fc.Arbitrary<Acl> = fc.oneof(
  just<Acl>([]),
  entry('world', 'anyone', 0),
  entry('world', 'anyone', 32),
  entry('world', 'nobody', 1),
  entry('digest', 'ann:short', 31),
  entry('auth', 'ann', 31),
)
const acl = weighted<Acl>([5, goodAcl], [1, badAcl])

const create = weighted<Pick<Op<'create'>, 'kind' | 'path' | 'ttlMs'>>(
  [
    6,
    fc.record({
      kind: anyOf('persistent', 'ephemeral', 'container' as const),
      path,
      ttlMs: just(0),
    }),
  ],
  [
    3,
    fc.record({
      kind: anyOf('persistentSequential', 'ephemeralSequential' as const),
      path: prefix,
      ttlMs: just(0),
    }),
  ],
  [2, fc.record({ kind: just('ttl' as const), path, ttlMs: anyOf(1_000, 2_000) })],
  [1, fc.record({ kind: just('ttlSequential' as const), path: prefix, ttlMs: just(1_000) })],
  [1, fc.record({ kind: anyOf(...createKinds), path, ttlMs: anyOf(0, 0, 1_000, 315_360_000_001) })],
)
const maybeAcl = weighted<Acl | null>([6, just(null)], [1, acl])
const fullCreate = fc.tuple(create, data, maybeAcl).map(([made, value, access]): Op<'create'> => ({
  op: 'create',
  ...made,
  data: value,
  acl: access,
}))

const change: fc.Arbitrary<MultiOp & Op> = weighted<MultiOp & Op>(
  [8, fullCreate],
  [4, fc.record({ op: just('delete'), path, version })],
  [4, fc.record({ op: just('setData'), path, data, version })],
  [4, fc.record({ op: just('setAcl'), path, acl, version })],
) as fc.Arbitrary<MultiOp & Op>

const suffix = anyOf('', '', '', '/x', '/x', '/s-', '//', 'y')
const part = weighted<MultiOp>(
  [8, change],
  [1, fc.record({ op: just('check'), path, version }) as fc.Arbitrary<MultiOp>],
)

/** Some parts name what an earlier create of the list makes; a few name what is none. */
const parts = (maxLength: number): fc.Arbitrary<MultiOp[]> =>
  fc
    .array(fc.tuple(part, fc.nat(39), suffix), { maxLength })
    .map((list) => list.map(([op], index) => refer(op, list, index)))

const refer = (
  op: MultiOp,
  list: readonly (readonly [MultiOp, number, string])[],
  at: number,
): MultiOp => {
  const [, dice, end] = list[at] ?? [op, 0, '']
  const earlier = list.findIndex(([{ op: name }], index) => index < at && name === 'create')
  if (dice === 0) return { ...op, path: { index: 1, suffix: end } }
  if (earlier === -1) return op
  if (dice < 8) return { ...op, path: { index: earlier, suffix: end } }
  return dice < 12 && 'data' in op ? { ...op, data: { index: earlier, suffix: end } } : op
}

/** A sequential create, and what makes use of its name. */
const chain: fc.Arbitrary<MultiOp[]> = fc
  .array(fc.tuple(change, fc.boolean(), suffix), { maxLength: 2 })
  .map((list) => [
    { op: 'create', path: '/s-', data: null, kind: 'persistentSequential', acl: null, ttlMs: 0 },
    ...list.map(([op, isPath, end]): MultiOp => {
      const ref = { index: 0, suffix: end }
      return isPath || !('data' in op) ? { ...op, path: ref } : { ...op, data: ref }
    }),
  ])

const czxid = weighted([4, just(present as Zxid)], [1, fc.nat(9) as fc.Arbitrary<Zxid>])
const target = weighted([12, anyOf('/a', '/a', '/b', '/a/a', '/a/b', '/b/a')], [1, path])
const compare = fc.oneof(
  fc.record({ compare: just('version'), path: target, equals: anyOf(present, 0, 1) }),
  fc.record({ compare: just('exists'), path: target, equals: fc.boolean() }),
  fc.record({
    compare: just('value'),
    path: target,
    equals: anyOf(null, Uint8Array.of(120), new Uint8Array()),
  }),
  fc.record({ compare: just('ephemeralOwner'), path: target, equals: anyOf(present, 0) }),
  fc.record({ compare: just('czxid'), path: target, equals: czxid }),
) as fc.Arbitrary<Compare>

const sometimes = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  weighted([3, just<T[]>([])], [2, fc.array(arbitrary, { minLength: 1, maxLength: 2 })])
const manyParts: MultiOp[] = Array.from({ length: 129 }, () => ({
  op: 'check',
  path: '/',
  version: -1,
}))
const multi = weighted<Op<'multi'>>(
  [
    40,
    fc.record({
      op: just('multi'),
      fences: sometimes(fc.record({ path: goodPath, czxid })),
      compares: sometimes(compare),
      then: parts(3),
      else: parts(2),
    }),
  ],
  [
    15,
    fc.record({
      op: just('multi'),
      fences: just([]),
      compares: sometimes(compare),
      then: chain,
      else: chain,
    }),
  ],
  [1, just({ op: 'multi', fences: [], compares: [], then: manyParts, else: [] })],
)

export const write: fc.Arbitrary<Op> = weighted<Op>(
  [16, change],
  [5, multi],
  [1, fc.record({ op: just('deleteRecursive'), path })],
)
