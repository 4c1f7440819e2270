import t from 'tap'
import type { Epoch, Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { encodeBatch } from '#server/runtime/storage/batch.js'
import { DamageError } from '#server/runtime/storage/index.js'
import { encodeRecord, type LogRecord } from '#server/runtime/storage/record.js'
import { anchorZero } from '#server/runtime/storage/record-chain.js'
import { encodeSegmentHeader } from '#server/runtime/storage/segment.js'
import {
  hardStateAt,
  open,
  persist,
  readingOf,
  saveSnapshot,
  txnAt,
  txnsAt,
  viewAt,
  zxidsOf,
} from '../../../support/storage-kit.js'
import { VirtualDisk } from '../../../support/virtual-disk.js'

const log = '/data/log-0000000001'
const salt = 0x5eed

/** Batches of one txn each; the nth of them begins in sector n. */
const written = async (count: number, isClean: boolean): Promise<VirtualDisk> => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await persist(storage, { hardState: hardStateAt(1) })
  for (let zxid = 1; zxid <= count; zxid++) {
    await persist(storage, { txns: [txnAt(zxid)], commit: zxid - 1 })
  }
  if (isClean) await storage.close()
  return disk.processCrash()
}

const damageOf = async (disk: VirtualDisk): Promise<DamageError | null> => {
  try {
    await open(disk)
    return null
  } catch (error) {
    if (error instanceof DamageError) return error
    throw error
  }
}

t.test('DISK-8 a torn last batch is cut off, and the next ones are kept', async (t) => {
  const disk = await written(3, false)
  disk.damage(log, 3 * 512 + 100, Buffer.from([0xff, 0xff]))
  const { reading, warnings, storage } = await open(disk)
  t.strictSame(zxidsOf(reading.txns), [1, 2])
  t.equal(reading.commit, 1)
  t.match(warnings, [/torn/])
  await persist(storage, { txns: [txnAt(3, 2)] })
  t.strictSame((await readingOf(disk)).last, { epoch: 2, zxid: 3 })
})

t.test('DISK-8 what a torn write left is wiped out before anything follows', async (t) => {
  const disk = await written(1, false)
  const { storage } = await open(disk)
  await persist(storage, { txns: [txnAt(2, 1, 0, 1_500)] })
  const torn = disk.processCrash()
  torn.damage(log, 2 * 512, Buffer.alloc(512))
  await open(torn)
  t.ok(
    torn
      .powerLoss(() => 0)
      .content(log)
      .subarray(2 * 512)
      .every((byte) => byte === 0),
  )
})

t.test('DISK-8 a second torn write over the first one is cut off as well', async (t) => {
  const disk = await written(1, false)
  const first = await open(disk)
  await persist(first.storage, { txns: [txnAt(2, 1, 0, 1_500)] })
  const torn = disk.processCrash()
  torn.damage(log, 2 * 512 + 100, Buffer.from([0xff]))
  const second = await open(torn)
  await persist(second.storage, { txns: [txnAt(2)] })
  const again = torn.processCrash()
  again.damage(log, 2 * 512 + 90, Buffer.from([0xff]))
  t.equal((await open(again)).reading.last.zxid, 1)
})

t.test('DISK-9 damage before the last batch is refused, with place and way out', async (t) => {
  for (const sector of [1, 2]) {
    for (const bytes of [Buffer.from([0xff]), Buffer.alloc(512)]) {
      const disk = await written(3, false)
      disk.damage(log, sector * 512 + (bytes.length === 512 ? 0 : 90), bytes)
      const error = await damageOf(disk)
      t.equal(error?.file, log)
      t.equal(error?.offset, sector * 512)
      t.equal(error?.zxid, sector)
      t.match(error?.message, /Way out: restore the directory from a backup/)
    }
  }
})

t.test('DISK-9 a bad byte in the last batch is refused when the stop was clean', async (t) => {
  const disk = await written(3, true)
  disk.damage(log, 3 * 512 + 90, Buffer.from([0xff]))
  t.equal((await damageOf(disk))?.zxid, 3)
})

t.test('DISK-9 bytes behind a torn batch whose extent is known are damage', async (t) => {
  const disk = await written(3, false)
  disk.damage(log, 3 * 512 + 90, Buffer.from([0xff]))
  disk.damage(log, 5 * 512, Buffer.from([1]))
  t.equal((await damageOf(disk))?.zxid, 3)
})

