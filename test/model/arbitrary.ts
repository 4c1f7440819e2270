import type { Acl, Op } from '@conclave/protocol'
import fc from 'fast-check'
import { anyOf, just, mostly, weighted } from './choices.js'
import { identityOf } from './identity.js'
import { local, read } from './other-operations.js'
import type { Script, Step } from './scripts.js'
import { goodPath, write } from './write-operations.js'

const request = fc.record({
  who: fc.nat(3),
  op: weighted<Op>([100, write], [60, read], [24, local], [1, just({ op: 'closeSession' })]),
  as: weighted(
    [20, just('next' as const)],
    [2, just('skip' as const)],
    [2, just('again' as const)],
    [1, just('acked' as const)],
    [3, just('leftOut' as const)],
  ),
  acks: weighted([3, just(false)], [1, just(true)]),
})

const who = fc.nat(3)
const resumes = fc.record({
  auth: mostly,
  rearm: mostly,
  streams: mostly,
  resend: mostly,
})
const step: fc.Arbitrary<Step> = weighted<Step>(
  [
    40,
    fc.record({ step: just('turn'), requests: fc.array(request, { minLength: 1, maxLength: 1 }) }),
  ],
  [
    12,
    fc.record({ step: just('turn'), requests: fc.array(request, { minLength: 2, maxLength: 6 }) }),
  ],
  [2, fc.record({ step: anyOf('ping', 'ack', 'probe', 'drop'), who })],
  [
    8,
    fc.record({
      step: just('connect'),
      who,
      kind: weighted(
        [8, just('right' as const)],
        [
          2,
          anyOf(
            'byNonce',
            'stale',
            'wrongNonce',
            'otherEnsemble',
            'historyLost',
            'unknown' as const,
          ),
        ],
      ),
      resumes,
    }),
  ],
  [
    4,
    fc.record({ step: just('wait'), ticks: anyOf(1, 5, 22, 22, 45), pings: anyOf(15, 15, 14, 5) }),
  ],
  [4, just({ step: 'hold' })],
  [3, fc.record({ step: just('release'), one: mostly })],
  [2, fc.record({ step: just('space'), ok: anyOf(true, true, true, false) })],
  [2, fc.record({ step: just('restart'), purge: mostly, returning: fc.nat(15), resumes })],
)

const turn = (...ops: readonly (readonly [who: number, op: Op])[]): Step => ({
  step: 'turn',
  requests: ops.map(([by, op]) => ({ who: by, op, as: 'next', acks: false })),
})

/** A client that leaves, comes back before that is durable, and writes. */
const regret = fc.tuple(who, write).map(([by, op]): Step[] => {
  const resumes = { auth: false, rearm: false, streams: false, resend: false }
  const back: Step = { step: 'connect', who: by, kind: 'right', resumes }
  return [{ step: 'hold' }, turn([by, { op: 'closeSession' }]), back, turn([by, op])]
})

/** A client that watches both the data and the children of a znode, and one that changes it. */
const attention = fc.tuple(who, goodPath, who, write).map(([by, path, other, op]): Step[] => {
  const flags = { path, watch: true, linearizable: false }
  const page = { cursor: null, limit: 0, withStat: false }
  const watched: Step = turn(
    [by, { op: 'getData', ...flags }],
    [by, { op: 'getChildren', ...flags, ...page }],
  )
  return [watched, turn([other, op]), turn([other, { op: 'deleteRecursive', path }])]
})

/** A client that comes when nothing can be logged. */
const newcomer = who.map((by): Step[] => {
  const resumes = { auth: true, rearm: true, streams: true, resend: false }
  return [
    turn([by, { op: 'closeSession' }]),
    { step: 'space', ok: false },
    { step: 'connect', who: by, kind: 'right', resumes },
    { step: 'space', ok: true },
    { step: 'connect', who: by, kind: 'right', resumes },
  ]
})

/** Created before anything else: something to meet. */
const annOnly: Acl = [{ scheme: 'digest', id: identityOf('ann', 'secret').id, permissions: 31 }]
const annMore: Acl = [{ scheme: 'world', id: 'anyone', permissions: 1 }, ...annOnly]
const noDelete: Acl = [{ scheme: 'world', id: 'anyone', permissions: 31 - 8 }]
const setup: Op<'create'>[] = (
  [
    ['/a', 'persistent', null],
    ['/b', 'container', null],
    ['/b', 'container', noDelete],
    ['/b', 'container', annMore],
    ['/a/a', 'persistent', null],
    ['/a/b', 'ephemeral', null],
    ['/e', 'ephemeral', null],
    ['/b/a', 'persistent', annOnly],
  ] as const
).map(([at, kind, access]) => ({
  op: 'create',
  path: at,
  kind,
  data: null,
  acl: access,
  ttlMs: 0,
}))

export const script: fc.Arbitrary<Script> = fc.record({
  timeoutsMs: fc.array(anyOf(10_000, 10_000, 500, 90_000), { minLength: 2, maxLength: 4 }),
  setup: fc.subarray(setup),
  snapshotTxns: anyOf(3, 7, 20, 1_000_000),
  steps: fc
    .array(
      weighted([192, step.map((single) => [single])], [2, regret], [4, attention], [2, newcomer]),
      {
        minLength: 1,
        maxLength: 90,
        size: 'max',
      },
    )
    .map((steps) => steps.flat()),
})
