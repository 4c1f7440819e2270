import type { Zxid } from '@conclave/protocol'
import t, { type Test } from 'tap'
import type { ReadSnapshot } from '#server/core/effect.js'
import type { SnapshotPiece, SnapshotTicket } from '#server/core/input.js'
import type { Storage } from '#server/runtime/storage/index.js'
import {
  hardStateAt,
  installSnapshot,
  open,
  persist,
  readingOf,
  saveSnapshot,
  snapshotFile,
  txnAt,
  txnsAt,
  viewAt,
  zxidsOf,
} from '../../../support/storage-kit.js'
import { diskError, VirtualDisk } from '../../../support/virtual-disk.js'

const readPiece = (
  storage: Storage,
  wanted: Omit<ReadSnapshot, 'effect' | 'ticket'>,
): Promise<SnapshotPiece | null> =>
  new Promise((resolve) => {
    storage.readSnapshot(
      { effect: 'readSnapshot', ticket: 0 as SnapshotTicket, ...wanted },
      resolve,
    )
  })

const newest = { zxid: null, offset: 0, bytesMax: 0 } as const

/** The newest snapshot as another server gets it, in pieces of so many bytes. */
const transferred = async (storage: Storage, bytesMax: number): Promise<Buffer> => {
  const { zxid, size } = (await readPiece(storage, newest)) as SnapshotPiece
  const parts: Uint8Array[] = []
  for (let offset = 0; offset < size;) {
    const { bytes } = (await readPiece(storage, { zxid, offset, bytesMax })) as SnapshotPiece
    parts.push(bytes)
    offset += bytes.length
  }
  return Buffer.concat(parts)
}

const started = async (txns: number, disk = new VirtualDisk()) => {
  const opened = await open(disk)
  await persist(opened.storage, { hardState: hardStateAt(1), txns: txnsAt(1, txns), commit: txns })
  return { disk, ...opened }
}

const unchanged = async (t: Test, disk: VirtualDisk): Promise<void> => {
  const reading = await readingOf(disk.processCrash())
  t.strictSame([zxidsOf(reading.txns), reading.snapshot], [[1, 2, 3], null])
}

t.test('DISK-35 the newest saved snapshot is read in pieces', async (t) => {
  const { storage } = await started(6)
  t.equal(await readPiece(storage, newest), null, 'there is none')
  await saveSnapshot(storage, viewAt(3))
  await saveSnapshot(storage, viewAt(5, { count: 9 }))
  const { header, ...head } = { header: null, ...(await readPiece(storage, newest)) }
  t.match(head, { zxid: 5, offset: 0, bytes: { length: 0 } })
  t.equal(header, null)
  const whole = await transferred(storage, 100)
  t.equal(whole.length, head.size)
  const other = await open(new VirtualDisk())
  await persist(other.storage, { hardState: hardStateAt(1) })
  t.equal(await installSnapshot(other.storage, viewAt(5, { count: 9 }), { file: whole }), true)
  const gone = { zxid: 4 as Zxid, offset: 0, bytesMax: 100 }
  t.equal(await readPiece(storage, gone), null, 'one that is not there')
})

t.test('DISK-35 a snapshot that was loaded is the newest saved one', async (t) => {
  const { disk, storage } = await started(4)
  await saveSnapshot(storage, viewAt(3))
  await storage.close()
  const again = await open(disk)
  t.match(await readPiece(again.storage, newest), { zxid: 3 })
})

t.test(
  'DISK-36 what was installed is all that there is, and the log goes on from it',
  async (t) => {
    const { disk, storage } = await started(3)
    const view = viewAt(9, { epoch: 2, count: 40 })
    t.equal(await installSnapshot(storage, view, { pieceBytes: 100 }), true)
    await storage.close()
    const { storage: next, reading } = await open(disk)
    t.match(reading.snapshot, { zxid: 9, epoch: 2 })
    t.equal(reading.entries.length, 40)
    t.strictSame([reading.last, reading.commit], [{ epoch: 2, zxid: 9 }, 9])
    t.match(reading.hardState, { currentEpoch: 1 }, 'epochs are left as they are')
    t.strictSame(reading.txns, [])
    await persist(next, { txns: [txnAt(10, 2)], commit: 10 })
    t.equal(await installSnapshot(next, viewAt(20, { epoch: 3 })), true)
    t.equal(
      (await readingOf(disk)).last.zxid,
      20,
      'once more, with nothing lost in a loss of power',
    )
    t.strictSame(
      disk.names('/data').filter((name) => name.endsWith('.tmp')),
      ['hard-state.tmp'],
      'but for the room of the next hard state',
    )
  },
)

t.test('DISK-36 a snapshot that is not whole, or not the one told, changes nothing', async (t) => {
  const file = snapshotFile(viewAt(9))
  const flipped = Buffer.from(file)
  flipped.writeUInt8((file[60] ?? 0) ^ 1, 60)
  for (const [what, bytes] of [
    ['a flipped bit', flipped],
    ['cut short', file.subarray(0, -5)],
    ['too long', Buffer.concat([file, Buffer.alloc(5)])],
    ['that at another zxid', snapshotFile(viewAt(8))],
  ] as const) {
    const { disk, storage, fatal, warnings } = await started(3)
    t.equal(await installSnapshot(storage, viewAt(9), { file: bytes }), false, what)
    t.match(warnings, ['the snapshot of the leader is not installed'])
    t.strictSame(fatal, [])
    await unchanged(t, disk)
  }
})

t.test('DISK-36 without space nothing changes, and it can be tried again', async (t) => {
  const { disk, storage, fatal } = await started(3)
  for (const part of ['received', 'installing']) {
    disk.fault = ({ kind, path }) =>
      kind === 'write' && path.includes(part) ? diskError('ENOSPC') : null
    t.equal(await installSnapshot(storage, viewAt(9)), false, part)
  }
  await unchanged(
    t,
    disk.fork(() => 0),
  )
  disk.fault = () => null
  t.equal(await installSnapshot(storage, viewAt(9)), true)
  t.equal((await readingOf(disk)).last.zxid, 9)
  t.strictSame(fatal, [])
})

t.test('DISK-37 what a hard state of a later generation gives up is gone', async (t) => {
  const { disk, storage } = await started(3)
  await saveSnapshot(storage, viewAt(2))
  const fresh = { ...hardStateAt(0), rejoining: true, generation: 1 }
  await persist(storage, { hardState: fresh })
  for (const left of [disk.fork(() => 0), disk.processCrash()]) {
    const { storage: next, reading } = await open(left)
    t.strictSame([reading.txns, reading.snapshot, reading.last.zxid], [[], null, 0])
    t.strictSame(reading.hardState, fresh)
    t.strictSame(
      left.names('/data').filter((name) => name.startsWith('snapshot')),
      [],
    )
    await persist(next, { txns: txnsAt(1, 2), commit: 1 })
    t.strictSame(zxidsOf((await readingOf(left)).txns), [1, 2], 'and the log begins anew')
    t.equal(await installSnapshot(next, viewAt(9)), true)
    const again = await readingOf(left)
    t.strictSame([again.last.zxid, again.hardState?.generation], [9, 2], 'so does the next one')
  }
})
