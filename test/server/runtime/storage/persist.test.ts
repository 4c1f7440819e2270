import t from 'tap'
import { inspectLog } from '#server/runtime/storage/index.js'
import { encodeRecord } from '#server/runtime/storage/record.js'
import {
  hardStateAt,
  open,
  persist,
  persistOf,
  positionsOf,
  readingOf,
  saveSnapshot,
  txnAt,
  txnsAt,
  viewAt,
  zxidsOf,
} from '../../../support/storage-kit.js'
import { VirtualDisk } from '../../../support/virtual-disk.js'

t.test('DISK-3 a new directory is empty', async (t) => {
  const { reading } = await open(new VirtualDisk())
  t.equal(reading.hardState, null)
  t.strictSame(reading.epochs, [])
  t.equal(reading.commit, 0)
  t.strictSame(reading.last, { epoch: 0, zxid: 0 })
  t.strictSame(reading.order, [])
})

t.test('DISK-3 what was persisted is recovered: snapshot, entries, then every txn', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { hardState: hardStateAt(2) })
  await persist(storage, { txns: txnsAt(1, 40), commit: 0 })
  await persist(storage, { txns: txnsAt(41, 60, 2), commit: 50 })
  await saveSnapshot(storage, viewAt(50, { epoch: 2, count: 100 }))
  await persist(storage, { txns: txnsAt(61, 70, 2), commit: 65 })
  await storage.close()
  const { reading } = await open(disk.powerLoss(() => 0))
  t.strictSame(reading.order, ['snapshot', 'entry', 'snapshotEnd', 'txn'])
  t.equal(reading.snapshot?.zxid, 50)
  t.equal(reading.entries.length, 100)
  t.strictSame(reading.txns, [...txnsAt(1, 40), ...txnsAt(41, 70, 2)])
  t.strictSame(reading.hardState, hardStateAt(2))
  t.strictSame(reading.epochs, [
    { epoch: 1, firstZxid: 1 },
    { epoch: 2, firstZxid: 41 },
  ])
  t.strictSame(reading.last, { epoch: 2, zxid: 70 })
  t.equal(reading.commit, 65)
})

t.test('DISK-4 what queues behind the write in flight goes into the next batch', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  const before = disk.operations.length
  disk.hold()
  const done = Array.from({ length: 10 }, (_, index) =>
    persist(storage, { txns: [txnAt(index + 1)] }),
  )
  disk.letGo()
  await Promise.all(done)
  const writes = disk.operations.slice(before).filter(({ kind }) => kind === 'write')
  t.strictSame(
    writes.map(({ bytes }) => bytes),
    [512, 1_024],
    'one for the first persist, one for the nine others',
  )
})

t.test('DISK-4 one write is in flight at a time, also when segments roll', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  const done: Promise<void>[] = []
  for (let zxid = 1; zxid <= 200; zxid++) {
    done.push(persist(storage, { txns: [txnAt(zxid, 1, 0, zxid * 7)] }))
    if (zxid % 7 === 0) await done[zxid - 4]
  }
  await Promise.all(done)
  t.equal(disk.logWritesInFlightMax, 1)
  t.strictSame(zxidsOf((await readingOf(disk)).txns), zxidsOf(txnsAt(1, 200)))
})

t.test('DISK-4 a batch has a bound, a long persist takes several', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk, { segmentBytes: 65_536 })
  await persist(storage, { hardState: hardStateAt(1) })
  const before = disk.operations.length
  await persist(storage, { txns: txnsAt(1, 30, 1, 100_000), commit: 30 })
  const writes = disk.operations.slice(before).filter(({ path }) => /log-\d+$/.test(path))
  const largest = Math.max(...writes.map(({ bytes }) => bytes))
  t.ok(largest < 1_200_000, `${largest} bytes`)
  const reading = await readingOf(disk)
  t.equal(reading.txns.length, 30)
  t.equal(reading.commit, 30)
})

t.test('DISK-5 persists are done in the order of their tickets', async (t) => {
  const { storage } = await open(new VirtualDisk())
  const order: number[] = []
  const all = [
    persistOf({ txns: txnsAt(1, 3) }, 1),
    persistOf({}, 2),
    persistOf({ hardState: hardStateAt(1) }, 3),
    persistOf({ txns: txnsAt(4, 4) }, 4),
    persistOf({ truncateAfter: 2, txns: txnsAt(3, 3, 2) }, 5),
    persistOf({ truncateAfter: 3 }, 6),
    persistOf({ commit: 2 }, 7),
  ]
  await new Promise<void>((resolve) => {
    for (const effect of all) {
      storage.persist(effect, () => {
        order.push(effect.ticket)
        if (order.length === all.length) resolve()
      })
    }
  })
  t.strictSame(order, [1, 2, 3, 4, 5, 6, 7])
})

