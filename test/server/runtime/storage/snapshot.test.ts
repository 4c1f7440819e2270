import t from 'tap'
import type { Zxid } from '@conclave/protocol'
import type { SnapshotEntry } from '@conclave/protocol/peer'
import type { SnapshotView } from '#server/core/effect.js'
import { DamageError, openStorage } from '#server/runtime/storage/index.js'
import {
  encodeEntriesChunk,
  encodeFooterChunk,
  encodeHeaderChunk,
} from '#server/runtime/storage/snapshot-format.js'
import {
  hardStateAt,
  HandTimers,
  open,
  type Opened,
  persist,
  ReadingVisitor,
  readingOf,
  saveSnapshot,
  storageOptions,
  txnAt,
  txnsAt,
  viewAt,
  zxidsOf,
} from '../../../support/storage-kit.js'
import { diskError, VirtualDisk } from '../../../support/virtual-disk.js'

const fileAt = (zxid: number, generation = 0): string =>
  `snapshot-g${generation}-${zxid.toString().padStart(16, '0')}`
const snapshotsOn = (disk: VirtualDisk): readonly string[] =>
  disk.names('/data').filter((name) => name.startsWith('snapshot'))
const logsOn = (disk: VirtualDisk): readonly string[] =>
  disk.names('/data').filter((name) => /^log-\d+$/.test(name))

const started = async (count: number): Promise<{ disk: VirtualDisk } & Opened> => {
  const disk = new VirtualDisk()
  const opened = await open(disk)
  await persist(opened.storage, { hardState: hardStateAt(1) })
  await persist(opened.storage, { txns: txnsAt(1, count), commit: count })
  return { disk, ...opened }
}

t.test('DISK-16 a snapshot is read back whole, whatever its size', async (t) => {
  for (const count of [0, 1, 32, 33, 5_000]) {
    const { disk, storage } = await started(4)
    let closed = 0
    const view = viewAt(3, { count, onClose: () => closed++ })
    t.equal(await saveSnapshot(storage, view), 3)
    t.equal(closed, 1)
    t.strictSame(snapshotsOn(disk), [fileAt(3)], 'its name says its zxid')
    const reading = await readingOf(disk)
    t.equal(reading.entries.length, count)
    const whole = viewAt(3, { count })
    t.strictSame(reading.snapshot, whole.header)
    t.strictSame(reading.entries, whole.next(count))
  }
})

t.test(
  'DISK-16 entries are taken in slices of bounded time, then others have a turn',
  async (t) => {
    const disk = new VirtualDisk()
    const timers = new HandTimers()
    // The clock steps 1 ms each time it is asked, which is once for each piece of a slice.
    timers.stepMs = 1
    let turns = 0
    const counting = {
      soon: (task: () => void) => {
        turns += 1
        timers.soon(task)
      },
      after: (ms: number, task: () => void) => timers.after(ms, task),
      nowMs: () => timers.nowMs(),
    }
    const { storage } = await open(disk, { timers: counting })
    await persist(storage, { txns: txnsAt(1, 4) })
    const plain = viewAt(4, { count: 320 })
    const taken: number[] = []
    turns = 0
    const view: SnapshotView = {
      ...plain,
      next(entriesMax) {
        const entries = plain.next(entriesMax)
        taken[turns] = (taken[turns] ?? 0) + entries.length
        return entries
      },
    }
    await saveSnapshot(storage, view)
    t.strictSame(taken.slice(1), [128, 128, 64], 'four pieces of 32 entries in 4 ms')
  },
)

t.test('DISK-16 the log goes on while a snapshot is saved', async (t) => {
  const { disk, storage } = await started(4)
  const plain = viewAt(4, { count: 3_000 })
  let next = 5
  const view: SnapshotView = {
    ...plain,
    next(entriesMax) {
      storage.persist(
        { ...persistTemplate, txns: [txnAt(next++)], commit: 4 as Zxid },
        () => undefined,
      )
      return plain.next(entriesMax)
    },
  }
  await saveSnapshot(storage, view)
  await persist(storage, {})
  const reading = await readingOf(disk)
  t.equal(reading.entries.length, 3_000)
  t.equal(reading.last.zxid, next - 1)
})

const persistTemplate = {
  effect: 'persist' as const,
  ticket: 0 as never,
  truncateAfter: null,
  hardState: null,
}

