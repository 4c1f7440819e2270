import type { Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { LogTicket } from '#server/core/input.js'
import type { Storage } from '#server/runtime/storage/index.js'
import t from 'tap'
import {
  hardStateAt,
  open,
  type Opened,
  persist,
  saveSnapshot,
  txnAt,
  txnsAt,
  viewAt,
  zxidsOf,
} from '../../../support/storage-kit.js'
import { diskError, VirtualDisk } from '../../../support/virtual-disk.js'

const readLog = (
  storage: Storage,
  after: number,
  through: number,
  bytesMax = 1_000,
): Promise<readonly Txn[] | null> =>
  new Promise((resolve) => {
    const range = { after: after as Zxid, through: through as Zxid, bytesMax }
    storage.readLog({ effect: 'readLog', ticket: 1 as LogTicket, ...range }, resolve)
  })

/** All that a reader is given, piece by piece. */
const readAll = async (
  storage: Storage,
  after: number,
  through: number,
  bytesMax?: number,
): Promise<readonly Txn[]> => {
  const txns: Txn[] = []
  while (txns.length < through - after) {
    const piece = await readLog(storage, after + txns.length, through, bytesMax)
    if (piece === null) throw new Error(`nothing after ${after + txns.length}`)
    txns.push(...piece)
  }
  return txns
}

const zxids = (from: number, to: number): readonly number[] => zxidsOf(txnsAt(from, to))

/** A log of many segments, some of whose batches hold several txns. */
const started = async (
  count: number,
  disk = new VirtualDisk(),
): Promise<Opened & { readonly disk: VirtualDisk }> => {
  const opened = await open(disk)
  await persist(opened.storage, { hardState: hardStateAt(1) })
  for (let zxid = 1; zxid <= count; zxid += 4) {
    const txns = txnsAt(zxid, Math.min(zxid + 3, count), 1, 300)
    await persist(opened.storage, { txns, commit: zxid })
  }
  return { ...opened, disk }
}

const logsOn = (disk: VirtualDisk): readonly string[] =>
  disk.names('/data').filter((name) => /^log-\d/.test(name))

t.test('DISK-31 the log is read back in pieces, from any txn on', async (t) => {
  const { storage, disk, warnings } = await started(50)
  t.ok(logsOn(disk).length > 3)
  for (const bytesMax of [1, 800, 1_000_000]) {
    t.strictSame(await readAll(storage, 0, 50, bytesMax), txnsAt(1, 50, 1, 300))
    for (let after = 0; after < 50; after++) {
      const piece = (await readLog(storage, after, 50, bytesMax)) ?? []
      t.strictSame(zxidsOf(piece), zxids(after + 1, after + piece.length))
      t.ok(piece.length > 0)
      // A record of this test takes some 350 bytes.
      t.ok(piece.length <= Math.ceil(bytesMax / 300), 'and the piece is bounded')
    }
  }
  t.strictSame(zxidsOf((await readLog(storage, 10, 12, 1_000_000)) ?? []), [11, 12])
  t.strictSame(warnings, [])
})

t.test('DISK-31 the log is read while it is written, and after a restart', async (t) => {
  const { storage, disk } = await started(10)
  let last = 10
  let isOver = false
  const reading = (async () => {
    const txns: Txn[] = []
    while (!isOver || txns.length < last) {
      if (txns.length === last) await persist(storage, {})
      else txns.push(...(await readAll(storage, txns.length, last, 500)))
    }
    return txns
  })()
  while (last < 60) {
    await persist(storage, { txns: txnsAt(last + 1, last + 3, 1, 300), commit: last })
    last += 3
  }
  isOver = true
  t.strictSame(zxidsOf(await reading), zxids(1, last))
  await storage.close()
  const again = await open(disk.processCrash())
  await persist(again.storage, { txns: txnsAt(last + 1, last + 1, 2), commit: last })
  t.strictSame(zxidsOf(await readAll(again.storage, 0, last + 1)), zxids(1, last + 1))
})

t.test('DISK-31 a txn of any size is read back', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  const large = [
    ...txnsAt(1, 3),
    txnAt(4, 1, 0, 700_000),
    txnAt(5, 1, 0, 1_000_000),
    txnAt(6, 1, 0, 900_000),
    txnAt(7),
  ]
  await persist(storage, { txns: large, hardState: hardStateAt(1) })
  t.strictSame(await readAll(storage, 0, 7, 100), large)
  t.strictSame(await readAll(storage, 3, 7, 1_000_000), large.slice(3))
})

