import { ShapeError } from '@conclave/protocol'
import type { HardState } from '@conclave/protocol/peer'
import { batchHeaderBytes } from '#server/runtime/storage/batch.js'
import { crc32, sectorBytes } from '#server/runtime/storage/binary.js'
import {
  DamageError,
  DataDirectoryError,
  inspectLog,
  inspectSnapshots,
} from '#server/runtime/storage/index.js'
import { txnOf, encodeRecord, splitRecords } from '#server/runtime/storage/record.js'
import { chunkHeaderBytes } from '#server/runtime/storage/snapshot-format.js'
import type { SnapshotView } from '#server/core/effect.js'
import { directory, open, persist, type Reading, saveSnapshot } from '../../support/storage-kit.js'
import { VirtualDisk } from '../../support/virtual-disk.js'
import { type Target, template } from '../target.js'
import { snapshotSample, txns } from './samples.js'

const hardState: HardState = {
  acceptedEpoch: 1 as never,
  acceptedFrom: 1 as never,
  currentEpoch: 1 as never,
  ensembleId: 'ensemble',
  serverId: 1 as never,
  voters: [1 as never],
  rejoining: false,
  generation: 0,
}

const view = (): SnapshotView => {
  let entries = [...snapshotSample.entries]
  return {
    header: snapshotSample.header,
    next: (most) => {
      const piece = entries.slice(0, most)
      entries = entries.slice(most)
      return piece
    },
    close: () => undefined,
  }
}

/** A directory with a log of several segments and a snapshot. */
const written = async (): Promise<VirtualDisk> => {
  const disk = new VirtualDisk()
  const { storage } = await open(disk, { segmentBytes: 4_096 })
  await persist(storage, { hardState })
  for (const txn of txns) await persist(storage, { txns: [txn], commit: txn.zxid - 1 })
  await saveSnapshot(storage, view())
  return disk.processCrash()
}

const whole = await written()
const names = whole.names(directory)
const pathOf = (start: string): string =>
  `${directory}/${names.find((name) => name.startsWith(start) && !name.endsWith('.tmp')) ?? ''}`
const contentOf = (path: string): Buffer => whole.content(path)

const replacedBy = (path: string, bytes: Uint8Array): VirtualDisk => {
  const disk = whole.fork(() => 0)
  disk.remove(path)
  disk.plant(path, bytes)
  return disk
}

const opened = async (disk: VirtualDisk): Promise<Reading | string> => {
  try {
    return (await open(disk)).reading
  } catch (error) {
    if (error instanceof DamageError || error instanceof DataDirectoryError) {
      return template(error.message)
    }
    throw error
  }
}

const consistent = ({ txns: found, commit, last, snapshot }: Reading): string => {
  for (const [i, { zxid }] of found.entries()) {
    if (i > 0 && zxid !== (found[i - 1]?.zxid ?? 0) + 1) throw new Error(`a hole before ${zxid}`)
  }
  if (commit > last.zxid) throw new Error(`${commit} is committed, ${last.zxid} is the last`)
  return `${found.length} txns, ${snapshot === null ? 'no ' : ''}snapshot`
}

/** Half of the inputs get the CRCs that they need to be looked at more closely. */
const isMended = (input: Buffer): boolean => input.length % 2 === 0

const mendedSegment = (input: Buffer): Buffer => {
  const bytes = Buffer.from(input)
  if (bytes.length < 68) return bytes
  const length = bytes.readUInt32BE(8)
  if (length + 4 <= bytes.length) bytes.writeUInt32BE(crc32(bytes.subarray(0, length)), length)
  const salt = bytes.readUInt32BE(44)
  for (let at = sectorBytes; at + batchHeaderBytes <= bytes.length; at += sectorBytes) {
    if (bytes.readUInt32BE(at) !== 0x43_42_41_54) continue
    const end = at + batchHeaderBytes + bytes.readUInt32BE(at + 40)
    if (end <= bytes.length) {
      bytes.writeUInt32BE(crc32(bytes.subarray(at + batchHeaderBytes, end)), at + 44)
    }
    bytes.writeUInt32BE(crc32(bytes.subarray(at, at + 60), salt), at + 60)
  }
  return bytes
}

const mendedSnapshot = (input: Buffer): Buffer => {
  const bytes = Buffer.from(input)
  for (let at = 0; at + chunkHeaderBytes <= bytes.length;) {
    const end = at + chunkHeaderBytes + bytes.readUInt32BE(at + 12)
    if (bytes.readUInt32BE(at) !== 0x43_53_4e_50 || end > bytes.length) break
    const payload = bytes.subarray(at + chunkHeaderBytes, end)
    bytes.writeUInt32BE(crc32(payload, crc32(bytes.subarray(at, at + 16))), at + 16)
    at = end
  }
  return bytes
}

const lastLog = `${directory}/${
  names
    .filter((name) => /^log-\d+$/.test(name))
    .sort()
    .at(-1) ?? ''
}`
const firstLog = pathOf('log-0')
const snapshotFile = pathOf('snapshot-')

const log = (name: string, path: string): Target => ({
  name,
  seeds: [contentOf(path)],
  async run(input) {
    const bytes = isMended(input) ? mendedSegment(input) : input
    const disk = replacedBy(path, bytes)
    const seen = new Set<string>()
    for await (const item of inspectLog(disk, directory)) {
      seen.add(item.item === 'damage' ? template(item.reason) : item.item)
    }
    const reading = await opened(disk)
    const outcome = typeof reading === 'string' ? reading : consistent(reading)
    return `${outcome} ${[...seen].join()}`
  },
})

const snapshots: Target = {
  name: 'disk.snapshot',
  seeds: [contentOf(snapshotFile)],
  async run(input) {
    const bytes = isMended(input) ? mendedSnapshot(input) : input
    const disk = replacedBy(snapshotFile, bytes)
    const seen = new Set<string>()
    for await (const item of inspectSnapshots(disk, directory)) {
      seen.add(item.item === 'damage' ? template(item.reason) : item.item)
    }
    const reading = await opened(disk)
    const outcome = typeof reading === 'string' ? reading : consistent(reading)
    return `${outcome} ${[...seen].join()}`
  },
}

const hardStates: Target = {
  name: 'disk.hardState',
  seeds: [contentOf(pathOf('hard-state'))],
  async run(input) {
    const bytes = Buffer.from(input)
    const end = bytes.length - 4
    if (isMended(input) && end >= 12) {
      bytes.writeUInt32BE(end - 12, 8)
      bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end)
    }
    const reading = await opened(replacedBy(pathOf('hard-state'), bytes))
    return typeof reading === 'string' ? reading : consistent(reading)
  },
}

const chain = txns.slice(0, 5).map((txn) => encodeRecord(txn, 0).bytes)
const records: Target = {
  name: 'disk.records',
  seeds: [Buffer.concat(chain), ...chain],
  run(input) {
    const found = splitRecords(input, 5) ?? splitRecords(input, 1)
    if (found === null) return 'none'
    return found
      .map((record) => {
        try {
          return txnOf(record).body.body
        } catch (error) {
          const { message } = error as Error
          const isRefusal =
            error instanceof ShapeError || message === 'its header names another txn'
          if (isRefusal) return template(message)
          throw error
        }
      })
      .join()
  },
}

export const diskTargets: readonly Target[] = [
  records,
  log('disk.firstSegment', firstLog),
  log('disk.lastSegment', lastLog),
  snapshots,
  hardStates,
]
