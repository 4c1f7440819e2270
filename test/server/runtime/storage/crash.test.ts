import t from 'tap'
import { type CrashStep, enumerateCrashes } from '../../../support/crash-states.js'
import { hardStateAt, txnsAt, viewAt } from '../../../support/storage-kit.js'

const persist = (parts: Extract<CrashStep, { step: 'persist' }>['parts']): CrashStep => ({
  step: 'persist',
  parts,
})
const snapshot = (zxid: number, epoch = 1): CrashStep => ({
  step: 'snapshot',
  view: () => viewAt(zxid, { epoch }),
})
const restart = (isClean: boolean): CrashStep => ({ step: 'restart', isClean })

t.test('DISK-7 every crash state of appending and of the hard state', async (t) => {
  const { failures, states, cutPoints } = await enumerateCrashes([
    persist({ hardState: hardStateAt(1) }),
    persist({ txns: txnsAt(1, 3) }),
    persist({ txns: txnsAt(4, 4, 1, 600), commit: 3 }),
    persist({ txns: txnsAt(5, 5, 1, 900), commit: 4, hardState: hardStateAt(2) }),
    persist({ txns: txnsAt(6, 7, 2), commit: 5 }),
  ])
  t.strictSame(failures.slice(0, 3), [])
  t.ok(cutPoints > 10 && states > 100, `${cutPoints} cut points, ${states} states`)
})

t.test('DISK-7 every crash state of rolling to new segments', async (t) => {
  const { failures } = await enumerateCrashes([
    persist({ hardState: hardStateAt(1) }),
    ...Array.from({ length: 6 }, (_, index) =>
      persist({ txns: txnsAt(index + 1, index + 1, 1, 1_500), commit: index }),
    ),
    restart(false),
    persist({ txns: txnsAt(7, 9, 1, 1_500), commit: 6 }),
  ])
  t.strictSame(failures.slice(0, 3), [])
})

t.test('DISK-7 every crash state of truncating', async (t) => {
  const { failures } = await enumerateCrashes([
    persist({ hardState: hardStateAt(1) }),
    persist({ txns: txnsAt(1, 5), commit: 2 }),
    persist({ truncateAfter: 3, txns: txnsAt(4, 6, 2), hardState: hardStateAt(2), commit: 3 }),
    persist({ txns: txnsAt(7, 7, 2, 1_500), commit: 3 }),
    restart(false),
    persist({ truncateAfter: 3 }),
    persist({ txns: txnsAt(4, 5, 3), hardState: hardStateAt(3), commit: 5 }),
  ])
  t.strictSame(failures.slice(0, 3), [])
})

t.test('DISK-7 every crash state of snapshots and of purging', async (t) => {
  const steps: CrashStep[] = [persist({ hardState: hardStateAt(1) })]
  for (const zxid of [1, 4, 7]) {
    for (let next = zxid; next < zxid + 3; next++) {
      steps.push(persist({ txns: txnsAt(next, next, 1, 900), commit: next - 1 }))
    }
    steps.push(snapshot(zxid + 2))
  }
  const { failures, states } = await enumerateCrashes(steps, {
    segmentBytes: 2_048,
    snapshotsKept: 1,
  })
  t.strictSame(failures.slice(0, 3), [])
  t.ok(states > 300, `${states} states`)
})

t.test('DISK-7 every crash state of stopping and starting', async (t) => {
  const { failures } = await enumerateCrashes([
    persist({ hardState: hardStateAt(1), txns: txnsAt(1, 2) }),
    restart(true),
    persist({ txns: txnsAt(3, 4, 1, 700), commit: 2 }),
    restart(true),
    restart(false),
    persist({ txns: txnsAt(5, 5), commit: 4 }),
  ])
  t.strictSame(failures.slice(0, 3), [])
})
