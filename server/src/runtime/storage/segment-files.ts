import { completed, type Completion, type Files, type OpenFile } from './files.js'
import { encodeSegmentHeader, nextSegmentName, type SegmentHeader, segmentName } from './segment.js'
import { syncDirectory, within, withFile } from './whole-file.js'

/** The segment that records are appended to. Every completed write to it is durable. */
export interface OpenSegment {
  readonly header: SegmentHeader
  readonly path: string
  readonly file: OpenFile
  /** The space that was allocated for it; past it a write costs more, and a new one begins. */
  readonly capacity: number
}

/** How an action is carried out: once, or until there is space. */
type Attempted = <T>(action: (done: Completion<T>) => void) => Promise<T>

/** Writes zeros: ftruncate allocates nothing, and a write into a hole may find the disk full. */
export const allocateSegment = async (
  files: Files,
  directory: string,
  segmentBytes: number,
): Promise<void> => {
  await withFile(files, within(directory, nextSegmentName), 'create', async (file) => {
    for (let offset = 0; offset < segmentBytes; offset += zeros.length) {
      const piece = zeros.subarray(0, Math.min(zeros.length, segmentBytes - offset))
      await completed<void>((done) => file.write(piece, offset, done))
    }
    await completed<void>((done) => file.sync(done))
  })
}

/** The allocated segment gets its header and its number: from here on it belongs to the log. */
export const startSegment = async (
  files: Files,
  directory: string,
  header: SegmentHeader,
  attempted: Attempted,
): Promise<{ readonly segment: OpenSegment; readonly offset: number }> => {
  const temporary = within(directory, nextSegmentName)
  const path = within(directory, segmentName(header.sequence))
  const bytes = encodeSegmentHeader(header)
  const file = await attempted<OpenFile>((done) => files.open(temporary, 'updateDurable', done))
  await attempted<void>((done) => file.write(bytes, 0, done))
  await attempted<void>((done) => files.rename(temporary, path, done))
  // Never a second time, a full disk or not: it might succeed and leave the new name out.
  await syncDirectory(files, directory)
  const capacity = await attempted<number>((done) => file.size(done))
  return { segment: { header, path, file, capacity }, offset: bytes.length }
}

const zeros = Buffer.alloc(262_144)
