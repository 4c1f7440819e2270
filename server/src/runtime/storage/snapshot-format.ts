import { dataVersion, type Zxid } from '@conclave/protocol'
import { pack, unpack } from '@conclave/protocol/codec'
import {
  type SnapshotEntry,
  snapshotEntrySchema,
  type SnapshotHeader,
  snapshotHeaderSchema,
} from '@conclave/protocol/peer'
import { areEpochs } from '../../core/zab/epoch-table.js'
import { crc32 } from './binary.js'

/**
 * A snapshot file is a row of chunks: one header, entries, one footer. Each chunk has its number
 * and a CRC over all of it; the footer counts, so nothing can be missing, doubled or exchanged.
 */
export interface SnapshotFileHeader {
  readonly generation: number
  /** Of the log record at the snapshot's zxid. */
  readonly recordCrc: number
  readonly header: SnapshotHeader
}

interface SnapshotFooter {
  readonly chunks: number
  readonly entries: number
}

type ChunkKind = 'header' | 'entries' | 'footer'

export interface Chunk {
  readonly kind: ChunkKind
  readonly index: number
  readonly payload: Buffer
}

export interface SnapshotName {
  readonly generation: number
  readonly zxid: Zxid
}

export const snapshotFileName = ({ generation, zxid }: SnapshotName): string =>
  `snapshot-g${generation}-${zxid.toString().padStart(16, '0')}`

/** @returns what a snapshot's file name says, or null for any other name */
export const parseSnapshotName = (name: string): SnapshotName | null => {
  const match = /^snapshot-g(\d{1,9})-(\d{16})$/.exec(name)
  if (match === null) return null
  return { generation: Number(match[1]), zxid: Number(match[2]) as Zxid }
}

export const encodeHeaderChunk = (file: SnapshotFileHeader): Buffer =>
  encodeChunk(
    'header',
    0,
    pack([dataVersion, file.generation, file.recordCrc, snapshotHeaderSchema.encode(file.header)]),
  )

export const encodeEntriesChunk = (index: number, entries: readonly SnapshotEntry[]): Buffer =>
  encodeChunk('entries', index, pack(entries.map((entry) => snapshotEntrySchema.encode(entry))))

export const encodeFooterChunk = (index: number, footer: SnapshotFooter): Buffer =>
  encodeChunk('footer', index, pack([footer.chunks, footer.entries]))

/** @throws ShapeError or Error in words when the payload is not a header's */
export const decodeHeader = (payload: Buffer): SnapshotFileHeader => {
  const [version, generation, recordCrc, header] = arrayOf(payload, 4)
  if (version !== dataVersion) {
    throw new Error(`its data version is ${String(version)}, not ${dataVersion}`)
  }
  if (typeof generation !== 'number' || typeof recordCrc !== 'number') {
    throw new Error('its header is no snapshot header')
  }
  const decoded = snapshotHeaderSchema.decode(header, 'header')
  if (!areEpochs(decoded.epochs)) throw new Error('its header names no epochs of a log')
  return { generation, recordCrc, header: decoded }
}

/** @throws ShapeError when the payload is not made of entries */
export const decodeEntries = (payload: Buffer): readonly SnapshotEntry[] => {
  const value = unpack(payload)
  if (!Array.isArray(value)) throw new Error('a chunk holds no entries')
  return value.map((entry) => snapshotEntrySchema.decode(entry, 'entry'))
}

/** @throws ShapeError or Error in words when the payload is not a footer's */
export const decodeFooter = (payload: Buffer): SnapshotFooter => {
  const [chunks, entries] = arrayOf(payload, 2)
  if (typeof chunks !== 'number' || typeof entries !== 'number') {
    throw new Error('its footer is no snapshot footer')
  }
  return { chunks, entries }
}

/** How many bytes follow the chunk header that begins at `bytes`; null when it is none. */
export const chunkPayloadBytes = (bytes: Buffer): number | null => {
  if (bytes.readUInt32BE(0) !== chunkMagic) return null
  const length = bytes.readUInt32BE(12)
  return length > payloadBytesMax ? null : length
}

/** @returns the chunk, or null when its CRC is wrong */
export const decodeChunk = (bytes: Buffer): Chunk | null => {
  const payload = bytes.subarray(chunkHeaderBytes)
  const crc = crc32(payload, crc32(bytes.subarray(0, crcOffset)))
  const kind = kinds[bytes.readUInt32BE(4) - 1]
  if (crc !== bytes.readUInt32BE(crcOffset) || kind === undefined) return null
  return { kind, index: bytes.readUInt32BE(8), payload }
}

const encodeChunk = (kind: ChunkKind, index: number, payload: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(chunkHeaderBytes + payload.length)
  bytes.writeUInt32BE(chunkMagic, 0)
  bytes.writeUInt32BE(kinds.indexOf(kind) + 1, 4)
  bytes.writeUInt32BE(index, 8)
  bytes.writeUInt32BE(payload.length, 12)
  bytes.writeUInt32BE(crc32(payload, crc32(bytes.subarray(0, crcOffset))), crcOffset)
  bytes.set(payload, chunkHeaderBytes)
  return bytes
}

const arrayOf = (payload: Buffer, length: number): readonly unknown[] => {
  const value = unpack(payload)
  if (!Array.isArray(value) || value.length !== length) throw new Error('a chunk is misshapen')
  return value
}

export const chunkHeaderBytes = 20
const crcOffset = 16
const chunkMagic = 0x43_53_4e_50
const payloadBytesMax = 268_435_456
const kinds: readonly ChunkKind[] = ['header', 'entries', 'footer']
