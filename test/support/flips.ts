import { Recovery } from '#server/core/recovery.js'
import {
  DamageError,
  DataDirectoryError,
  inspectLog,
  openStorage,
} from '#server/runtime/storage/index.js'
import { batchHeaderBytes } from '#server/runtime/storage/batch.js'
import { chunkHeaderBytes } from '#server/runtime/storage/snapshot-format.js'
import { configOfOne } from './real-image.js'
import { directory, storageOptions } from './storage-kit.js'
import type { VirtualDisk } from './virtual-disk.js'

/** What became of a start with one flipped bit. */
export type Verdict = 'refused' | 'repaired' | 'unchanged' | 'cutOff'

export interface Sweep {
  readonly counts: Readonly<Record<Verdict, number>>
  /** One sentence for each flip that had no right to its outcome. */
  readonly lies: readonly string[]
}

export interface SweepOptions {
  /** Of each byte. */
  readonly bits: (offset: number) => readonly number[]
  /** Every so many bytes of those that hold something. */
  readonly stride: number
  /** Every so many of those that hold nothing. */
  readonly unusedStride: number
  /** After a crash: the last batch may be taken for a torn write. */
  readonly isCrashed: boolean
}

/** The state that a server would start from, and what was said about it. */
export interface Started {
  readonly state: string
  readonly warnings: readonly string[]
}

/** Recovers as a server does: storage, snapshot and log, into the replicated state. */
export const startFrom = async (disk: VirtualDisk): Promise<Started> => {
  const warnings: string[] = []
  const log = (_level: unknown, message: string): void => void warnings.push(message)
  const { recover } = await openStorage({ ...storageOptions(disk), log })
  const recovery = new Recovery(configOfOne(1))
  const recovered = await recover(recovery)
  const { state, hardState, epochs } = recovery.finish({
    ...recovered,
    // What lies behind the commit mark is committed by the next start.
    commit: recovered.last.zxid,
  })
  const { zxid } = state.lastApplied
  return { state: JSON.stringify([zxid, state.digest, hardState, epochs]), warnings }
}

/** Flips bits all over the data directory, one at a time, and starts from each. */
export const sweep = async (disk: VirtualDisk, options: SweepOptions): Promise<Sweep> => {
  const clean = await startFrom(copyOf(disk))
  const map = await mapOf(disk)
  const counts = { refused: 0, repaired: 0, unchanged: 0, cutOff: 0 }
  const lies: string[] = []
  const names = disk.names(directory).filter((name) => !name.endsWith('.tmp'))
  for (const name of names) {
    const content = disk.content(`${directory}/${name}`)
    for (let offset = 0; offset < content.length; offset++) {
      const place = map.at(name, offset)
      if (offset % (place === null ? options.unusedStride : options.stride) !== 0) continue
      for (const bit of options.bits(offset)) {
        const flipped = copyOf(disk)
        const byte = (content[offset] ?? 0) ^ (1 << bit)
        flipped.damage(`${directory}/${name}`, offset, Buffer.from([byte]))
        const outcome = await judge(flipped, clean, place, options.isCrashed)
        if ('lie' in outcome) lies.push(`${name}, bit ${bit} at ${offset}: ${outcome.lie}`)
        else counts[outcome.verdict] += 1
      }
    }
  }
  return { counts, lies }
}

type Outcome = { readonly verdict: Verdict } | { readonly lie: string }

/** What a byte belongs to; null when to nothing. */
interface Place {
  readonly file: string
  /** Where the item begins that it belongs to. */
  readonly start: number
  readonly kind: 'log' | 'lastBatch' | 'newestSnapshot' | 'olderSnapshot' | 'other'
}

const judge = async (
  disk: VirtualDisk,
  clean: Started,
  place: Place | null,
  isCrashed: boolean,
): Promise<Outcome> => {
  const mayBeCutOff = isCrashed && place?.kind === 'lastBatch'
  let started: Started
  try {
    started = await startFrom(disk)
  } catch (error) {
    return refusal(error as Error, place)
  }
  const { state, warnings } = started
  if (state !== clean.state) {
    return mayBeCutOff ? { verdict: 'cutOff' } : { lie: `started from ${state}` }
  }
  if (place === null || place.kind === 'olderSnapshot' || mayBeCutOff) {
    return { verdict: 'unchanged' }
  }
  const isSaid = warnings.some((warning) => warning.startsWith('a snapshot is damaged'))
  return place.kind === 'newestSnapshot' && isSaid
    ? { verdict: 'repaired' }
    : { lie: 'started and said nothing' }
}

const refusal = (error: Error, place: Place | null): Outcome => {
  if (error instanceof DataDirectoryError) {
    const isOfVersion = place?.file.endsWith('/conclave-data') === true
    return isOfVersion ? { verdict: 'refused' } : { lie: error.message }
  }
  if (!(error instanceof DamageError)) return { lie: `failed with ${error.stack}` }
  const { file, offset, zxid, message } = error
  const isNamed =
    message.startsWith(`${file} is damaged at offset ${offset}, zxid ${zxid}: `) &&
    message.includes('Way out: ')
  const isThere = place === null || (file === place.file && offset === place.start)
  return isNamed && isThere ? { verdict: 'refused' } : { lie: `refused with: ${message}` }
}

/** Says of each byte what it belongs to, by what the files hold when they are whole. */
const mapOf = async (disk: VirtualDisk): Promise<PlaceMap> => {
  const batches: Extent[] = []
  const extents: Extent[] = []
  let endMarks = 0
  for await (const item of inspectLog(disk, directory)) {
    const { file } = item
    const content = disk.content(file)
    if (item.item === 'damage') throw new Error(item.reason)
    if (item.item === 'segment') {
      extents.push({ file, start: 0, end: content.readUInt32BE(8) + crcBytes, kind: 'log' })
    }
    if (item.item !== 'batch' && item.item !== 'endMark') continue
    endMarks = item.item === 'endMark' ? endMarks + 1 : 0
    const start = item.offset
    const end = start + batchHeaderBytes + content.readUInt32BE(start + 40)
    batches.push({ file, start, end, kind: 'log' })
  }
  const last = batches.pop()
  // The second end mark of a stop only proves the first.
  if (last !== undefined && endMarks < 2) extents.push({ ...last, kind: 'lastBatch' })
  extents.push(...batches)
  const snapshots = disk.names(directory).filter((name) => /^snapshot-.*\d$/.test(name))
  for (const name of snapshots) {
    const kind = name === snapshots.at(-1) ? 'newestSnapshot' : 'olderSnapshot'
    extents.push(...chunksOf(disk, `${directory}/${name}`, kind))
  }
  for (const name of ['hard-state', 'conclave-data']) {
    const file = `${directory}/${name}`
    extents.push({ file, start: 0, end: disk.content(file).length, kind: 'other' })
  }
  return {
    at: (name, offset) =>
      extents.find(
        ({ file, start, end }) =>
          file === `${directory}/${name}` && start <= offset && offset < end,
      ) ?? null,
  }
}

interface PlaceMap {
  at(name: string, offset: number): Place | null
}

interface Extent extends Place {
  readonly end: number
}

const chunksOf = (disk: VirtualDisk, file: string, kind: Place['kind']): readonly Extent[] => {
  const content = disk.content(file)
  const chunks: Extent[] = []
  for (let start = 0; start < content.length;) {
    const end = start + chunkHeaderBytes + content.readUInt32BE(start + 12)
    chunks.push({ file, start, end, kind })
    start = end
  }
  return chunks
}

const crcBytes = 4

const copyOf = (disk: VirtualDisk): VirtualDisk => disk.fork((count) => count - 1)
