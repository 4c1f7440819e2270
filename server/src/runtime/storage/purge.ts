import { completed } from './files.js'
import type { DiskSpace } from './disk-space.js'
import { segmentName } from './segment.js'
import { listSnapshots } from './snapshot-choice.js'
import { snapshotFileName, type SnapshotName } from './snapshot-format.js'
import { verifySnapshot } from './snapshot-reader.js'
import type { StorageContext } from './storage-context.js'
import type { SegmentPlace, Wal } from './wal.js'
import { syncDirectory, within } from './whole-file.js'

/**
 * Keeps the newest whole snapshots and the log from the oldest of them on. A damaged snapshot does
 * not count: what is removed is never the only source of anything.
 */
export const purge = async (
  context: StorageContext,
  space: DiskSpace,
  wal: Wal,
  options: { readonly snapshotsKept: number; readonly isKnownWhole: (name: string) => boolean },
): Promise<void> => {
  const { files, directory } = context
  const names = await completed<readonly string[]>((done) => files.list(directory, done))
  const snapshots = listSnapshots(names)
  const oldestKept = await findOldestKept(context, snapshots, options)
  if (oldestKept === null) return
  const oldSnapshots = snapshots.slice(snapshots.indexOf(oldestKept) + 1).reverse()
  const firstNeeded = firstSegmentNeeded(wal.segments, oldestKept)
  const oldSegments = wal.segments.filter(({ sequence }) => sequence < firstNeeded)
  // Oldest first and each durable before the next, so that a crash leaves no gap.
  for (const name of [
    ...oldSnapshots.map(snapshotFileName),
    ...oldSegments.map(({ sequence }) => segmentName(sequence)),
  ]) {
    await space.attempted<void>((done) => files.unlink(within(directory, name), done))
    await syncDirectory(files, directory)
  }
  wal.forgetSegmentsBefore(firstNeeded)
}

const findOldestKept = async (
  context: StorageContext,
  snapshots: readonly SnapshotName[],
  options: { readonly snapshotsKept: number; readonly isKnownWhole: (name: string) => boolean },
): Promise<SnapshotName | null> => {
  let kept = 0
  for (const snapshot of snapshots) {
    const name = snapshotFileName(snapshot)
    if (options.isKnownWhole(name) || (await isWhole(context, name))) kept += 1
    if (kept === options.snapshotsKept) return snapshot
  }
  return null
}

const isWhole = async (context: StorageContext, name: string): Promise<boolean> => {
  const path = within(context.directory, name)
  try {
    await verifySnapshot(context.files, path)
    return true
  } catch (error) {
    const { message } = error as Error
    context.log('warn', 'a damaged snapshot is not counted', { file: path, reason: message })
    return false
  }
}

/** Segments are not in the order of their first zxids where the history was cut. */
const firstSegmentNeeded = (segments: readonly SegmentPlace[], snapshot: SnapshotName): number =>
  segments.findLast(({ firstZxid }) => firstZxid <= snapshot.zxid + 1)?.sequence ?? 0
