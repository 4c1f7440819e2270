import { type BadBatch, type Batch, decodeBatch, findBatchHeader } from './batch.js'
import { firstNonZero, sectorBytes } from './binary.js'
import type { Files, OpenFile } from './files.js'
import { decodeSegmentHeader, type SegmentHeader, segmentHeaderBytes } from './segment.js'
import { readRange, readWholeFile, withFile } from './whole-file.js'

/** One segment, read whole. */
export interface SegmentImage {
  readonly path: string
  readonly bytes: Buffer
  readonly header: SegmentHeader
  /** Where the first batch begins. */
  readonly start: number
}

type SegmentItem =
  | { readonly item: 'batch'; readonly offset: number; readonly batch: Batch }
  /** Nothing but zeros from here on. */
  | { readonly item: 'end'; readonly offset: number }
  | BadTail

/** Bytes that are no batch, where the next batch would stand. */
interface BadTail {
  readonly item: 'bad'
  readonly offset: number
  readonly reason: string
  /** True when this can be the last write, torn: nothing behind it proves it was once durable. */
  readonly torn: boolean
}

/** @returns the segment, or in words why it is none */
export const readSegment = async (files: Files, path: string): Promise<SegmentImage | string> => {
  const bytes = await readWholeFile(files, path, segmentBytesMax)
  if (bytes === null) return 'the file is missing or too large'
  const decoded = decodeSegmentHeader(bytes)
  if (typeof decoded === 'string') return decoded
  return { path, bytes, header: decoded.header, start: decoded.bytes }
}

/** @returns the segment's header alone, or in words why there is none */
export const readSegmentHeader = async (
  files: Files,
  path: string,
): Promise<SegmentHeader | string> => {
  const decoded = await withFile(files, path, 'read', readHeader)
  return typeof decoded === 'string' ? decoded : decoded.header
}

/** @returns the header and where the first batch begins, or in words why there is no header */
export const readHeader = async (
  file: OpenFile,
): Promise<ReturnType<typeof decodeSegmentHeader>> => {
  const start = await readRange(file, 0, headerPieceBytes)
  const length = Math.min(segmentHeaderBytes(start), segmentBytesMax)
  return decodeSegmentHeader(length <= start.length ? start : await readRange(file, 0, length))
}

/** The batches in their order, then exactly one end or bad tail. */
export function* segmentItems(image: SegmentImage): Generator<SegmentItem, void> {
  const { bytes, header } = image
  let offset = image.start
  for (;;) {
    const batch = decodeBatch(bytes, offset, header.salt)
    if ('reason' in batch) {
      if (firstNonZero(bytes, offset) === null) yield { item: 'end', offset }
      else yield judgeTail(image, offset, batch)
      return
    }
    yield { item: 'batch', offset, batch }
    offset += batch.bytes
  }
}

/**
 * One write is in flight at a time and the space behind it is zeros. So a torn write leaves
 * nothing behind its own extent if its header is whole, and no later header in any case.
 */
const judgeTail = ({ bytes, header }: SegmentImage, offset: number, bad: BadBatch): BadTail => {
  const behind = offset + (bad.bytes ?? sectorBytes)
  const later =
    bad.bytes === null
      ? findBatchHeader(bytes, behind, header.salt)
      : firstNonZero(bytes, Math.min(behind, bytes.length))
  return { item: 'bad', offset, reason: bad.reason, torn: later === null && !bad.whole }
}

const headerPieceBytes = 65_536

/** Above any segment: the configured size plus one batch with the largest record. */
export const segmentBytesMax = 1_073_741_824
