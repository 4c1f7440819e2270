import type { Op, Zxid } from '@conclave/protocol'
import fc from 'fast-check'
import { anyOf, few, just, weighted } from './choices.js'
import { back, badCursor, lastCursor, otherEnsemble, whereItStood } from './sketches.js'
import { anyPath, goodPath, path, version } from './write-operations.js'

/** Reads, and what is about the connection alone. */

const flags = { watch: fc.boolean(), linearizable: weighted([3, just(false)], [1, just(true)]) }
const { linearizable } = flags
const cursor = weighted<Uint8Array | null>(
  [6, just(null)],
  [3, just(lastCursor)],
  [1, just(badCursor)],
)
const simpleRead = anyOf('exists', 'getData', 'getChildren', 'getAcl' as const)
const manyReads = Array.from({ length: 129 }, () => ({ op: 'exists' as const, path: '/' }))
export const read: fc.Arbitrary<Op> = weighted<Op>(
  [4, fc.record({ op: just('exists'), path, ...flags })],
  [4, fc.record({ op: just('getData'), path, ...flags })],
  [
    5,
    fc.record({
      op: just('getChildren'),
      path,
      ...flags,
      cursor,
      limit: anyOf(0, 1, 1, 2),
      withStat: fc.boolean(),
    }),
  ],
  [2, fc.record({ op: just('check'), path, version, linearizable })],
  [4, fc.record({ op: just('getAcl'), path, linearizable })],
  [1, fc.record({ op: just('getEphemerals'), path: anyPath, linearizable, cursor: just(null) })],
  [
    2,
    fc.record({
      op: just('countDescendants'),
      path,
      linearizable,
      cursor: anyOf(null, null, badCursor),
    }),
  ],
  [
    2,
    fc.record({
      op: just('getChildren'),
      path: anyOf('/', '/a'),
      ...flags,
      cursor: just(lastCursor),
      limit: just(1),
      withStat: just(false),
    }),
  ],
  [
    2,
    fc.record({
      op: just('multiRead'),
      linearizable,
      reads: weighted([20, few(fc.record({ op: simpleRead, path }), 4)], [1, just(manyReads)]),
    }),
  ],
  [1, fc.record({ op: just('sync'), path: anyPath })],
  [1, just({ op: 'whoAmI' })],
)

const streamId = fc.nat(2)
const whole = Number.MAX_SAFE_INTEGER
const position = fc.oneof(
  fc.record({ ensembleId: just(whereItStood), zxid: just(0 as Zxid), index: just(0) }),
  fc.record({
    ensembleId: just(back),
    zxid: fc.integer({ min: -2, max: 12 }) as fc.Arbitrary<Zxid>,
    index: anyOf(0, 1, whole),
  }),
  fc.record({ ensembleId: just(otherEnsemble), zxid: just(1 as Zxid), index: just(0) }),
)
const stream = fc.record({
  op: just('watch'),
  streamId,
  path: weighted([3, path], [2, just('/')]),
  recursive: fc.boolean(),
  withDetail: fc.boolean(),
  from: weighted([1, just(null)], [1, position]),
})
export const local: fc.Arbitrary<Op> = weighted<Op>(
  [6, stream],
  [1, fc.record({ op: just('unwatch'), streamId })],
  [2, fc.record({ op: just('removeWatches'), path: anyPath, kind: anyOf('data', 'child', 'any') })],
  [
    2,
    fc.record({
      op: just('rearmWatches'),
      fromZxid: fc.nat(12) as fc.Arbitrary<Zxid>,
      data: few(goodPath, 2),
      exists: few(goodPath, 2),
      child: few(anyPath, 2),
    }),
  ],
  [
    4,
    fc.record({
      op: just('auth'),
      scheme: just('digest'),
      user: anyOf('ann', 'bob'),
      password: just('secret'),
    }),
  ],
  [
    1,
    fc.record({
      op: just('auth'),
      scheme: anyOf('digest', 'plain'),
      user: anyOf('', 'a:b'),
      password: just(''),
    }),
  ],
)
