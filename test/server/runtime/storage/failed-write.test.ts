import t from 'tap'
import { Subsets } from '../../../support/crash-states.js'
import {
  hardStateAt,
  open,
  persist,
  persistOf,
  readingOf,
  txnsAt,
  viewAt,
  zxidsOf,
} from '../../../support/storage-kit.js'
import { diskError, VirtualDisk } from '../../../support/virtual-disk.js'

t.test('DISK-33 what only the page cache has after a failed write is written again', async (t) => {
  const disk = new VirtualDisk()
  const { storage, fatal } = await open(disk)
  await persist(storage, { txns: txnsAt(1, 2) })
  disk.fault = ({ kind, path, bytes }) =>
    kind === 'write' && /log-\d+$/.test(path) ? diskError('EIO', path, bytes) : null
  storage.persist(persistOf({ txns: txnsAt(3, 3, 1, 900) }), () => t.fail('it is not durable'))
  await new Promise((resolve) => setImmediate(resolve))
  t.match(fatal, [{ code: 'EIO' }])
  // The process has ended, the machine has not: the pages are there, and count as clean.
  const again = disk.processCrash()
  const { reading, storage: next } = await open(again)
  t.strictSame(zxidsOf(reading.txns), [1, 2, 3])
  t.strictSame(zxidsOf((await readingOf(again)).txns), [1, 2, 3], 'what it reports is durable')
  await persist(next, { txns: txnsAt(4, 4) })
  t.strictSame(zxidsOf((await readingOf(again)).txns), [1, 2, 3, 4])
})

t.test('DISK-32 a directory that cannot be synced ends the process, full or not', async (t) => {
  for (const code of ['EIO', 'ENOSPC']) {
    const disk = new VirtualDisk()
    const { storage, fatal } = await open(disk)
    await persist(storage, { hardState: hardStateAt(1), txns: txnsAt(1, 1, 1, 2_000) })
    await new Promise((resolve) => setImmediate(resolve))
    let failures = 0
    disk.fault = ({ kind, path }) =>
      kind === 'syncDirectory' && failures++ === 0 ? diskError(code, path) : null
    storage.persist(persistOf({ txns: txnsAt(2, 2, 1, 2_000) }), () =>
      t.fail('the name of its segment is not durable'),
    )
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
    t.match(fatal, [{ code: 'EIO' }])
    t.strictSame(zxidsOf((await readingOf(disk)).txns), [1], code)
  }
})

t.test(
  'DISK-32 whatever a failed sync of the directory has kept, what is done is there',
  async (t) => {
    for (const code of ['EIO', 'ENOSPC']) {
      const disk = new VirtualDisk()
      const { storage, fatal } = await open(disk)
      await persist(storage, { hardState: hardStateAt(1), txns: txnsAt(1, 1) })
      let failures = 0
      disk.fault = ({ kind, path }) =>
        kind === 'syncDirectory' && failures++ === 0 ? diskError(code, path) : null
      const done = new Promise((resolve) => {
        storage.persist(persistOf({ hardState: hardStateAt(2) }), () =>
          resolve('it is not durable'),
        )
      })
      const ended = (async () => {
        while (fatal.length === 0) await new Promise((resolve) => setImmediate(resolve))
      })()
      t.equal(await Promise.race([done, ended]), undefined, code)
      const epochs = new Set<number | undefined>()
      for (const choose of new Subsets(64).all()) {
        const { hardState, txns } = await readingOf(disk.fork(choose))
        t.strictSame(zxidsOf(txns), [1])
        epochs.add(hardState?.currentEpoch)
      }
      t.strictSame(epochs, new Set([1, 2]), 'the old one or the new one')
    }
  },
)

t.test('DISK-27 a storage that has failed can be closed, whatever was under way', async (t) => {
  const disk = new VirtualDisk()
  const { storage, fatal } = await open(disk, { snapshotsKept: 1, segmentBytes: 2_048 })
  await persist(storage, { hardState: hardStateAt(1) })
  for (let zxid = 1; zxid <= 4; zxid++) {
    await persist(storage, { txns: txnsAt(zxid, zxid, 1, 900), commit: zxid })
  }
  disk.fault = ({ kind, path }) => (kind === 'unlink' ? diskError('EIO', path) : null)
  storage.saveSnapshot(viewAt(4), () => t.fail('the old log is not purged'))
  while (fatal.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await storage.close()
  t.match(fatal, [{ code: 'EIO' }])
})
