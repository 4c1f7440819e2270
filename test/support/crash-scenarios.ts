import type { StorageOptions } from '#server/runtime/storage/index.js'
import type { Txn } from '@conclave/protocol/peer'
import type { CrashStep } from './crash-steps.js'
import type { Schedule } from './virtual-disk.js'
import { hardStateAt, type PersistParts, txnsAt as smallTxnsAt, viewAt } from './storage-kit.js'

export interface CrashScenario {
  readonly name: string
  readonly steps: readonly CrashStep[]
  readonly storage?: Partial<StorageOptions>
  readonly schedule?: Schedule
  /** Operations in which the machine must have stopped for the scenario to be worth its name. */
  readonly stopsIn: readonly RegExp[]
}

const persist = (parts: Extract<CrashStep, { step: 'persist' }>['parts']): CrashStep => ({
  step: 'persist',
  parts,
})
const snapshot = (zxid: number, epoch = 1): CrashStep => ({
  step: 'snapshot',
  view: () => viewAt(zxid, { epoch }),
})
const settle: CrashStep = { step: 'settle' }
const restart = (isClean: boolean): CrashStep => ({ step: 'restart', isClean })

/** Hard states cut the batches, or all of it would be one. */
const atEpoch = (zxid: number): PersistParts => ({ hardState: hardStateAt(zxid) })

/**
 * All that a server does to its disk.
 * @param scale of what is written: the more sectors, the more subsets of them
 */
export const crashScenarios = (scale: number): readonly CrashScenario[] => {
  const txnsAt = (from: number, to: number, epoch = 1, bytes = 16): readonly Txn[] =>
    smallTxnsAt(from, to, epoch, bytes * scale)
  return [
    {
      name: 'appending',
      steps: [
        persist({ hardState: hardStateAt(1) }),
        persist({ txns: txnsAt(1, 3) }),
        persist({ txns: txnsAt(4, 4, 1, 600), commit: 3 }),
        settle,
        persist({ txns: txnsAt(5, 5, 1, 300), commit: 4 }),
        settle,
        persist({ txns: [...txnsAt(6, 7, 1, 900), ...txnsAt(8, 8, 2, 1_400)], commit: 5 }),
        persist({ txns: txnsAt(9, 9, 2), commit: 8 }),
      ],
      stopsIn: [/^write log-0/],
    },
    {
      name: 'the hard state',
      steps: [
        persist({ hardState: hardStateAt(1), txns: txnsAt(1, 1) }),
        persist({ hardState: hardStateAt(2), txns: txnsAt(2, 2, 1, 900) }),
        persist({ hardState: hardStateAt(3) }),
        restart(false),
        persist({ hardState: hardStateAt(4) }),
      ],
      stopsIn: ['create', 'write', 'sync', 'rename'].map(
        (kind) => new RegExp(`^${kind} hard-state.tmp`),
      ),
    },
    {
      name: 'rolling to new segments',
      steps: [
        persist({ hardState: hardStateAt(1) }),
        ...[1, 2, 3, 4, 5, 6].flatMap((zxid) => [
          persist({ txns: txnsAt(zxid, zxid, 1, 1_500), commit: zxid - 1 }),
          settle,
        ]),
        restart(false),
        persist({ txns: txnsAt(7, 7, 1, 3_500), commit: 6 }),
        settle,
        persist({ txns: txnsAt(8, 8, 1, 1_500), commit: 7 }),
      ],
      stopsIn: [/^create log-next/, /^sync log-next/, /^rename log-next/, /^truncate log-0/],
    },
    {
      name: 'truncating',
      steps: [
        persist({ hardState: hardStateAt(1) }),
        persist({ txns: txnsAt(1, 5), commit: 2 }),
        settle,
        persist({ truncateAfter: 3, txns: txnsAt(4, 6, 2), hardState: hardStateAt(2), commit: 3 }),
        persist({ txns: txnsAt(7, 7, 2, 1_500), commit: 3 }),
        restart(false),
        persist({ truncateAfter: 3 }),
        persist({ txns: txnsAt(4, 4, 3, 2_000), commit: 3 }),
        restart(false),
        persist({ truncateAfter: 3 }),
        persist({ txns: txnsAt(4, 5, 3), hardState: hardStateAt(3), commit: 5 }),
      ],
      stopsIn: [/^rename log-next/, /^write log-0000000003/],
    },
    {
      name: 'snapshots and purging',
      steps: [
        persist({ hardState: hardStateAt(1) }),
        ...[1, 4, 7].flatMap((zxid) => [
          ...[zxid, zxid + 1, zxid + 2].flatMap((next) => [
            persist({ txns: txnsAt(next, next, 1, 900), commit: next - 1 }),
            settle,
          ]),
          snapshot(zxid + 2),
        ]),
      ],
      storage: { segmentBytes: 2_048 * scale, snapshotsKept: 1 },
      stopsIn: [
        ...['create', 'write', 'sync', 'rename'].map((kind) => new RegExp(`^${kind} snapshot-`)),
        /^unlink snapshot-g0-\d+$/,
        /^unlink log-0/,
        /^syncDirectory data/,
      ],
    },
    {
      name: 'a snapshot and a new segment while the log goes on',
      steps: [
        persist({ hardState: hardStateAt(1) }),
        persist({ txns: txnsAt(1, 2), commit: 1 }),
        { step: 'snapshot', view: () => viewAt(2, { count: 20 * scale }), isMeanwhile: true },
        ...[3, 4, 5, 6, 7, 8].map((zxid) =>
          persist({ txns: txnsAt(zxid, zxid, 1, 900), commit: zxid - 1, ...atEpoch(zxid) }),
        ),
      ],
      storage: { segmentBytes: 4_096 * scale, snapshotsKept: 1 },
      schedule: (task) => setImmediate(task),
      stopsIn: [/^write snapshot-/, /^sync snapshot-/, /^rename snapshot-/, /^rename log-next/],
    },
    {
      name: 'installing a snapshot of the leader',
      steps: [
        persist({ hardState: hardStateAt(1) }),
        persist({ txns: txnsAt(1, 4, 1, 600), commit: 2 }),
        settle,
        { step: 'install', view: () => viewAt(9, { epoch: 2, count: 3 * scale }) },
        restart(false),
        persist({ txns: txnsAt(10, 11, 2), hardState: hardStateAt(2), commit: 10 }),
        snapshot(10, 2),
        { step: 'install', view: () => viewAt(20, { epoch: 3 }) },
        restart(true),
        persist({ txns: txnsAt(21, 21, 3), commit: 20 }),
      ],
      stopsIn: [
        ...['create', 'write'].map((kind) => new RegExp(`^${kind} snapshot-received.tmp`)),
        ...['create', 'write', 'sync', 'rename'].map(
          (kind) => new RegExp(`^${kind} snapshot-installing.tmp`),
        ),
        /^unlink log-0/,
        /^unlink snapshot-g1/,
      ],
    },
    {
      name: 'stopping and starting',
      steps: [
        persist({ hardState: hardStateAt(1), txns: txnsAt(1, 2) }),
        restart(true),
        persist({ txns: txnsAt(3, 4, 1, 700), commit: 2 }),
        restart(true),
        restart(false),
        persist({ txns: txnsAt(5, 5), commit: 4 }),
      ],
      stopsIn: [/^write log-0/],
    },
  ]
}