t.test('DISK-9 a bad last batch of an earlier segment is damage', async (t) => {
  const disk = await written(9, false)
  t.ok(disk.names('/data').includes('log-0000000002'))
  disk.damage(log, 7 * 512 + 90, Buffer.from([0xff]))
  const error = await damageOf(disk)
  t.equal(error?.file, log)
  t.equal(error?.zxid, 7)
})

interface Planted {
  readonly txns?: readonly Txn[]
  readonly records?: readonly LogRecord[]
  readonly number?: number
  readonly generation?: number
  readonly commit?: number
}

/** A log written by hand: all CRCs are right, whatever it says. */
const planted = async (
  batches: readonly Planted[],
  { commit = 0, epochs = [] }: { commit?: number; epochs?: readonly (readonly number[])[] } = {},
): Promise<VirtualDisk> => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  await storage.close()
  const parts = [
    encodeSegmentHeader({
      generation: 0,
      sequence: 1,
      preceding: anchorZero,
      firstBatch: 1,
      commit: commit as Zxid,
      salt,
      epochs: epochs.map(([epoch, firstZxid]) => ({ epoch, firstZxid }) as never),
    }),
  ]
  let crc = 0
  let number = 0
  for (const batch of batches) {
    const records =
      batch.records ??
      (batch.txns ?? []).map((txn) => {
        const record = encodeRecord(txn, crc)
        crc = record.crc
        return record
      })
    const header = {
      kind: 'records' as const,
      generation: batch.generation ?? 0,
      number: batch.number ?? ++number,
      commit: (batch.commit ?? 0) as Zxid,
      firstZxid: 1 as Zxid,
    }
    parts.push(encodeBatch(header, records, salt))
  }
  parts.push(Buffer.alloc(1_024))
  disk.remove(log)
  disk.plant(log, Buffer.concat(parts))
  return disk.processCrash()
}

t.test('DISK-11 a record that does not continue the one before is refused', async (t) => {
  t.equal(await damageOf(await planted([{ txns: txnsAt(1, 3) }, { txns: txnsAt(4, 4) }])), null)
  const first = encodeRecord(txnAt(1), 0)
  const cases: readonly (readonly [string, readonly Planted[], RegExp])[] = [
    ['a gap', [{ txns: [txnAt(1), txnAt(3)] }], /zxid 3 follows zxid 1/],
    ['a repetition', [{ txns: [txnAt(1), txnAt(1)] }], /zxid 1 follows zxid 1/],
    ['a falling epoch', [{ txns: [txnAt(1, 2), txnAt(2, 1)] }], /epoch 1 follows epoch 2/],
    ['epoch 0', [{ txns: [txnAt(1, 0)] }], /epoch 0/],
    [
      'a broken chain',
      [{ records: [first, encodeRecord(txnAt(2), 7)] }],
      /does not continue the record/,
    ],
    ['a batch twice', [{ txns: [txnAt(1)] }, { txns: [txnAt(2)], number: 1 }], /batch 1 stands/],
    ['a batch left out', [{ txns: [txnAt(1)] }, { txns: [txnAt(2)], number: 3 }], /batch 3 stands/],
    ['another generation', [{ txns: [txnAt(1)], generation: 1 }], /generation 1/],
    ['a mark above the log', [{ txns: [txnAt(1)], commit: 2 }], /commit mark 2/],
    [
      'a falling mark',
      [
        { txns: [txnAt(1)], commit: 1 },
        { txns: [txnAt(2)], commit: 0 },
      ],
      /commit mark 0/,
    ],
  ]
  for (const [what, batches, message] of cases) {
    t.match((await damageOf(await planted(batches)))?.message, message, what)
  }
})

t.test('DISK-11 a record whose payload is another txn is refused', async (t) => {
  const record = encodeRecord(txnAt(1), 0)
  const bytes = Buffer.from(record.bytes)
  bytes.set(encodeRecord(txnAt(2), 0).bytes.subarray(24), 24)
  const disk = await planted([{ records: [{ ...record, bytes }] }])
  t.match((await damageOf(disk))?.message, /names another txn/)
  const garbled = Buffer.from(record.bytes)
  garbled.fill(0xc1, 24)
  const other = await planted([{ records: [{ ...record, bytes: garbled }] }])
  t.match((await damageOf(other))?.message, /cannot be read/)
})

