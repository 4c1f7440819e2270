import { nextZxid, type Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { ReadLog } from '../../core/effect.js'
import { type Batch, decodeBatch } from './batch.js'
import { errorCode, type OpenFile } from './files.js'
import { txnOf } from './record.js'
import { type Anchor, anchorOf, refusalOf } from './record-chain.js'
import { segmentName } from './segment.js'
import { readHeader, segmentBytesMax } from './segment-reader.js'
import type { StorageContext } from './storage-context.js'
import { turn } from './timers.js'
import type { SegmentPlace } from './wal.js'
import { readRange, within, withFile } from './whole-file.js'

/** Reads txns back from the segments, a bounded piece at a time, while the log is written. */
export class LogPieces {
  readonly #context: StorageContext
  readonly #log: { readonly segments: readonly SegmentPlace[] }
  /** Where to read on after a zxid, so that a reader begins at the start of a segment once. */
  readonly #places = new Map<Zxid, Place>()
  readonly #underWay = new Set<Promise<void>>()

  constructor(context: StorageContext, log: { readonly segments: readonly SegmentPlace[] }) {
    this.#context = context
    this.#log = log
  }

  /**
   * All up to `through` must be durable. `done` gets at least one txn, or null when they are purged
   * or cannot be read; the latter is logged.
   */
  read(wanted: ReadLog, done: (txns: readonly Txn[] | null) => void): void {
    const answer = async (): Promise<void> => done(await this.#read(wanted))
    const reading = answer().finally(() => this.#underWay.delete(reading))
    this.#underWay.add(reading)
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  async #read(wanted: ReadLog): Promise<readonly Txn[] | null> {
    const { files, directory, log } = this.#context
    const zxid = nextZxid(wanted.after)
    const { segments } = this.#log
    const index = segments.findLastIndex(({ firstZxid }) => firstZxid <= zxid)
    const segment = segments[index]
    if (segment === undefined) return null
    // A later segment that begins before the end of this one has cut it there.
    const later = segments.slice(index + 1).map(({ firstZxid }) => firstZxid - 1)
    const through = Math.min(wanted.through, ...later) as Zxid
    const file = within(directory, segmentName(segment.sequence))
    try {
      return await withFile(files, file, 'read', (opened) =>
        this.#readPiece(opened, segment.sequence, { ...wanted, through }),
      )
    } catch (error) {
      const reason = (error as Error).message
      // A file that is gone was purged while the question was on its way.
      if (errorCode(error) !== 'ENOENT') log('warn', unreadable, { file, zxid, reason })
      return null
    }
  }

  /** Follows the chain of records from a place that is known to be right. */
  async #readPiece(
    file: OpenFile,
    sequence: number,
    { after, through, bytesMax }: ReadLog,
  ): Promise<readonly Txn[]> {
    const { timers } = this.#context
    const known = this.#places.get(after)
    let place = known?.sequence === sequence ? known : await startOf(file, sequence)
    const window = new Window(file, place.salt)
    const txns: Txn[] = []
    let bytes = 0
    let sliceStartMs = timers.nowMs()
    for (;;) {
      const batch = await window.batchAt(place.offset)
      let { last } = place
      for (const record of batch.records) {
        if (timers.nowMs() - sliceStartMs > sliceMs) {
          await turn(timers)
          sliceStartMs = timers.nowMs()
        }
        const refusal = refusalOf(last, record)
        if (refusal !== null) throw new Error(refusal)
        last = anchorOf(record)
        if (record.zxid <= after) continue
        txns.push(txnOf(record))
        bytes += record.bytes.length
        if (record.zxid < through && bytes < bytesMax) continue
        this.#remember(record.zxid, place)
        return txns
      }
      place = { ...place, offset: place.offset + batch.bytes, last }
    }
  }

  /** The batch at `place` holds the record at `zxid`, if need be among others. */
  #remember(zxid: Zxid, place: Place): void {
    this.#places.delete(zxid)
    this.#places.set(zxid, place)
    if (this.#places.size <= placesMax) return
    for (const oldest of this.#places.keys()) {
      this.#places.delete(oldest)
      return
    }
  }
}

/** Where a batch begins in a segment, and what its first record follows. */
interface Place {
  readonly sequence: number
  readonly salt: number
  readonly offset: number
  readonly last: Anchor
}

const startOf = async (file: OpenFile, sequence: number): Promise<Place> => {
  const decoded = await readHeader(file)
  if (typeof decoded === 'string') throw new Error(decoded)
  const { salt, preceding } = decoded.header
  return { sequence, salt, offset: decoded.bytes, last: preceding }
}

/** A part of a segment in memory, moved on as batches are asked for. */
class Window {
  readonly #file: OpenFile
  readonly #salt: number
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0

  constructor(file: OpenFile, salt: number) {
    this.#file = file
    this.#salt = salt
  }

  async batchAt(offset: number): Promise<Batch> {
    const held = decodeBatch(this.#bytes, offset - this.#start, this.#salt)
    if (!('reason' in held)) return held
    // It may be whole, and only the window not reach to its end.
    const first = await this.#load(offset, windowBytes)
    if (!('reason' in first)) return first
    const whole = await this.#load(offset, Math.min(first.bytes ?? windowBytes, segmentBytesMax))
    if ('reason' in whole) throw new Error(`${whole.reason} at offset ${offset}`)
    return whole
  }

  async #load(offset: number, length: number): Promise<ReturnType<typeof decodeBatch>> {
    this.#start = offset
    this.#bytes = await readRange(this.#file, offset, length)
    return decodeBatch(this.#bytes, 0, this.#salt)
  }
}

const unreadable = 'a part of the log cannot be read: who asked for it is told that it is gone'
const windowBytes = 262_144
const placesMax = 4_096
const sliceMs = 5