t.test('DISK-16 a visitor that finds the state wrong stops the start', async (t) => {
  const { disk, storage } = await started(4)
  await saveSnapshot(storage, viewAt(4))
  class Doubting extends ReadingVisitor {
    override snapshotEnd(): void {
      throw new Error('the digest differs')
    }
  }
  const { recover } = await openStorage(storageOptions(disk.fork(() => 0)))
  await t.rejects(recover(new Doubting()), { name: 'DamageError', message: /the digest differs/ })
})

t.test('DISK-17 a damaged newest snapshot: an older one and the log give the same', async (t) => {
  const { disk, storage } = await started(6)
  await saveSnapshot(storage, viewAt(2))
  await saveSnapshot(storage, viewAt(5))
  const { length } = disk.content(`/data/${fileAt(5)}`)
  for (const offset of [0, 30, 200, length - 1]) {
    const damaged = disk.fork(() => 0)
    damaged.damage(`/data/${fileAt(5)}`, offset, Buffer.from([0xee]))
    const { reading, warnings } = await open(damaged)
    t.equal(reading.snapshot?.zxid, 2, `byte ${offset}`)
    t.strictSame(zxidsOf(reading.txns), [1, 2, 3, 4, 5, 6])
    t.equal(reading.commit, 6)
    t.match(warnings, [/a snapshot is damaged/])
  }
  disk.remove(`/data/${fileAt(2)}`)
  disk.damage(`/data/${fileAt(5)}`, 40, Buffer.from([0xee]))
  t.equal((await readingOf(disk)).snapshot, null, 'the log alone is enough if it is all there')
})

t.test('DISK-17 chunks that are missing, doubled or exchanged are damage', async (t) => {
  const view = viewAt(2)
  const header = { generation: 0, recordCrc: 0, header: view.header }
  const entries = view.next(3)
  const one = (index: number, entry: SnapshotEntry | undefined): Buffer =>
    encodeEntriesChunk(index, entry === undefined ? [] : [entry])
  const start = encodeHeaderChunk(header)
  const parts = [one(1, entries[0]), one(2, entries[1])]
  const footer = encodeFooterChunk(3, { chunks: 2, entries: 2 })
  const cases: readonly (readonly [string, readonly (Buffer | undefined)[]])[] = [
    ['a chunk is missing', [start, parts[0], footer]],
    ['a chunk is doubled', [start, parts[0], parts[0], parts[1], footer]],
    ['chunks are exchanged', [start, parts[1], parts[0], footer]],
    ['the header is missing', [...parts, footer]],
    ['the footer is missing', [start, ...parts]],
    ['something follows', [start, ...parts, footer, Buffer.alloc(1)]],
    ['it is empty', []],
  ]
  for (const [what, chunks] of cases) {
    const { disk } = await started(4)
    disk.plant(`/data/${fileAt(2)}`, Buffer.concat(chunks.flatMap((chunk) => chunk ?? [])))
    const { reading, warnings } = await open(disk.processCrash())
    t.equal(reading.snapshot, null, what)
    t.match(warnings, [/a snapshot is damaged/], what)
  }
})

t.test('DISK-17 without a way back to a whole snapshot the start is refused', async (t) => {
  const { disk, storage } = await started(1)
  for (let zxid = 2; zxid <= 14; zxid++) {
    await persist(storage, { txns: txnsAt(zxid, zxid, 1, 900), commit: zxid })
    await saveSnapshot(storage, viewAt(zxid))
  }
  const snapshots = snapshotsOn(disk)
  t.equal(snapshots.length, 3)
  for (const name of snapshots) {
    disk.damage(`/data/${name}`, 40, Buffer.from([0xee]))
    const last = snapshots.indexOf(name) === 2
    if (last) await t.rejects(open(disk.fork(() => 0)), { name: 'DamageError' })
    else t.equal((await readingOf(disk)).snapshot?.zxid, 14)
  }
})

t.test('DISK-17 a snapshot of another history than the log is refused', async (t) => {
  const { disk, storage } = await started(6)
  await saveSnapshot(storage, viewAt(4))
  const other = await started(3)
  await persist(other.storage, { txns: [txnAt(4, 1, 99)] })
  await saveSnapshot(other.storage, viewAt(4))
  const bytes = other.disk.content(`/data/${fileAt(4)}`)
  disk.remove(`/data/${fileAt(4)}`)
  disk.plant(`/data/${fileAt(4)}`, bytes)
  await t.rejects(readingOf(disk), { name: 'DamageError', message: /differ at zxid 4/ })
  disk.remove(`/data/${fileAt(4)}`)
  disk.plant(`/data/${fileAt(3)}`, bytes)
  const { warnings } = await open(disk.fork(() => 0))
  t.match(warnings, [/damaged/], 'a name that does not fit is no snapshot')
})