t.test('DISK-12 a value that looks like a later batch is not taken for one', async (t) => {
  const header = {
    kind: 'records' as const,
    generation: 0,
    number: 9,
    commit: 0 as Zxid,
    firstZxid: 9 as Zxid,
  }
  // The client knows everything but the salt of the segment.
  const forged = encodeBatch(header, [], 0)
  for (let shift = 0; shift < 2; shift++) {
    const disk = await written(1, false)
    const planting = disk.content(log)
    planting.fill(0xab, 2 * 512, 3 * 512)
    planting.set(shift === 0 ? forged : encodeBatch(header, [], salt), 3 * 512)
    disk.damage(log, 0, planting)
    const error = await damageOf(disk)
    t.equal(error === null, shift === 0, 'only the salt makes a batch')
  }
})

t.test('DISK-21 a missing file is damage, not an empty start', async (t) => {
  const make = async (): Promise<VirtualDisk> => {
    const disk = new VirtualDisk()
    const { storage } = await open(disk, { segmentBytes: 2_048, snapshotsKept: 1 })
    await persist(storage, { hardState: hardStateAt(1) })
    for (let zxid = 1; zxid <= 9; zxid++) {
      await persist(storage, { txns: [txnAt(zxid, 1, 0, 600)], commit: zxid })
      if (zxid === 5) await saveSnapshot(storage, viewAt(5))
    }
    return disk.processCrash()
  }
  const names = (await make()).names('/data')
  const logs = names.filter((name) => name.startsWith('log-0'))
  const snapshot = names.find((name) => name.startsWith('snapshot')) ?? ''
  t.ok(logs.length > 3)
  const cases = [[snapshot], logs, [logs[1]], [logs[2]], ['hard-state'], [snapshot, ...logs]]
  for (const missing of cases) {
    const disk = await make()
    for (const name of missing) disk.remove(`/data/${name}`)
    t.ok(await damageOf(disk), `without ${missing.join(', ')}`)
  }
})

t.test('DISK-22 a hard state that cannot be read is damage', async (t) => {
  const make = (): Promise<VirtualDisk> => written(1, true)
  const whole = (await make()).content('/data/hard-state')
  for (const bytes of [
    Buffer.alloc(0),
    whole.subarray(0, 10),
    whole.subarray(0, whole.length - 1),
    Buffer.concat([whole, whole]),
    Buffer.alloc(whole.length),
    ...Array.from(whole, (byte, i) => Buffer.from(whole).fill(byte ^ 1, i, i + 1)),
  ]) {
    const disk = await make()
    disk.remove('/data/hard-state')
    disk.plant('/data/hard-state', bytes)
    t.equal((await damageOf(disk))?.file, '/data/hard-state')
  }
})

t.test('DISK-22 the hard state is the last one that was done', async (t) => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk)
  const states = [1, 2, 3].map((epoch) => hardStateAt(epoch))
  for (const hardState of states) {
    await persist(storage, { hardState })
    t.strictSame((await readingOf(disk)).hardState, hardState)
  }
  const rejoining = { ...hardStateAt(0), acceptedEpoch: 7 as Epoch, rejoining: true }
  await persist(storage, { hardState: rejoining })
  t.strictSame((await readingOf(disk)).hardState, rejoining)
})

t.test('DISK-22 a hard state without a log is a new server that only remembers', async (t) => {
  const disk = await written(0, true)
  const { storage } = await open(disk)
  await persist(storage, { hardState: { ...hardStateAt(0), rejoining: true } })
  disk.remove(log)
  const { reading } = await open(disk.processCrash())
  t.equal(reading.hardState?.rejoining, true)
  t.equal(reading.last.zxid, 0)
})

t.test(
  'DISK-11 DISK-15 a segment that begins with more committed than there is is damage',
  async (t) => {
    const disk = await planted([{ txns: [txnAt(1)] }], { commit: 1 })
    t.match((await damageOf(disk))?.message, /does not continue the log/)
  },
)

t.test('DISK-11 a segment whose epochs are no epochs is damage', async (t) => {
  const tables = [
    [[0, 1]],
    [[1, 0]],
    [
      [2, 1],
      [1, 5],
    ],
    [
      [1, 5],
      [2, 5],
    ],
    [[2 ** 60, 1]],
  ]
  for (const epochs of tables) {
    const error = await damageOf(await planted([], { epochs }))
    t.match(error?.message, /epochs/, JSON.stringify(epochs))
  }
})
