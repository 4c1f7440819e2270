import type { LogPosition, Zxid } from '@conclave/protocol'
import type { EpochStart, HardState } from '@conclave/protocol/peer'
import type { RecoveryVisitor } from '../../core/recovery-visitor.js'
import { DamageError } from './damage-error.js'
import { completed, type OpenFile } from './files.js'
import { readHardState, reserveHardState } from './hard-state-file.js'
import { readSegmentHeads, recoverLog, type SegmentHead } from './log-recovery.js'
import { type Anchor, anchorZero, RecordChain } from './record-chain.js'
import { encodeSegmentHeader, firstZxidOf, segmentName } from './segment.js'
import { allocateSegment, startSegment } from './segment-files.js'
import {
  type ChosenSnapshot,
  chooseSnapshot,
  listSnapshots,
  type SnapshotChoice,
} from './snapshot-choice.js'
import { snapshotFileName, type SnapshotName } from './snapshot-format.js'
import { readSnapshot, SnapshotUnreadable } from './snapshot-reader.js'
import type { StorageContext } from './storage-context.js'
import type { WalState } from './wal.js'
import { syncDirectory, within } from './whole-file.js'

export interface Recovered {
  /** null when the directory is new. */
  readonly hardState: HardState | null
  readonly epochs: readonly EpochStart[]
  /** Recovery applies the snapshot and the log up to here and no further. */
  readonly commit: Zxid
  readonly last: LogPosition
}

export interface Recovery {
  readonly recovered: Recovered
  readonly walState: WalState
  /** Known to be whole. */
  readonly snapshot: SnapshotName | null
}

/**
 * Reads the directory and makes durable all that it reports: after a kill the page cache shows
 * what the disk may not have.
 * @throws DamageError when the disk lacks what was once durable
 */
export const recover = async (
  context: StorageContext,
  visitor: RecoveryVisitor,
): Promise<Recovery> => {
  const names = await removeTemporaries(context)
  const hardState = await readHardState(context.files, context.directory)
  const since = hardState?.generation ?? 0
  const snapshots = listSnapshots(names).filter(({ generation }) => generation >= since)
  const choice = await chooseSnapshot(context, snapshots)
  const generation = choice.chosen?.name.generation ?? since
  const found = await keepGeneration(context, names, generation)
  const begin = beginOf(found)
  const heads = found.slice(begin)
  checkStart(context, heads, choice, hardState)
  await removeAll(context, found.slice(0, begin))
  if (choice.chosen !== null) await loadSnapshot(context, choice.chosen, visitor)
  const base = choice.chosen === null ? anchorZero : anchorOf(choice.chosen)
  const walState =
    heads.length === 0
      ? await startLog(context, choice.chosen, base, generation)
      : await continueLog(context, heads, base, visitor)
  checkEnd(context, walState, choice, hardState)
  await reserveHardState(context.files, context.directory)
  const { chain } = walState
  const commit = Math.max(walState.commit, base.position.zxid) as Zxid
  return {
    recovered: {
      hardState: hardState === null ? null : { ...hardState, generation },
      epochs: chain.epochs.upTo(chain.last.zxid),
      commit,
      last: chain.last,
    },
    walState: { ...walState, commit },
    snapshot: choice.chosen?.name ?? null,
  }
}

/** What was not finished was never relied on. */
const removeTemporaries = async (context: StorageContext): Promise<readonly string[]> => {
  const { files, directory } = context
  const names = await completed<readonly string[]>((done) => files.list(directory, done))
  for (const name of names) {
    if (!isTemporary(name)) continue
    await completed<void>((done) => files.unlink(within(directory, name), done))
  }
  return names.filter((name) => !isTemporary(name))
}

const isTemporary = (name: string): boolean => /^(?:log-next|snapshot-.*)\.tmp$/.test(name)

/** What is of an earlier generation was replaced by a whole snapshot, or given up. */
const keepGeneration = async (
  context: StorageContext,
  names: readonly string[],
  generation: number,
): Promise<readonly SegmentHead[]> => {
  const heads = await readSegmentHeads(context, names)
  const newer = heads.find((head) => head.generation > generation)
  if (newer !== undefined) {
    throw new DamageError(
      { file: newer.path, offset: 0, zxid: newer.firstZxid },
      `the snapshot that began its generation ${newer.generation} is missing`,
    )
  }
  const earlier = listSnapshots(names).filter((name) => name.generation < generation)
  await removeAll(context, [
    ...heads.filter((head) => head.generation !== generation),
    ...earlier.map((name) => ({ path: within(context.directory, snapshotFileName(name)) })),
  ])
  return heads.filter((head) => head.generation === generation)
}

const removeAll = async (
  { files, directory }: StorageContext,
  unneeded: readonly { readonly path: string }[],
): Promise<void> => {
  for (const { path } of unneeded) await completed<void>((done) => files.unlink(path, done))
  await syncDirectory(files, directory)
}

