import { DamageError } from './damage-error.js'
import { errorCode } from './files.js'
import {
  parseSnapshotName,
  type SnapshotFileHeader,
  snapshotFileName,
  type SnapshotName,
} from './snapshot-format.js'
import { SnapshotUnreadable, verifySnapshot } from './snapshot-reader.js'
import type { StorageContext } from './storage-context.js'
import { syncFile, within } from './whole-file.js'

/** A snapshot that is whole, and on the disk. */
export interface ChosenSnapshot {
  readonly name: SnapshotName
  readonly path: string
  readonly file: SnapshotFileHeader
}

export interface SnapshotChoice {
  readonly chosen: ChosenSnapshot | null
  /** Newer ones that are damaged: the log must reach at least as far as they did. */
  readonly damaged: readonly DamagedSnapshot[]
}

export interface DamagedSnapshot {
  readonly name: SnapshotName
  readonly path: string
  readonly offset: number
  readonly reason: string
}

/** Newest first: a later generation replaces the history, so it comes before any zxid. */
export const listSnapshots = (names: readonly string[]): readonly SnapshotName[] =>
  names
    .flatMap((name) => parseSnapshotName(name) ?? [])
    .sort((a, b) => b.generation - a.generation || b.zxid - a.zxid)

/**
 * The newest whole snapshot of the newest generation. An older generation is no way back: what
 * this server acknowledged since is not in it.
 * @throws DamageError when a generation that began with a snapshot has no whole one
 */
export const chooseSnapshot = async (
  context: StorageContext,
  snapshots: readonly SnapshotName[],
): Promise<SnapshotChoice> => {
  const generation = snapshots[0]?.generation ?? 0
  const damaged: DamagedSnapshot[] = []
  for (const name of snapshots) {
    if (name.generation !== generation) break
    const path = within(context.directory, snapshotFileName(name))
    const file = await readFileHeader(context, name, path)
    if (!(file instanceof SnapshotUnreadable)) {
      await syncFile(context.files, path)
      return { chosen: { name, path, file }, damaged }
    }
    const { message, offset } = file
    if (generation > 0) throw new DamageError({ file: path, offset, zxid: name.zxid }, message)
    context.log('warn', 'a snapshot is damaged, an older one and the log are tried', {
      file: path,
      reason: message,
    })
    damaged.push({ name, path, offset, reason: message })
  }
  return { chosen: null, damaged }
}

const readFileHeader = async (
  context: StorageContext,
  name: SnapshotName,
  path: string,
): Promise<SnapshotFileHeader | SnapshotUnreadable> => {
  try {
    const file = await verifySnapshot(context.files, path)
    if (file.generation === name.generation && file.header.zxid === name.zxid) return file
    return new SnapshotUnreadable(0, `it is the snapshot at ${file.header.zxid}, wrongly named`)
  } catch (error) {
    if (error instanceof SnapshotUnreadable) return error
    // A sector that cannot be read is as good as a damaged one.
    if (errorCode(error) === 'EIO') return new SnapshotUnreadable(0, 'it cannot be read (EIO)')
    throw error
  }
}
