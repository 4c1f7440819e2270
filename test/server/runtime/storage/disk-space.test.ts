import t from 'tap'
import {
  hardStateAt,
  open,
  persist,
  persistOf,
  readingOf,
  saveSnapshot,
  txnsAt,
  viewAt,
  zxidsOf,
} from '../../../support/storage-kit.js'
import { type DiskOperation, diskError, VirtualDisk } from '../../../support/virtual-disk.js'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const logWrite = ({ kind, path }: DiskOperation): boolean =>
  kind === 'write' && /log-\d+$/.test(path)

t.test('DISK-26 an append to a full disk is retried with the same bytes', async (t) => {
  const disk = new VirtualDisk()
  const { storage, space, timers, fatal } = await open(disk)
  await persist(storage, { txns: txnsAt(1, 2) })
  disk.fault = (operation) => (logWrite(operation) ? diskError('ENOSPC') : null)
  const done: number[] = []
  storage.persist(persistOf({ txns: txnsAt(3, 4) }), () => done.push(1))
  storage.persist(persistOf({ txns: txnsAt(5, 5) }), () => done.push(2))
  for (let attempt = 0; attempt < 8; attempt++) {
    await settled()
    timers.fire()
  }
  await settled()
  t.strictSame(done, [])
  t.strictSame(space, [false], 'it is said once')
  disk.fault = () => null
  timers.fire()
  await persist(storage, { txns: txnsAt(6, 6) })
  t.strictSame(done, [1, 2])
  t.strictSame(space, [false, true])
  t.strictSame(fatal, [])
  t.strictSame(zxidsOf((await readingOf(disk)).txns), [1, 2, 3, 4, 5, 6])
})

t.test('DISK-26 the retries grow apart, to two seconds', async (t) => {
  const disk = new VirtualDisk()
  const { storage, timers } = await open(disk)
  disk.fault = (operation) => (logWrite(operation) ? diskError('EDQUOT') : null)
  storage.persist(persistOf({ txns: txnsAt(1, 1) }), () => undefined)
  const delays: number[] = []
  for (let attempt = 0; attempt < 9; attempt++) {
    await settled()
    delays.push(...timers.delayed.map(({ delayMs }) => delayMs))
    timers.fire()
  }
  t.strictSame(delays, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000])
})

t.test('DISK-26 a full disk when a segment is allocated is waited for', async (t) => {
  const disk = new VirtualDisk()
  const { storage, space, timers } = await open(disk)
  disk.fault = ({ kind, path }) =>
    kind === 'write' && path.includes('log-next') ? diskError('ENOSPC') : null
  let done = 0
  for (let zxid = 1; zxid <= 6; zxid++) {
    storage.persist(persistOf({ txns: txnsAt(zxid, zxid, 1, 1_500) }), () => done++)
    await settled()
  }
  t.equal(done, 1, 'the second batch does not fit in the first segment')
  t.strictSame(space, [false])
  disk.fault = () => null
  timers.fire()
  await persist(storage, {})
  t.equal(done, 6)
  t.strictSame(space, [false, true])
  t.equal((await readingOf(disk)).last.zxid, 6)
})

t.test('DISK-26 a full disk for the hard state is waited for', async (t) => {
  const disk = new VirtualDisk()
  const { storage, space, timers } = await open(disk)
  disk.fault = ({ path }) => (path.includes('hard-state') ? diskError('ENOSPC') : null)
  const done = persist(storage, { hardState: hardStateAt(1) })
  await settled()
  disk.fault = () => null
  timers.fire()
  await done
  t.strictSame(space, [false, true])
  t.strictSame((await readingOf(disk)).hardState, hardStateAt(1))
})

t.test('DISK-38 a full disk is said while what was taken still fits', async (t) => {
  const disk = new VirtualDisk()
  const { storage, space, timers, fatal } = await open(disk)
  disk.fault = ({ isGrowing, path }) => (isGrowing ? diskError('ENOSPC', path) : null)
  await persist(storage, { txns: txnsAt(1, 1, 1, 1_500) })
  await settled()
  t.strictSame(space, [false], 'half of the segment is left')
  await persist(storage, { txns: txnsAt(2, 2, 1, 200) })
  t.strictSame(fatal, [])
  disk.fault = () => null
  timers.fire()
  await settled()
  t.strictSame(space, [false, true], 'and nothing else was written')
})

t.test('DISK-38 a clean stop does not wait for a segment that nobody needs', async (t) => {
  const disk = new VirtualDisk()
  const { storage, space } = await open(disk)
  disk.fault = ({ isGrowing, path }) => (isGrowing ? diskError('ENOSPC', path) : null)
  await persist(storage, { txns: txnsAt(1, 1, 1, 1_500) })
  await settled()
  t.strictSame(space, [false])
  let isDone = false
  storage.persist(persistOf({ txns: txnsAt(2, 2) }), () => (isDone = true))
  await storage.close()
  t.ok(isDone)
  t.strictSame(zxidsOf((await readingOf(disk)).txns), [1, 2])
})

t.test('DISK-38 a server that starts with little left of its segment says so', async (t) => {
  const first = new VirtualDisk()
  await persist((await open(first)).storage, { txns: txnsAt(1, 1, 1, 1_500) })
  const disk = first.processCrash()
  disk.fault = ({ isGrowing, path }) => (isGrowing ? diskError('ENOSPC', path) : null)
  const { space } = await open(disk)
  await settled()
  t.strictSame(space, [false])
})