t.test('DISK-17 a log that ends before the newest snapshot is refused', async (t) => {
  const { disk, storage } = await started(3)
  const short = disk.content('/data/log-0000000001')
  await persist(storage, { txns: txnsAt(4, 6), commit: 6 })
  await saveSnapshot(storage, viewAt(5))
  disk.damage('/data/log-0000000001', 0, short)
  await t.rejects(readingOf(disk), { name: 'DamageError', message: /ends before the snapshot/ })
  disk.damage(`/data/${fileAt(5)}`, 40, Buffer.from([0xee]))
  await t.rejects(readingOf(disk), { name: 'DamageError', message: /ends before the snapshot/ })
})

t.test('DISK-18 a snapshot begins only when the log holds its last txn', async (t) => {
  const { disk, storage } = await started(3)
  disk.hold()
  const persisted = persist(storage, { txns: txnsAt(4, 5) })
  const saved = saveSnapshot(storage, viewAt(5))
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(disk.operations.some(({ path }) => path.includes('snapshot')))
  disk.letGo()
  await persisted
  t.equal(await saved, 5)
})

t.test('DISK-18 one snapshot is saved at a time', async (t) => {
  const { storage } = await started(3)
  const saved = saveSnapshot(storage, viewAt(3))
  t.throws(() => storage.saveSnapshot(viewAt(2), () => undefined), /one snapshot/)
  t.equal(await saved, 3)
})

t.test('DISK-18 a snapshot that does not fit the log stops the server', async (t) => {
  const { storage, fatal } = await started(3)
  let closed = 0
  const view = viewAt(3, { epoch: 2, onClose: () => closed++ })
  storage.saveSnapshot(view, () => t.fail('it is not saved'))
  await new Promise((resolve) => setImmediate(resolve))
  t.match(fatal, [/is of epoch 2/])
  t.equal(closed, 1)
})

t.test('DISK-16 a snapshot under way is given up when the server stops', async (t) => {
  const { disk, storage } = await started(3)
  let closed = 0
  const endless: SnapshotView = {
    ...viewAt(3, { onClose: () => closed++ }),
    next: (entriesMax) => viewAt(3, { count: entriesMax }).next(entriesMax),
  }
  storage.saveSnapshot(endless, () => t.fail('it is never whole'))
  await new Promise((resolve) => setImmediate(resolve))
  await storage.close()
  t.equal(closed, 1)
  t.strictSame(snapshotsOn(disk), [])
  t.equal((await readingOf(disk)).last.zxid, 3)
})

t.test('DISK-19 the newest three snapshots stay, and the log from the oldest on', async (t) => {
  const { disk, storage } = await started(1)
  for (let zxid = 2; zxid <= 20; zxid++) {
    await persist(storage, { txns: txnsAt(zxid, zxid, 1, 900), commit: zxid })
    if (zxid % 4 === 0) await saveSnapshot(storage, viewAt(zxid))
  }
  t.strictSame(snapshotsOn(disk), [fileAt(12), fileAt(16), fileAt(20)])
  const reading = await readingOf(disk)
  t.ok((reading.txns[0]?.zxid ?? 99) <= 13 && (reading.txns[0]?.zxid ?? 0) > 4)
  for (const gone of [[fileAt(20)], [fileAt(20), fileAt(16)]]) {
    const older = disk.fork(() => 0)
    for (const name of gone) older.remove(`/data/${name}`)
    t.equal((await readingOf(older)).last.zxid, 20, 'each of them is a whole source')
  }
})

t.test('DISK-19 a damaged snapshot does not count as one that is kept', async (t) => {
  const { disk, storage } = await started(1)
  for (let zxid = 2; zxid <= 12; zxid++) {
    await persist(storage, { txns: txnsAt(zxid, zxid, 1, 900), commit: zxid })
    if (zxid % 4 === 0) await saveSnapshot(storage, viewAt(zxid))
  }
  disk.damage(`/data/${fileAt(8)}`, 40, Buffer.from([0xee]))
  const again = disk.processCrash()
  const second = await open(again)
  await persist(second.storage, { txns: txnsAt(13, 13), commit: 13 })
  await saveSnapshot(second.storage, viewAt(13))
  t.strictSame(snapshotsOn(again), [fileAt(4), fileAt(8), fileAt(12), fileAt(13)])
})