t.test('DISK-5 nobody is called back before his call has returned', async (t) => {
  const { storage } = await open(new VirtualDisk())
  let hasReturned = false
  const done = new Promise<boolean>((resolve) => {
    storage.persist(persistOf({}), () => resolve(hasReturned))
  })
  hasReturned = true
  t.ok(await done)
})

t.test('DISK-5 a hard state is durable before what was asked for behind it', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { txns: txnsAt(1, 1) })
  const behind = [1, 2, 3].map((epoch) => {
    const first = persist(storage, { hardState: hardStateAt(epoch) })
    return Promise.all([first, persist(storage, { txns: txnsAt(epoch + 1, epoch + 1) })])
  })
  await Promise.all(behind.slice(0, 2))
  const { hardState, last } = await readingOf(disk)
  t.ok((hardState?.currentEpoch ?? 0) >= 2)
  t.ok(last.zxid >= 3)
  const order = disk.operations.filter(({ kind, path }) => kind === 'rename' && /hard/.test(path))
  t.ok(order.length >= 2, 'each one is written')
  await Promise.all(behind)
})

t.test('DISK-5 inside one persist: truncation, then txns, then hard state', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { txns: txnsAt(1, 5) })
  const before = disk.operations.length
  await persist(storage, { truncateAfter: 3, txns: [txnAt(4, 2)], hardState: hardStateAt(2) })
  const steps = disk.operations
    .slice(before)
    .filter(({ kind }) => kind === 'write' || kind === 'rename' || kind === 'syncDirectory')
    .map(({ kind, path }) => `${kind} ${path}`)
  const rolled = steps.indexOf('rename /data/log-next.tmp')
  const appended = steps.indexOf('write /data/log-0000000002')
  const replaced = steps.indexOf('rename /data/hard-state.tmp')
  t.ok(rolled >= 0 && steps[rolled + 1] === 'syncDirectory /data', 'the cut is durable')
  t.equal(steps.indexOf('syncDirectory /data') > rolled, true)
  t.ok(appended > rolled && replaced > appended)
})

t.test('DISK-6 what is done survives a loss of power right then', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { hardState: hardStateAt(1) })
  for (let zxid = 1; zxid <= 30; zxid++) {
    await persist(storage, { txns: [txnAt(zxid, 1, 0, 200)], commit: zxid - 1 })
    const after = await readingOf(disk)
    t.equal(after.last.zxid, zxid)
  }
})

t.test('DISK-13 a truncation cuts the history, across segments and epochs', async (t) => {
  const disk = new VirtualDisk()
  const first = await open(disk)
  await persist(first.storage, { hardState: hardStateAt(1) })
  await persist(first.storage, { txns: txnsAt(1, 10, 1, 900), commit: 4 })
  await persist(first.storage, { txns: txnsAt(11, 20, 2, 900) })
  await persist(first.storage, { truncateAfter: 5, txns: txnsAt(6, 8, 3) })
  await persist(first.storage, { truncateAfter: 7 })
  await persist(first.storage, { txns: txnsAt(8, 9, 4) })
  const { reading, storage } = await open(disk.processCrash())
  t.strictSame(positionsOf(reading.txns), [
    ...positionsOf(txnsAt(1, 5)),
    ...positionsOf(txnsAt(6, 7, 3)),
    ...positionsOf(txnsAt(8, 9, 4)),
  ])
  t.strictSame(reading.epochs, [
    { epoch: 1, firstZxid: 1 },
    { epoch: 3, firstZxid: 6 },
    { epoch: 4, firstZxid: 8 },
  ])
  await persist(storage, { truncateAfter: 4, txns: txnsAt(5, 5, 9) })
})

t.test('DISK-13 a truncation below the commit mark stops the server', async (t) => {
  const { storage, fatal } = await open(new VirtualDisk())
  await persist(storage, { txns: txnsAt(1, 5), commit: 3 })
  await persist(storage, { txns: txnsAt(6, 6), commit: 4 })
  let isDone = false
  storage.persist(persistOf({ truncateAfter: 3 }), () => {
    isDone = true
  })
  t.match(fatal, [/txns up to 4 are committed/])
  t.equal(isDone, false)
})

