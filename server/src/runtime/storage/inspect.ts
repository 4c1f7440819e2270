import type { LogPosition, Zxid } from '@conclave/protocol'
import type { EpochStart, SnapshotEntry, SnapshotHeader, Txn } from '@conclave/protocol/peer'
import { type Batch, batchHeaderBytes } from './batch.js'
import { completed, errorCode, type Files } from './files.js'
import { txnOf } from './record.js'
import { type Anchor, anchorOf, refusalOf } from './record-chain.js'
import { firstZxidOf, segmentName, segmentSequence } from './segment.js'
import { readSegment, type SegmentImage, segmentItems } from './segment-reader.js'
import { listSnapshots } from './snapshot-choice.js'
import { snapshotFileName } from './snapshot-format.js'
import { readSnapshot, SnapshotUnreadable } from './snapshot-reader.js'
import { within } from './whole-file.js'

/** What a log holds, file by file, also while a server writes to it. Nothing is changed. */
export type LogItem =
  | {
      readonly item: 'segment'
      readonly file: string
      readonly sequence: number
      readonly generation: number
      /** If the segment before holds this txn, the history was cut there. */
      readonly firstZxid: Zxid
      readonly commit: Zxid
      readonly epochs: readonly EpochStart[]
    }
  | {
      readonly item: 'batch' | 'endMark'
      readonly file: string
      readonly offset: number
      readonly number: number
      readonly commit: Zxid
      readonly records: number
    }
  | {
      readonly item: 'record'
      readonly file: string
      readonly offset: number
      readonly position: LogPosition
      readonly txn: Txn
    }
  | { readonly item: 'end'; readonly file: string; readonly offset: number }
  | InspectedDamage

export type SnapshotItem =
  | {
      readonly item: 'snapshot'
      readonly file: string
      readonly generation: number
      readonly header: SnapshotHeader
    }
  | { readonly item: 'entry'; readonly file: string; readonly entry: SnapshotEntry }
  | { readonly item: 'end'; readonly file: string; readonly offset: number }
  | InspectedDamage

export interface InspectedDamage {
  readonly item: 'damage'
  readonly file: string
  readonly offset: number
  readonly reason: string
  /** It may be a write that was torn, or is going on. */
  readonly mayBeTorn: boolean
}

export async function* inspectLog(files: Files, directory: string): AsyncGenerator<LogItem, void> {
  const names = await completed<readonly string[]>((done) => files.list(directory, done))
  const sequences = names.flatMap((name) => segmentSequence(name) ?? []).sort((a, b) => a - b)
  for (const sequence of sequences) {
    const file = within(directory, segmentName(sequence))
    // A server that purges meanwhile may have removed it.
    const image = await unlessGone(() => readSegment(files, file))
    if (image === null) continue
    if (typeof image === 'string') yield damage(file, 0, image)
    else yield* inspectSegment(image)
  }
}

/** The newest snapshot comes first. */
export async function* inspectSnapshots(
  files: Files,
  directory: string,
): AsyncGenerator<SnapshotItem, void> {
  const names = await completed<readonly string[]>((done) => files.list(directory, done))
  for (const name of listSnapshots(names)) {
    const file = within(directory, snapshotFileName(name))
    try {
      for await (const part of readSnapshot(files, file, { decode: true })) {
        if (part.part === 'header') {
          const { generation, header } = part.file
          yield { item: 'snapshot', file, generation, header }
        } else if (part.part === 'entries') {
          for (const entry of part.entries) yield { item: 'entry', file, entry }
        } else {
          yield { item: 'end', file, offset: part.offset }
        }
      }
    } catch (error) {
      if (errorCode(error) === 'ENOENT') continue
      if (!(error instanceof SnapshotUnreadable)) throw error
      yield damage(file, error.offset, error.message)
    }
  }
}

function* inspectSegment(image: SegmentImage): Generator<LogItem, void> {
  const { header, path: file } = image
  const { sequence, generation, preceding, commit, epochs } = header
  const firstZxid = firstZxidOf(header)
  yield { item: 'segment', file, sequence, generation, firstZxid, commit, epochs }
  let last = preceding
  for (const item of segmentItems(image)) {
    const { offset } = item
    if (item.item === 'end') yield { item: 'end', file, offset }
    else if (item.item === 'bad') yield damage(file, offset, item.reason, item.torn)
    else last = yield* inspectBatch(file, offset, item.batch, last)
  }
}

/** @param before what its first record should follow; @returns its last record */
function* inspectBatch(
  file: string,
  offset: number,
  batch: Batch,
  before: Anchor,
): Generator<LogItem, Anchor> {
  const { kind, number, commit } = batch.header
  const item = kind === 'end' ? 'endMark' : 'batch'
  yield { item, file, offset, number, commit, records: batch.records.length }
  let next = offset + batchHeaderBytes
  let last = before
  for (const record of batch.records) {
    const at = next
    next += record.bytes.length
    const refusal = refusalOf(last, record)
    if (refusal !== null) yield damage(file, at, refusal)
    last = anchorOf(record)
    try {
      yield { item: 'record', file, offset: at, position: last.position, txn: txnOf(record) }
    } catch (error) {
      yield damage(file, at, (error as Error).message)
    }
  }
  return last
}

const damage = (
  file: string,
  offset: number,
  reason: string,
  mayBeTorn = false,
): InspectedDamage => ({ item: 'damage', file, offset, reason, mayBeTorn })

const unlessGone = async <T>(action: () => Promise<T>): Promise<T | null> => {
  try {
    return await action()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}
