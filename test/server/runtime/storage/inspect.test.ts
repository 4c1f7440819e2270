import t from 'tap'
import {
  inspectLog,
  inspectSnapshots,
  type LogItem,
  type SnapshotItem,
} from '#server/runtime/storage/index.js'
import {
  hardStateAt,
  open,
  persist,
  persistOf,
  saveSnapshot,
  txnAt,
  txnsAt,
  viewAt,
} from '../../../support/storage-kit.js'
import { VirtualDisk } from '../../../support/virtual-disk.js'

const all = async <T>(items: AsyncIterable<T>): Promise<readonly T[]> => {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
const log = '/data/log-0000000001'

const filled = async (): Promise<VirtualDisk> => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { hardState: hardStateAt(1) })
  await persist(storage, { txns: txnsAt(1, 2), commit: 1 })
  await persist(storage, { truncateAfter: 1, txns: [txnAt(2, 2)], commit: 2 })
  await saveSnapshot(storage, viewAt(2, { epoch: 2, count: 40 }))
  await storage.close()
  return disk
}

const brief = (item: LogItem): string => {
  switch (item.item) {
    case 'segment':
      return `segment ${item.sequence} from ${item.firstZxid}`
    case 'record':
      return `record ${item.position.epoch}.${item.position.zxid} at ${item.offset}`
    case 'batch':
    case 'endMark':
      return `${item.item} ${item.number} at ${item.offset}: ${item.records}, commit ${item.commit}`
    case 'end':
      return `end at ${item.offset}`
    case 'damage':
      return `damage at ${item.offset}`
  }
}

t.test('DISK-30 the log is shown with its segments, batches, records and marks', async (t) => {
  const items = await all(inspectLog(await filled(), '/data'))
  t.strictSame(items.map(brief), [
    'segment 1 from 1',
    'batch 1 at 512: 2, commit 1',
    'record 1.1 at 576',
    'record 1.2 at 635',
    'end at 1024',
    'segment 2 from 2',
    'batch 2 at 512: 1, commit 2',
    'record 2.2 at 576',
    'endMark 3 at 1024: 0, commit 2',
    'endMark 4 at 1536: 0, commit 2',
    'end at 2048',
  ])
  const record = items.find((item) => item.item === 'record')
  t.strictSame(record?.item === 'record' ? record.txn : null, txnAt(1))
})

t.test('DISK-30 snapshots are shown with their entries', async (t) => {
  const items = await all<SnapshotItem>(inspectSnapshots(await filled(), '/data'))
  t.equal(items.filter(({ item }) => item === 'entry').length, 40)
  t.match(items[0], { item: 'snapshot', header: { zxid: 2 } })
  t.match(items.at(-1), { item: 'end' })
})

t.test('DISK-30 damage is shown, and what follows in other files', async (t) => {
  const disk = await filled()
  disk.damage(log, 600, Buffer.from([0xee]))
  const names = disk.names('/data')
  disk.damage(`/data/${names.find((name) => name.startsWith('snapshot'))}`, 25, Buffer.from([9]))
  const items = await all(inspectLog(disk, '/data'))
  t.strictSame(items.slice(1, 3).map(brief), ['damage at 512', 'segment 2 from 2'])
  t.match(await all(inspectSnapshots(disk, '/data')), [{ item: 'damage', offset: 0 }])
  disk.damage(log, 0, Buffer.from([0]))
  t.match((await all(inspectLog(disk, '/data')))[0], { item: 'damage', file: log })
})

t.test('DISK-30 looking changes nothing and may be done while a server writes', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { txns: txnsAt(1, 2) })
  const before = disk.mutations
  let next = 3
  for await (const item of inspectLog(disk, '/data')) {
    t.not(item.item, 'damage')
    storage.persist(persistOf({ txns: [txnAt(next++)] }), () => undefined)
    if (next === 4) t.equal(disk.mutations, before + 1, 'only the write of the server')
  }
  t.match(await all(inspectSnapshots(disk, '/data')), [])
})