t.test('DISK-13 a truncation to the last record changes nothing', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { txns: txnsAt(1, 5) })
  await persist(storage, { truncateAfter: 5, txns: txnsAt(6, 6) })
  t.strictSame(zxidsOf((await readingOf(disk)).txns), [1, 2, 3, 4, 5, 6])
  t.notOk(disk.names('/data').includes('log-0000000002'))
})

t.test(
  'DISK-11 a txn that does not continue the log is refused before it is written',
  async (t) => {
    for (const txn of [txnAt(3), txnAt(1), txnAt(2, 1)]) {
      const disk = new VirtualDisk()
      const { storage, fatal } = await open(disk)
      await persist(storage, { txns: [txnAt(1, 2)] })
      storage.persist(persistOf({ txns: [txn] }), () => t.fail('it is not done'))
      t.equal(fatal.length, 1)
      t.equal((await readingOf(disk)).last.zxid, 1)
    }
  },
)

t.test('DISK-14 the log goes on in new segments, allocated before they are needed', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  const isAllocated: boolean[] = []
  for (let zxid = 1; zxid <= 12; zxid++) {
    const made = disk.operations.filter(({ kind, path }) => kind === 'create' && /next/.test(path))
    if (!disk.names('/data').includes('log-0000000002')) isAllocated.push(made.length > 1)
    await persist(storage, { txns: txnsAt(zxid, zxid) })
  }
  t.strictSame([isAllocated[0], isAllocated.at(-1)], [false, true])
  const logs = disk.names('/data').filter((name) => /^log-\d+$/.test(name))
  t.strictSame(logs, ['log-0000000001', 'log-0000000002'])
  const beyond = disk.operations.filter(
    ({ kind, path }) => kind === 'truncate' && path.endsWith('log-0000000002'),
  )
  t.strictSame(beyond, [], 'a segment is never cut while it is written')
  t.equal(disk.content('/data/log-0000000002').length, 4_096, 'its space is all there')
})

t.test('DISK-14 a record larger than a segment has one to itself', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { txns: txnsAt(1, 1) })
  await persist(storage, { txns: txnsAt(2, 2, 1, 20_000) })
  await persist(storage, { txns: txnsAt(3, 3) })
  t.strictSame(zxidsOf((await readingOf(disk)).txns), [1, 2, 3])
})

t.test('DISK-15 the commit mark is the highest one written, never above the log', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { hardState: hardStateAt(1) })
  await persist(storage, { txns: txnsAt(1, 5), commit: 2 })
  t.equal((await readingOf(disk)).commit, 2)
  await persist(storage, { commit: 4 })
  await persist(storage, { commit: 3 })
  t.equal((await readingOf(disk)).commit, 4, 'a mark may come without txns')
  await persist(storage, { txns: txnsAt(6, 6), commit: 9 })
  t.equal((await readingOf(disk)).commit, 6)
})

t.test('DISK-28 a clean stop writes two end marks behind all that was in flight', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  let done = 0
  storage.persist(persistOf({ txns: txnsAt(1, 5) }), () => done++)
  storage.persist(persistOf({ hardState: hardStateAt(1) }), () => done++)
  await storage.close()
  t.equal(done, 2)
  const marks: string[] = []
  const left = disk.powerLoss(() => 0)
  for await (const { item } of inspectLog(left, '/data')) if (item !== 'record') marks.push(item)
  t.strictSame(marks, ['segment', 'batch', 'endMark', 'endMark', 'end'])
  const { reading, warnings } = await open(left)
  t.equal(reading.last.zxid, 5)
  t.strictSame(reading.hardState, hardStateAt(1))
  t.strictSame(warnings, [])
  t.throws(() => storage.persist(persistOf({}), () => undefined), /storage is open/)
})

t.test('DISK-29 a record has the same bytes on every server', async (t) => {
  const txn = txnAt(7, 3)
  const record = encodeRecord(txn, 0xabcdef)
  t.strictSame(record.bytes, encodeRecord({ ...txn }, 0xabcdef).bytes)
  t.equal(
    record.bytes.subarray(0, 24).toString('hex'),
    '00000023' + '0000000000000003' + '0000000000000007' + '00abcdef',
    'length, epoch, zxid, CRC of the record before',
  )
})
