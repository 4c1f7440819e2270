import type { Epoch, LogPosition, Zxid } from '@conclave/protocol'
import { dataVersion } from '@conclave/protocol'
import type { EpochStart } from '@conclave/protocol/peer'
import { areEpochs } from '../../core/zab/epoch-table.js'
import { crc32, readUint53, roundUpToSector, writeUint53 } from './binary.js'
import type { Anchor } from './record-chain.js'

/**
 * The log is a row of segment files, numbered without gaps. A segment that begins at or before the
 * last record of the one before it has cut the history there: truncation is the creation of a
 * segment, which is atomic.
 */
export interface SegmentHeader {
  readonly generation: number
  readonly sequence: number
  /** The record that its first one follows. */
  readonly preceding: Anchor
  /** The number of its first batch. */
  readonly firstBatch: number
  /** The highest zxid known to be committed when it was created. */
  readonly commit: Zxid
  /** Random: goes into the CRC of each batch header of this segment. */
  readonly salt: number
  /** Up to the preceding record. */
  readonly epochs: readonly EpochStart[]
}

export const segmentName = (sequence: number): string =>
  `log-${sequence.toString().padStart(10, '0')}`

/** @returns the sequence number of a segment's file name, or null for any other name */
export const segmentSequence = (name: string): number | null => {
  const digits = /^log-(\d{10,15})$/.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** The segment that is being filled with zeros: it has no number yet. */
export const nextSegmentName = 'log-next.tmp'

export const firstZxidOf = (header: SegmentHeader): Zxid =>
  (header.preceding.position.zxid + 1) as Zxid

export const encodeSegmentHeader = (header: SegmentHeader): Buffer => {
  const length = fixedBytes + header.epochs.length * epochBytes
  const bytes = Buffer.alloc(roundUpToSector(length + crcBytes))
  bytes.writeUInt32BE(segmentMagic, 0)
  bytes.writeUInt32BE(dataVersion, 4)
  bytes.writeUInt32BE(length, 8)
  bytes.writeUInt32BE(header.generation, 12)
  writeUint53(bytes, header.sequence, 16)
  writeUint53(bytes, header.preceding.position.epoch, 24)
  writeUint53(bytes, header.preceding.position.zxid, 32)
  bytes.writeUInt32BE(header.preceding.crc, 40)
  bytes.writeUInt32BE(header.salt, 44)
  writeUint53(bytes, header.firstBatch, 48)
  writeUint53(bytes, header.commit, 56)
  let offset = fixedBytes
  for (const { epoch, firstZxid } of header.epochs) {
    writeUint53(bytes, epoch, offset)
    writeUint53(bytes, firstZxid, offset + 8)
    offset += epochBytes
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(0, length)), length)
  return bytes
}

/** How many bytes the header takes that begins here, if one does. */
export const segmentHeaderBytes = (start: Buffer): number =>
  start.length < fixedBytes ? 0 : roundUpToSector(start.readUInt32BE(8) + crcBytes)

/** The header and where the first batch begins, or in words why there is no header. */
export const decodeSegmentHeader = (
  bytes: Buffer,
): { readonly header: SegmentHeader; readonly bytes: number } | string => {
  if (bytes.length < fixedBytes + crcBytes) return 'the file is too short for a segment'
  if (bytes.readUInt32BE(0) !== segmentMagic) return 'it does not begin like a segment'
  const version = bytes.readUInt32BE(4)
  const length = bytes.readUInt32BE(8)
  if (length < fixedBytes || length + crcBytes > bytes.length) return 'the header is damaged'
  if (bytes.readUInt32BE(length) !== crc32(bytes.subarray(0, length))) {
    return 'the header is damaged'
  }
  if (version !== dataVersion) return `its data version is ${version}, not ${dataVersion}`
  const epochs: EpochStart[] = []
  for (let offset = fixedBytes; offset < length; offset += epochBytes) {
    epochs.push({
      epoch: readUint53(bytes, offset) as Epoch,
      firstZxid: readUint53(bytes, offset + 8) as Zxid,
    })
  }
  if (!areEpochs(epochs)) return 'its header names no epochs of a log'
  const position = { epoch: readUint53(bytes, 24), zxid: readUint53(bytes, 32) } as LogPosition
  const header = {
    generation: bytes.readUInt32BE(12),
    sequence: readUint53(bytes, 16),
    preceding: { position, crc: bytes.readUInt32BE(40) },
    salt: bytes.readUInt32BE(44),
    firstBatch: readUint53(bytes, 48),
    commit: readUint53(bytes, 56) as Zxid,
    epochs,
  }
  return { header, bytes: roundUpToSector(length + crcBytes) }
}

const segmentMagic = 0x43_4c_4f_47
const fixedBytes = 64
const epochBytes = 16
const crcBytes = 4