/**
 * A purge goes on from the oldest segment. Where the history was cut and the purge broke off, the
 * oldest that are left hold only what a later one has cut away, back to before their beginning.
 */
const beginOf = (heads: readonly SegmentHead[]): number => {
  const firstZxids = heads.map(({ firstZxid }) => firstZxid)
  const lowest = firstZxids.lastIndexOf(Math.min(...firstZxids) as Zxid)
  return Math.max(lowest, 0)
}

/** The log must continue the snapshot, or begin with txn 1. */
const checkStart = (
  context: StorageContext,
  heads: readonly SegmentHead[],
  { chosen, damaged }: SnapshotChoice,
  hardState: HardState | null,
): void => {
  const covered = chosen?.name.zxid ?? 0
  const [first] = heads
  if (first !== undefined && first.firstZxid > covered + 1) {
    // A snapshot that would reach there, were it whole, is what is wrong.
    const [{ path: file, offset, reason } = { path: first.path, offset: 0, reason: null }] = damaged
    throw new DamageError(
      { file, offset, zxid: (covered + 1) as Zxid },
      `${reason === null ? '' : `${reason}; `}the log begins at zxid ${first.firstZxid} and no ` +
        'whole snapshot reaches there',
    )
  }
  const isNewGeneration = chosen !== null && chosen.name.generation > 0
  const hadLog = chosen !== null || damaged.length > 0 || (hardState?.currentEpoch ?? 0) > 0
  if (first === undefined && hadLog && !isNewGeneration) {
    const file = within(context.directory, segmentName(1))
    throw new DamageError({ file, offset: 0, zxid: (covered + 1) as Zxid }, 'the log is missing')
  }
}

/** A snapshot is begun only when the log holds its last txn, so the log reaches every snapshot. */
const checkEnd = (
  context: StorageContext,
  { chain, segment, offset, commit }: WalState,
  { chosen, damaged }: SnapshotChoice,
  hardState: HardState | null,
): void => {
  for (const { name } of [...(chosen === null ? [] : [chosen]), ...damaged]) {
    if (chain.last.zxid >= name.zxid) continue
    const place = { file: segment.path, offset, zxid: (chain.last.zxid + 1) as Zxid }
    throw new DamageError(place, `the log ends before the snapshot at zxid ${name.zxid}`)
  }
  if (hardState === null && (commit > 0 || chosen !== null)) {
    const file = within(context.directory, 'hard-state')
    throw new DamageError({ file, offset: 0, zxid: 0 as Zxid }, 'the file is missing')
  }
}

const loadSnapshot = async (
  context: StorageContext,
  { path, name }: ChosenSnapshot,
  visitor: RecoveryVisitor,
): Promise<void> => {
  let offset = 0
  try {
    for await (const part of readSnapshot(context.files, path, { decode: true })) {
      offset = part.offset
      if (part.part === 'header') visitor.snapshot(part.file.header)
      else if (part.part === 'entries') for (const entry of part.entries) visitor.entry(entry)
      else visitor.snapshotEnd()
    }
  } catch (error) {
    if (error instanceof SnapshotUnreadable) offset = error.offset
    throw new DamageError({ file: path, offset, zxid: name.zxid }, (error as Error).message)
  }
}

const anchorOf = ({ file }: ChosenSnapshot): Anchor => ({
  position: { epoch: file.header.epoch, zxid: file.header.zxid },
  crc: file.recordCrc,
})

const continueLog = async (
  context: StorageContext,
  heads: readonly SegmentHead[],
  base: Anchor,
  visitor: RecoveryVisitor,
): Promise<WalState> => {
  const log = await recoverLog(context, heads, base, visitor)
  const { path, header, bytes } = log.lastImage
  const file = await completed<OpenFile>((done) => context.files.open(path, 'updateDurable', done))
  return {
    segment: { header, path, file, capacity: bytes.length },
    offset: log.offset,
    nextBatch: log.nextBatch,
    commit: log.commit,
    chain: log.chain,
    segments: log.segments,
  }
}

/** The first segment is small, so that a server starts at once; the next one has the full size. */
const startLog = async (
  context: StorageContext,
  chosen: ChosenSnapshot | null,
  preceding: Anchor,
  generation: number,
): Promise<WalState> => {
  const { files, directory } = context
  const header = {
    generation,
    sequence: 1,
    preceding,
    firstBatch: 1,
    commit: preceding.position.zxid,
    salt: context.random(),
    epochs: chosen?.file.header.epochs ?? [],
  }
  const bytes = Math.max(
    Math.min(context.segmentBytes, firstSegmentBytesMax),
    encodeSegmentHeader(header).length,
  )
  await allocateSegment(files, directory, bytes)
  const { segment, offset } = await startSegment(files, directory, header, completed)
  return {
    segment,
    offset,
    nextBatch: header.firstBatch,
    commit: header.commit,
    chain: new RecordChain(preceding, header.epochs),
    segments: [{ sequence: header.sequence, firstZxid: firstZxidOf(header) }],
  }
}

const firstSegmentBytesMax = 1_048_576
