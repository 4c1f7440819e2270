import type { Zxid } from '@conclave/protocol'
import { crc32, readUint53, roundUpToSector, sectorBytes, writeUint53 } from './binary.js'
import { type LogRecord, splitRecords } from './record.js'

/**
 * What one write puts into the log: a header, then records, then zeros up to the next sector. One
 * write is in flight at a time, so a batch proves that the one before it was durable.
 */
interface BatchHeader {
  /** The last two batches of a clean stop are end marks; they have no records. */
  readonly kind: BatchKind
  /** Grows when a snapshot from the leader replaces the history. */
  readonly generation: number
  /** +1 for each batch of a data directory. */
  readonly number: number
  /** The highest zxid known to be committed, never above the last record written. */
  readonly commit: Zxid
  /** Of its first record; for a batch without records, of the next one to come. */
  readonly firstZxid: Zxid
}

export type BatchKind = 'records' | 'end'

export interface Batch {
  readonly header: BatchHeader
  readonly records: readonly LogRecord[]
  /** With the zeros at the end. */
  readonly bytes: number
}

/** What stands where a batch should. */
export interface BadBatch {
  readonly reason: string
  /** Its extent if its header is whole, else null. */
  readonly bytes: number | null
  /** True when its CRCs are right: it was written like this, no torn write explains it. */
  readonly whole: boolean
}

/**
 * @param salt of the segment: without it a client could plant a value that looks like a batch
 */
export const encodeBatch = (
  header: BatchHeader,
  records: readonly LogRecord[],
  salt: number,
): Buffer => {
  let length = 0
  for (const record of records) length += record.bytes.length
  const bytes = Buffer.allocUnsafe(batchBytes(length))
  let offset = batchHeaderBytes
  for (const record of records) {
    bytes.set(record.bytes, offset)
    offset += record.bytes.length
  }
  bytes.fill(0, offset)
  bytes.fill(0, 0, batchHeaderBytes)
  bytes.writeUInt32BE(batchMagic, 0)
  bytes.writeUInt32BE(kinds.indexOf(header.kind) + 1, 4)
  bytes.writeUInt32BE(header.generation, 8)
  bytes.writeUInt32BE(records.length, 12)
  writeUint53(bytes, header.number, 16)
  writeUint53(bytes, header.commit, 24)
  writeUint53(bytes, header.firstZxid, 32)
  bytes.writeUInt32BE(length, 40)
  bytes.writeUInt32BE(crc32(bytes.subarray(batchHeaderBytes, offset)), 44)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, headerCrcOffset), salt), headerCrcOffset)
  return bytes
}

/** The size on disk of a batch whose records take `length` bytes. */
export const batchBytes = (length: number): number => roundUpToSector(batchHeaderBytes + length)

export const decodeBatch = (from: Buffer, offset: number, salt: number): Batch | BadBatch => {
  if (!isBatchHeader(from, offset, salt)) {
    return { reason: 'no batch header', bytes: null, whole: false }
  }
  const at = from.subarray(offset)
  const length = at.readUInt32BE(40)
  const bytes = batchBytes(length)
  const kind = kinds[at.readUInt32BE(4) - 1]
  if (kind === undefined) return { reason: 'a batch of an unknown kind', bytes, whole: true }
  const end = batchHeaderBytes + length
  if (end > at.length) {
    return { reason: 'a batch beyond the end of the file', bytes, whole: false }
  }
  const body = at.subarray(batchHeaderBytes, end)
  if (crc32(body) !== at.readUInt32BE(44)) {
    return { reason: 'a batch with a wrong CRC', bytes, whole: false }
  }
  const records = splitRecords(body, at.readUInt32BE(12))
  if (records === null) {
    return { reason: 'a batch whose records do not fill it', bytes, whole: true }
  }
  const header = {
    kind,
    generation: at.readUInt32BE(8),
    number: readUint53(at, 16),
    commit: readUint53(at, 24) as Zxid,
    firstZxid: readUint53(at, 32) as Zxid,
  }
  return { header, records, bytes }
}

/** Where a whole batch header stands at or after `from`; null when there is none. */
export const findBatchHeader = (bytes: Buffer, from: number, salt: number): number | null => {
  for (let offset = from; offset < bytes.length; offset += sectorBytes) {
    if (isBatchHeader(bytes, offset, salt)) return offset
  }
  return null
}

const isBatchHeader = (from: Buffer, offset: number, salt: number): boolean => {
  if (offset + batchHeaderBytes > from.length) return false
  if (from.readUInt32BE(offset) !== batchMagic) return false
  const covered = from.subarray(offset, offset + headerCrcOffset)
  return crc32(covered, salt) === from.readUInt32BE(offset + headerCrcOffset)
}

const batchMagic = 0x43_42_41_54
export const batchHeaderBytes = 64
const headerCrcOffset = 60
const kinds: readonly BatchKind[] = ['records', 'end']
