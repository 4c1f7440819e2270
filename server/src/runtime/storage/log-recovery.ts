import { samePosition, type Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { RecoveryVisitor } from '../../core/recovery-visitor.js'
import type { Batch } from './batch.js'
import { firstNonZero } from './binary.js'
import { DamageError } from './damage-error.js'
import { completed } from './files.js'
import { txnOf, type LogRecord } from './record.js'
import { type Anchor, anchorOf, anchorZero, RecordChain } from './record-chain.js'
import { firstZxidOf, segmentName, segmentSequence } from './segment.js'
import {
  readSegment,
  readSegmentHeader,
  type SegmentImage,
  segmentItems,
} from './segment-reader.js'
import type { StorageContext } from './storage-context.js'
import { turn } from './timers.js'
import type { SegmentPlace } from './wal.js'
import { syncFile, within, withFile } from './whole-file.js'

/** What the segments hold. */
interface RecoveredLog {
  readonly chain: RecordChain
  readonly segments: readonly SegmentPlace[]
  /** The segment to go on with. */
  readonly lastImage: SegmentImage
  /** Where the next batch goes in it. */
  readonly offset: number
  readonly nextBatch: number
  readonly commit: Zxid
}

export interface SegmentHead extends SegmentPlace {
  readonly path: string
  readonly generation: number
  readonly preceding: Anchor
}

/** Reads the headers of all segments in their order. @throws DamageError */
export const readSegmentHeads = async (
  context: StorageContext,
  names: readonly string[],
): Promise<readonly SegmentHead[]> => {
  const heads: SegmentHead[] = []
  const sequences = names.flatMap((name) => segmentSequence(name) ?? []).sort((a, b) => a - b)
  for (const sequence of sequences) {
    const path = within(context.directory, segmentName(sequence))
    const header = await readSegmentHeader(context.files, path)
    if (typeof header === 'string') {
      throw new DamageError({ file: path, offset: 0, zxid: 0 as Zxid }, header)
    }
    if (header.sequence !== sequence) {
      const place = { file: path, offset: 0, zxid: firstZxidOf(header) }
      throw new DamageError(place, `it is segment ${header.sequence}, wrongly named`)
    }
    const { generation, preceding } = header
    heads.push({ sequence, path, generation, preceding, firstZxid: firstZxidOf(header) })
  }
  return heads
}

/**
 * Follows the chain of records through the segments and gives every txn that was not cut away
 * later, and what is known to be committed. The last segment may end in a torn write, which is
 * cut off and wiped; any other bad byte is damage.
 * @param mustHold a record that the log must contain if it reaches there: that of the snapshot
 * @throws DamageError
 */
export const recoverLog = async (
  context: StorageContext,
  heads: readonly SegmentHead[],
  mustHold: Anchor | null,
  visitor: LogVisitor,
): Promise<RecoveredLog> => {
  const reader = new LogReader(context, mustHold ?? anchorZero, visitor)
  for (const [index, head] of heads.entries()) {
    const next = heads[index + 1]
    if (next !== undefined && next.sequence !== head.sequence + 1) {
      const missing = within(context.directory, segmentName(head.sequence + 1))
      throw new DamageError(
        { file: missing, offset: 0, zxid: head.firstZxid },
        'the file is missing, later ones are there',
      )
    }
    let keepTo = Number.MAX_SAFE_INTEGER
    for (const later of heads.slice(index + 1)) keepTo = Math.min(keepTo, later.firstZxid - 1)
    await reader.readSegment(head, next === undefined, keepTo as Zxid)
  }
  return reader.result(heads)
}

type LogVisitor = Pick<RecoveryVisitor, 'txn' | 'committed'>

class LogReader {
  readonly #context: StorageContext
  readonly #mustHold: Anchor
  readonly #visitor: LogVisitor
  #chain: RecordChain | null = null
  #image: SegmentImage | null = null
  #offset = 0
  #nextBatch = 0
  #commit = 0 as Zxid

  constructor(context: StorageContext, mustHold: Anchor, visitor: LogVisitor) {
    this.#context = context
    this.#mustHold = mustHold
    this.#visitor = visitor
  }

  async readSegment(head: SegmentHead, isLast: boolean, keepTo: Zxid): Promise<void> {
    const image = await readImage(this.#context, head.path, head.firstZxid)
    this.#image = image
    this.#enter(image)
    let lastBatch = image.start
    let sliceStartMs = this.#context.timers.nowMs()
    for (const item of segmentItems(image)) {
      this.#offset = item.offset
      if (item.item === 'batch') {
        lastBatch = item.offset
        this.#takeBatch(item.batch, keepTo)
        this.#offset = item.offset + item.batch.bytes
      } else if (item.item === 'bad') {
        if (!isLast || !item.torn) throw this.#damage(item.reason)
        this.#context.log('warn', 'the last write was torn and is cut off', {
          file: image.path,
          offset: item.offset,
          zxid: this.#nextZxid(),
        })
      }
      if (this.#context.timers.nowMs() - sliceStartMs > sliceMs) {
        await turn(this.#context.timers)
        sliceStartMs = this.#context.timers.nowMs()
      }
    }
    if (isLast) await settleTail(this.#context, image, { lastBatch, end: this.#offset })
    else await syncFile(this.#context.files, head.path)
  }

  result(heads: readonly SegmentHead[]): RecoveredLog {
    if (this.#chain === null || this.#image === null) throw new Error('there is no segment')
    return {
      chain: this.#chain,
      segments: heads.map(({ sequence, firstZxid }) => ({ sequence, firstZxid })),
      lastImage: this.#image,
      offset: this.#offset,
      nextBatch: this.#nextBatch,
      commit: this.#commit,
    }
  }

  /** A segment that begins before the end of the chain has cut it. */
  #enter(image: SegmentImage): void {
    const { preceding, epochs, firstBatch, commit } = image.header
    if (this.#chain === null) {
      this.#chain = new RecordChain(preceding, epochs)
      this.#nextBatch = firstBatch
      this.#check(preceding)
    } else {
      const own = this.#chain.at(preceding.position.zxid)
      if (own === null || !sameAnchor(own, preceding)) {
        throw this.#damage(`it does not continue the log at zxid ${preceding.position.zxid}`, 0)
      }
      if (preceding.position.zxid < this.#commit) {
        throw this.#damage(`it cuts txns that were committed, up to ${this.#commit}`, 0)
      }
      this.#chain.cutAfter(preceding)
    }
    const isReachable = commit >= this.#commit && commit <= preceding.position.zxid
    if (firstBatch !== this.#nextBatch || !isReachable) {
      throw this.#damage('its header does not continue the log', 0)
    }
    this.#commit = commit
  }

  #takeBatch(batch: Batch, keepTo: Zxid): void {
    const { generation, number, commit } = batch.header
    if (generation !== this.#image?.header.generation) {
      throw this.#damage(`a batch of generation ${generation}`)
    }
    if (number !== this.#nextBatch) {
      throw this.#damage(`batch ${number} stands where ${this.#nextBatch} should`)
    }
    for (const record of batch.records) this.#takeRecord(record, keepTo)
    if (commit < this.#commit || commit > this.#nextZxid() - 1) {
      throw this.#damage(`a batch with the commit mark ${commit}`)
    }
    this.#commit = commit
    this.#visitor.committed(commit)
    this.#chain?.forgetBefore(commit)
    this.#nextBatch += 1
  }

  #takeRecord(record: LogRecord, keepTo: Zxid): void {
    const refusal = this.#chain?.refuse(record) ?? null
    if (refusal !== null) throw this.#damage(refusal)
    if (record.zxid <= keepTo) this.#visitor.txn(this.#decode(record))
    this.#chain?.append(record)
    // What is cut away later may have held another txn there.
    if (record.zxid <= keepTo) this.#check(anchorOf(record))
  }

  #decode(record: LogRecord): Txn {
    try {
      return txnOf(record)
    } catch (error) {
      throw this.#damage(`record ${record.zxid} cannot be read: ${(error as Error).message}`)
    }
  }

  #check(record: Anchor): void {
    if (record.position.zxid !== this.#mustHold.position.zxid) return
    if (!sameAnchor(record, this.#mustHold)) {
      throw this.#damage(`the log and the snapshot differ at zxid ${record.position.zxid}`)
    }
  }

  #nextZxid(): Zxid {
    return ((this.#chain?.last.zxid ?? 0) + 1) as Zxid
  }

  #damage(reason: string, offset = this.#offset): DamageError {
    const file = this.#image?.path ?? this.#context.directory
    return new DamageError({ file, offset, zxid: this.#nextZxid() }, reason)
  }
}

/**
 * The last batch may be in the page cache alone: when a write has failed and the process ended with
 * it, its pages count as clean, and no fsync makes them durable until they are written again. Over
 * what a torn write left behind it go zeros: nothing of that may ever look like a batch again.
 */
const settleTail = (
  context: StorageContext,
  { path, bytes }: SegmentImage,
  { lastBatch, end }: { readonly lastBatch: number; readonly end: number },
): Promise<void> =>
  withFile(context.files, path, 'update', async (file) => {
    const batch = bytes.subarray(lastBatch, end)
    await completed<void>((done) => file.write(batch, lastBatch, done))
    const torn = firstNonZero(bytes, end)
    if (torn !== null) {
      const zeros = Buffer.alloc(bytes.length - torn)
      await completed<void>((done) => file.write(zeros, torn, done))
    }
    await completed<void>((done) => file.sync(done))
  })

const readImage = async (
  context: StorageContext,
  path: string,
  zxid: Zxid,
): Promise<SegmentImage> => {
  const image = await readSegment(context.files, path)
  if (typeof image === 'string') throw new DamageError({ file: path, offset: 0, zxid }, image)
  return image
}

const sameAnchor = (a: Anchor, b: Anchor): boolean =>
  a.crc === b.crc && samePosition(a.position, b.position)

const sliceMs = 10