t.test('DISK-39 a hard state has its room, however full the disk is', async (t) => {
  const first = new VirtualDisk()
  const { storage } = await open(first)
  await persist(storage, { hardState: hardStateAt(1) })
  const disk = first.processCrash()
  // What a file gives up is there for the next one, and nothing else.
  const isSpare = (path: string): boolean => path.endsWith('hard-state.tmp')
  disk.fault = ({ isGrowing, path }) =>
    isGrowing && !isSpare(path) ? diskError('ENOSPC', path) : null
  const full = await open(disk)
  for (const epoch of [2, 3]) {
    const { fault } = disk
    let isReplaced = false
    disk.fault = (operation) => {
      if (operation.kind === 'rename') isReplaced = true
      if (operation.isGrowing && !isReplaced) return diskError('ENOSPC', operation.path)
      return fault(operation)
    }
    await persist(full.storage, { hardState: hardStateAt(epoch) })
    disk.fault = fault
  }
  t.strictSame(full.space, [])
  t.strictSame((await readingOf(disk)).hardState, hardStateAt(3))
})

t.test(
  'DISK-39 without its room a hard state waits, and recovery keeps what there is',
  async (t) => {
    const first = new VirtualDisk()
    const { storage } = await open(first)
    await persist(storage, { hardState: hardStateAt(1) })
    const disk = first.processCrash()
    disk.fault = ({ isGrowing, path }) => (isGrowing ? diskError('ENOSPC', path) : null)
    const full = await open(disk)
    await persist(full.storage, { hardState: hardStateAt(2) })
    t.strictSame(full.space, [])
    let isDone = false
    full.storage.persist(persistOf({ hardState: hardStateAt(3) }), () => (isDone = true))
    await settled()
    t.strictSame([isDone, full.space], [false, [false]], 'others have taken what the last one left')
    disk.fault = () => null
    full.timers.fire()
    await settled()
    t.strictSame([isDone, full.space, full.fatal], [true, [false, true], []])
  },
)

t.test('DISK-26 space for one thing is not space for another that waits', async (t) => {
  const disk = new VirtualDisk()
  const { storage, space, timers, fatal } = await open(disk, { snapshotsKept: 1 })
  await persist(storage, { hardState: hardStateAt(1), txns: txnsAt(1, 1, 1, 2_000) })
  await persist(storage, { txns: txnsAt(2, 2, 1, 2_000), commit: 2 })
  disk.fault = (operation) => (logWrite(operation) ? diskError('ENOSPC') : null)
  let done = 0
  storage.persist(persistOf({ txns: txnsAt(3, 3) }), () => done++)
  await settled()
  t.strictSame(space, [false])
  await saveSnapshot(storage, viewAt(2))
  t.notOk(disk.names('/data').includes('log-0000000001'), 'it has purged')
  t.strictSame(space, [false], 'and the log still waits')
  disk.fault = () => null
  timers.fire()
  await settled()
  t.equal(done, 1)
  t.strictSame(space, [false, true])
  t.strictSame(fatal, [])
})

t.test('DISK-26 a server that stops on a full disk acknowledges nothing', async (t) => {
  const disk = new VirtualDisk()
  const { storage, fatal } = await open(disk)
  await persist(storage, { txns: txnsAt(1, 1) })
  disk.fault = (operation) => (logWrite(operation) ? diskError('ENOSPC') : null)
  storage.persist(persistOf({ txns: txnsAt(2, 2) }), () => t.fail('it is not durable'))
  await settled()
  await storage.close()
  disk.fault = () => null
  t.strictSame(fatal, [])
  t.equal((await readingOf(disk)).last.zxid, 1)
})

t.test('DISK-27 after a failed write or fsync nothing is acknowledged ever again', async (t) => {
  const failing: readonly ((operation: DiskOperation) => boolean)[] = [
    logWrite,
    ({ kind, path }) => kind === 'sync' && path.includes('hard-state'),
    ({ kind }) => kind === 'syncDirectory',
    ({ kind }) => kind === 'rename',
  ]
  for (const fails of failing) {
    const disk = new VirtualDisk()
    const { storage, fatal, space } = await open(disk)
    await persist(storage, { txns: txnsAt(1, 1) })
    let failures = 0
    // Once: the next fsync would say that all is well.
    disk.fault = (operation) => (fails(operation) && failures++ === 0 ? diskError('EIO') : null)
    storage.persist(persistOf({ txns: txnsAt(2, 2), hardState: hardStateAt(1) }), () =>
      t.fail('it is not durable'),
    )
    storage.persist(persistOf({ txns: txnsAt(3, 3) }), () => t.fail('nothing is done any more'))
    await settled()
    await settled()
    t.match(fatal, [{ code: 'EIO' }])
    t.equal(fatal.length, 1)
    storage.persist(persistOf({}), () => t.fail('nothing is done any more'))
    await settled()
    t.strictSame(space, [])
    await storage.close()
  }
})

t.test('DISK-27 a failed fsync of a new segment or a snapshot is as final', async (t) => {
  const disk = new VirtualDisk()
  const { storage, fatal } = await open(disk)
  disk.fault = ({ kind, path }) =>
    kind === 'sync' && path.includes('log-next') ? diskError('EIO') : null
  await persist(storage, { txns: txnsAt(1, 1, 1, 2_000) })
  await settled()
  t.match(fatal, [{ code: 'EIO' }])
  await storage.close()
})
