import type { SnapshotEntry } from '@conclave/protocol/peer'
import { completed, type Files, type OpenFile } from './files.js'
import {
  type Chunk,
  chunkHeaderBytes,
  chunkPayloadBytes,
  decodeChunk,
  decodeEntries,
  decodeFooter,
  decodeHeader,
  type SnapshotFileHeader,
} from './snapshot-format.js'
import { readRange } from './whole-file.js'

/** A snapshot file that is not whole. `offset` is where the trouble begins. */
export class SnapshotUnreadable extends Error {
  override readonly name = 'SnapshotUnreadable'
  readonly offset: number

  constructor(offset: number, reason: string) {
    super(reason)
    this.offset = offset
  }
}

type SnapshotPart =
  | { readonly part: 'header'; readonly file: SnapshotFileHeader; readonly offset: number }
  | {
      readonly part: 'entries'
      readonly entries: readonly SnapshotEntry[]
      readonly offset: number
    }
  /** The last one: without it the snapshot is not whole. */
  | { readonly part: 'footer'; readonly entries: number; readonly offset: number }

/**
 * Reads a snapshot by chunks. With `decode` false the entries are left out: that is enough to know
 * that the file is whole.
 * @throws SnapshotUnreadable
 */
export async function* readSnapshot(
  files: Files,
  path: string,
  options: { readonly decode: boolean },
): AsyncGenerator<SnapshotPart, void> {
  const file = await completed<OpenFile>((done) => files.open(path, 'read', done))
  try {
    let index = 0
    let entries = 0
    for await (const { chunk, offset } of readChunks(file)) {
      if (chunk.index !== index) throw new SnapshotUnreadable(offset, 'a chunk is out of its place')
      if ((chunk.kind === 'header') !== (index === 0)) {
        throw new SnapshotUnreadable(offset, 'it does not begin with its header')
      }
      index += 1
      if (chunk.kind === 'entries') {
        const decoded = options.decode ? attempt(offset, () => decodeEntries(chunk.payload)) : []
        entries += decoded.length
        yield { part: 'entries', entries: decoded, offset }
      } else if (chunk.kind === 'header') {
        yield { part: 'header', file: attempt(offset, () => decodeHeader(chunk.payload)), offset }
      } else {
        const footer = attempt(offset, () => decodeFooter(chunk.payload))
        const end = offset + chunkHeaderBytes + chunk.payload.length
        const size = await completed<number>((done) => file.size(done))
        const isAll = footer.entries === entries || !options.decode
        if (footer.chunks !== index - 2 || !isAll || end !== size) {
          throw new SnapshotUnreadable(offset, 'it does not add up to its footer')
        }
        yield { part: 'footer', entries: footer.entries, offset }
        return
      }
    }
  } finally {
    await completed<void>((done) => file.close(done))
  }
}

/**
 * @returns the header of a snapshot that is whole
 * @throws SnapshotUnreadable
 */
export const verifySnapshot = async (files: Files, path: string): Promise<SnapshotFileHeader> => {
  let header: SnapshotFileHeader | null = null
  for await (const part of readSnapshot(files, path, { decode: false })) {
    if (part.part === 'header') header = part.file
  }
  if (header === null) throw new SnapshotUnreadable(0, 'it is empty')
  return header
}

/** Ends with an exception when the file does, if there was no footer. */
async function* readChunks(
  file: OpenFile,
): AsyncGenerator<{ readonly chunk: Chunk; readonly offset: number }, void> {
  const size = await completed<number>((done) => file.size(done))
  let window: Buffer = Buffer.alloc(0)
  let windowOffset = 0
  let offset = 0
  const need = async (length: number): Promise<Buffer> => {
    const end = offset - windowOffset + length
    if (end > window.length) {
      if (offset + length > size) throw new SnapshotUnreadable(offset, 'it ends too early')
      window = await readRange(file, offset, Math.min(Math.max(length, windowBytes), size - offset))
      windowOffset = offset
      if (window.length < length) throw new SnapshotUnreadable(offset, 'it ends too early')
    }
    return window.subarray(offset - windowOffset, offset - windowOffset + length)
  }
  for (;;) {
    const payloadBytes = chunkPayloadBytes(await need(chunkHeaderBytes))
    if (payloadBytes === null) throw new SnapshotUnreadable(offset, 'there is no chunk header')
    const bytes = chunkHeaderBytes + payloadBytes
    const chunk = decodeChunk(await need(bytes))
    if (chunk === null) throw new SnapshotUnreadable(offset, 'a chunk has a wrong CRC')
    yield { chunk, offset }
    offset += bytes
  }
}

const attempt = <T>(offset: number, decode: () => T): T => {
  try {
    return decode()
  } catch (error) {
    throw new SnapshotUnreadable(offset, error instanceof Error ? error.message : 'it is damaged')
  }
}

const windowBytes = 1_048_576