t.test('DISK-31 what was cut is not read back', async (t) => {
  const { storage } = await started(20)
  await persist(storage, { truncateAfter: 18, txns: txnsAt(19, 30, 2, 300), commit: 18 })
  await persist(storage, { truncateAfter: 22, txns: txnsAt(23, 24, 3, 300), commit: 24 })
  const expected = [...txnsAt(1, 18, 1, 300), ...txnsAt(19, 22, 2, 300), ...txnsAt(23, 24, 3, 300)]
  for (const bytesMax of [1, 1_000_000]) {
    t.strictSame(await readAll(storage, 0, 24, bytesMax), expected)
    t.strictSame(await readAll(storage, 18, 24, bytesMax), expected.slice(18))
  }
})

t.test('DISK-31 who reads on does not begin anew', async (t) => {
  const { storage, disk } = await started(0)
  for (let zxid = 1; zxid <= 400; zxid++) await persist(storage, { txns: txnsAt(zxid, zxid) })
  const readsOf = async (action: () => Promise<unknown>): Promise<number> => {
    const before = disk.operations.length
    await action()
    return disk.operations.slice(before).filter(({ kind }) => kind === 'read').length
  }
  const pieces: number[] = []
  for (let after = 0; after < 400;) {
    let piece: readonly Txn[] | null = null
    pieces.push(await readsOf(async () => (piece = await readLog(storage, after, 400, 1))))
    after += (piece as readonly Txn[] | null)?.length ?? 400
  }
  const [first = 0] = pieces
  t.equal(pieces.length, 400)
  const begun = pieces.filter((reads) => reads >= first).length
  t.equal(begun, logsOn(disk).length, 'the header of each segment is read once')
})

t.test('DISK-31 what is purged is told, and no damage', async (t) => {
  const { storage, disk, warnings } = await started(50)
  for (const zxid of [40, 41, 42]) {
    await persist(storage, { commit: zxid })
    await saveSnapshot(storage, viewAt(zxid))
  }
  await persist(storage, { txns: txnsAt(51, 51) })
  const first = (await readAll(storage, 40, 51))[0]?.zxid
  t.equal(first, 41)
  t.equal(await readLog(storage, 0, 51), null)
  disk.fault = ({ kind }) => (kind === 'open' ? diskError('ENOENT') : null)
  t.equal(await readLog(storage, 45, 51), null, 'gone since it was asked for')
  t.strictSame(warnings, [])
})

t.test('DISK-31 what is damaged is not read back, and is warned of', async (t) => {
  const { storage, disk } = await started(9)
  const log = '/data/log-0000000001'
  const { length } = disk.content(log)
  const right = txnsAt(1, 9, 1, 300)
  let unread = 0
  for (let offset = 0; offset < length; offset += 61) {
    const next = disk.fork(() => 0)
    const opened = await open(next)
    const byte = (next.content(log)[offset] ?? 0) ^ 0x10
    next.damage(log, offset, Buffer.from([byte]))
    for (const after of [0, 5]) {
      const txns = await readLog(opened.storage, after, 8, 1_000_000)
      const warned = opened.warnings.splice(0).filter((text) => /cannot be read/.test(text))
      t.equal(warned.length, txns === null ? 1 : 0)
      if (txns === null) unread += 1
      else t.strictSame(txns, right.slice(after, after + txns.length), `at ${offset}`)
    }
  }
  t.ok(unread > 20, `${unread} times nothing`)
  disk.fault = ({ kind }) => (kind === 'read' ? diskError('EIO') : null)
  t.equal(await readLog(storage, 0, 8), null)
  disk.fault = () => null
  t.strictSame(await readAll(storage, 0, 8), right.slice(0, 8), 'what passes, passes')
})

t.test('DISK-31 a stop waits for what is being read', async (t) => {
  const { storage, disk } = await started(9)
  const open = disk.open.bind(disk)
  let letGo = (): void => undefined
  disk.open = (path, mode, done) => {
    if (mode === 'read') letGo = () => open(path, mode, done)
    else open(path, mode, done)
  }
  const order: string[] = []
  const reading = readLog(storage, 0, 9, 1_000_000).then((piece) => {
    order.push(`read ${piece?.length ?? 0}`)
  })
  const closing = storage.close().then(() => order.push('closed'))
  // More turns than closing takes.
  for (let i = 0; i < 100; i++) await new Promise(setImmediate)
  letGo()
  await Promise.all([reading, closing])
  t.strictSame(order, ['read 9', 'closed'])
})
