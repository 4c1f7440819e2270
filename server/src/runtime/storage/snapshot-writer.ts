import type { SnapshotView } from '../../core/effect.js'
import { completed, type Files, type OpenFile } from './files.js'
import {
  encodeEntriesChunk,
  encodeFooterChunk,
  encodeHeaderChunk,
  snapshotFileName,
} from './snapshot-format.js'
import { type Timers, turn } from './timers.js'
import { syncDirectory, within, withFile } from './whole-file.js'

/**
 * Saves a view in slices: about 4 ms of work, one write, then the event loop has its turn.
 * @returns false when it was given up because `isUnwanted` said so
 */
export const writeSnapshot = async (
  files: Files,
  directory: string,
  timers: Timers,
  view: SnapshotView,
  options: {
    readonly generation: number
    readonly recordCrc: number
    readonly isUnwanted: () => boolean
  },
): Promise<boolean> => {
  const { generation, recordCrc } = options
  const name = snapshotFileName({ generation, zxid: view.header.zxid })
  const temporary = within(directory, `${name}.tmp`)
  const isWhole = await withFile(files, temporary, 'create', async (file) => {
    const start = encodeHeaderChunk({ generation, recordCrc, header: view.header })
    await completed<void>((done) => file.write(start, 0, done))
    return writeEntries(file, start.length, timers, view, options.isUnwanted)
  })
  if (!isWhole) {
    await completed<void>((done) => files.unlink(temporary, done))
    return false
  }
  await completed<void>((done) => files.rename(temporary, within(directory, name), done))
  await syncDirectory(files, directory)
  return true
}

const writeEntries = async (
  file: OpenFile,
  start: number,
  timers: Timers,
  view: SnapshotView,
  isUnwanted: () => boolean,
): Promise<boolean> => {
  let offset = start
  let unsynced = start
  let chunks = 0
  let entries = 0
  for (;;) {
    await turn(timers)
    if (isUnwanted()) return false
    const slice = takeSlice(view, timers, chunks + 1)
    chunks += slice.chunks.length
    entries += slice.entries
    if (slice.isLast) slice.chunks.push(encodeFooterChunk(chunks + 1, { chunks, entries }))
    const bytes = Buffer.concat(slice.chunks)
    const at = offset
    await completed<void>((done) => file.write(bytes, at, done))
    offset += bytes.length
    unsynced += bytes.length
    // One fsync of everything at the end would hold up the log's writes behind it.
    if (slice.isLast || unsynced >= syncEveryBytes) {
      await completed<void>((done) => file.sync(done))
      unsynced = 0
    }
    if (slice.isLast) return true
  }
}

const takeSlice = (view: SnapshotView, timers: Timers, firstIndex: number): Slice => {
  const startMs = timers.nowMs()
  const slice: Slice = { chunks: [], entries: 0, isLast: false }
  let bytes = 0
  do {
    const entries = view.next(chunkEntriesMax)
    if (entries.length === 0) {
      slice.isLast = true
      break
    }
    const chunk = encodeEntriesChunk(firstIndex + slice.chunks.length, entries)
    slice.chunks.push(chunk)
    slice.entries += entries.length
    bytes += chunk.length
  } while (bytes < sliceBytesMax && timers.nowMs() - startMs < sliceMs)
  return slice
}

interface Slice {
  readonly chunks: Buffer[]
  entries: number
  isLast: boolean
}

const sliceMs = 4
const sliceBytesMax = 1_048_576
/** Few enough that the largest znodes do not make a chunk of more than about 32 MiB. */
const chunkEntriesMax = 32
const syncEveryBytes = 8_388_608