t.test('DISK-19 a truncated history is purged to where the chain still reaches', async (t) => {
  const { disk, storage } = await started(3)
  await persist(storage, { txns: txnsAt(4, 12, 1, 900) })
  await persist(storage, { truncateAfter: 5, txns: txnsAt(6, 8, 2), commit: 6 })
  for (const zxid of [6, 7, 8]) {
    await persist(storage, { commit: zxid })
    await saveSnapshot(storage, viewAt(zxid, { epoch: 2 }))
  }
  t.equal(logsOn(disk).length, 1)
  const reading = await readingOf(disk)
  t.strictSame(zxidsOf(reading.txns), [6, 7, 8])
  t.equal(reading.snapshot?.zxid, 8)
})

t.test('DISK-19 a purge of a truncated history may break off anywhere', async (t) => {
  for (let steps = 1, isOver = false; !isOver; steps++) {
    const { disk, storage } = await started(3)
    for (const txn of txnsAt(4, 12, 1, 900)) await persist(storage, { txns: [txn] })
    await persist(storage, { truncateAfter: 5, txns: txnsAt(6, 8, 2), commit: 8 })
    await saveSnapshot(storage, viewAt(6, { epoch: 2 }))
    await saveSnapshot(storage, viewAt(7, { epoch: 2 }))
    const dead = disk.dieAt(steps).then(() => false)
    const saved = saveSnapshot(storage, viewAt(8, { epoch: 2 })).then(() => true)
    isOver = await Promise.race([saved, dead])
    const { last } = await readingOf(disk.powerLoss(() => 0))
    t.strictSame(last, { epoch: 2, zxid: 8 }, `after ${steps} steps`)
  }
})

t.test('DISK-20 a snapshot of a later generation replaces the whole history', async (t) => {
  const { disk, storage } = await started(6)
  await saveSnapshot(storage, viewAt(5))
  const view = viewAt(4, { epoch: 3 })
  const parts = [
    encodeHeaderChunk({ generation: 1, recordCrc: 77, header: view.header }),
    encodeEntriesChunk(1, view.next(3)),
    encodeFooterChunk(2, { chunks: 1, entries: 3 }),
  ]
  disk.plant(`/data/${fileAt(4, 1)}`, Buffer.concat(parts))
  // Damage in what is replaced is nobody's business.
  disk.damage('/data/log-0000000001', 600, Buffer.from([0xee]))
  const next = disk.processCrash()
  const opened = await open(next)
  t.equal(opened.reading.snapshot?.zxid, 4)
  t.strictSame(opened.reading.last, { epoch: 3, zxid: 4 })
  t.strictSame(opened.reading.txns, [])
  t.strictSame(snapshotsOn(next), [fileAt(4, 1)])
  await persist(opened.storage, { txns: [txnAt(5, 3)], commit: 5 })
  await saveSnapshot(opened.storage, viewAt(5, { epoch: 3 }))
  t.strictSame((await readingOf(next)).last, { epoch: 3, zxid: 5 })
  next.damage(`/data/${fileAt(4, 1)}`, 40, Buffer.from([0xee]))
  t.equal((await readingOf(next)).snapshot?.zxid, 5)
  next.remove(`/data/${fileAt(5, 1)}`)
  await t.rejects(readingOf(next), { name: 'DamageError' }, 'an older generation is no way back')
  next.remove(`/data/${fileAt(4, 1)}`)
  await t.rejects(readingOf(next), DamageError)
})

t.test('DISK-26 a full disk costs a snapshot, not the log', async (t) => {
  const { disk, storage, space } = await started(3)
  disk.fault = ({ kind, path }) =>
    kind === 'write' && path.includes('snapshot') ? diskError('ENOSPC') : null
  let closed = 0
  const givenUp = new Promise<void>((resolve) => {
    storage.saveSnapshot(
      viewAt(3, { onClose: () => closed++ }),
      () => t.fail('it is not saved'),
      resolve,
    )
  })
  await givenUp
  t.equal(closed, 1)
  t.strictSame(snapshotsOn(disk), [], 'what was written of it is gone')
  await persist(storage, { txns: txnsAt(4, 4) })
  t.strictSame(space, [])
  disk.fault = () => null
  t.equal(await saveSnapshot(storage, viewAt(3)), 3)
})
