import type { Zxid } from '@conclave/protocol'
import { assert } from '../../core/assert.js'
import type { ReadSnapshot, StoreSnapshot } from '../../core/effect.js'
import type { SnapshotPiece } from '../../core/input.js'
import type { DiskSpace } from './disk-space.js'
import { completed, errorCode, isOutOfSpace, type OpenFile } from './files.js'
import {
  chunkHeaderBytes,
  chunkPayloadBytes,
  encodeHeaderChunk,
  type SnapshotFileHeader,
  snapshotFileName,
  type SnapshotName,
} from './snapshot-format.js'
import { SnapshotUnreadable, verifySnapshot } from './snapshot-reader.js'
import type { StorageContext } from './storage-context.js'
import { readRange, syncDirectory, within, withFile } from './whole-file.js'

/** What a transfer must know of the snapshots that this process has saved or loaded. */
interface SavedSnapshots {
  readonly newestWhole: SnapshotName | null
}

/** Gives saved snapshots to other servers in pieces, and installs what others have given. */
export class SnapshotTransfer {
  readonly #context: StorageContext
  readonly #space: DiskSpace
  readonly #saved: SavedSnapshots
  readonly #generation: number
  readonly #reading = new Set<Promise<void>>()
  #storing: Promise<void> | null = null

  constructor(
    context: StorageContext,
    space: DiskSpace,
    saved: SavedSnapshots,
    generation: number,
  ) {
    this.#context = context
    this.#space = space
    this.#saved = saved
    this.#generation = generation
  }

  /** `done` gets null when there is no such snapshot, or it cannot be read; that is logged. */
  read(wanted: ReadSnapshot, done: (piece: SnapshotPiece | null) => void): void {
    const answer = async (): Promise<void> => done(await this.#read(wanted))
    const reading = answer().finally(() => this.#reading.delete(reading))
    this.#reading.add(reading)
  }

  /** `done` gets false when the disk is full or the file is not whole; then nothing has changed. */
  store(piece: StoreSnapshot, done: (ok: boolean) => void): void {
    assert(this.#storing === null, 'one piece of a snapshot is stored at a time')
    const answer = async (): Promise<void> => {
      const ok = await this.#store(piece)
      this.#storing = null
      if (!this.#space.dead) done(ok)
    }
    this.#storing = answer().catch((error: unknown) => this.#space.fail(error as Error))
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await Promise.all([...this.#reading, this.#storing])
  }

  async #read({ zxid, offset, bytesMax }: ReadSnapshot): Promise<SnapshotPiece | null> {
    const { files, directory, log } = this.#context
    const name = zxid === null ? this.#saved.newestWhole : { generation: this.#generation, zxid }
    if (name === null) return null
    const path = within(directory, snapshotFileName(name))
    try {
      return await withFile(files, path, 'read', async (file) => {
        const size = await completed<number>((done) => file.size(done))
        const bytes = await readRange(file, offset, Math.max(0, Math.min(bytesMax, size - offset)))
        return { zxid: name.zxid, offset, bytes, size }
      })
    } catch (error) {
      const { message: reason } = error as Error
      // A file that is gone was purged while it was given away: a newer one takes its place.
      if (errorCode(error) !== 'ENOENT') {
        log('warn', 'a snapshot cannot be read for a learner', { file: path, reason })
      }
      return null
    }
  }

  async #store(piece: StoreSnapshot): Promise<boolean> {
    try {
      await this.#write(piece)
      if (piece.isLast) await this.#prepare(piece.zxid)
    } catch (error) {
      if (!isOutOfSpace(error) && !(error instanceof SnapshotUnreadable)) throw error
      await this.#giveUp((error as Error).message)
      return false
    }
    if (piece.isLast) await this.#replaceHistory(piece.zxid)
    return true
  }

  async #write({ offset, bytes }: StoreSnapshot): Promise<void> {
    const { files, directory } = this.#context
    const mode = offset === 0 ? 'create' : 'update'
    await withFile(files, within(directory, receivedName), mode, async (file) => {
      await completed<void>((done) => file.write(bytes, offset, done))
    })
  }

  /** Makes of what was received, if it is whole, a file of this server's next generation. */
  async #prepare(zxid: Zxid): Promise<void> {
    const { files, directory } = this.#context
    const received = within(directory, receivedName)
    const { header, recordCrc } = await verifySnapshot(files, received)
    if (header.zxid !== zxid) throw new SnapshotUnreadable(0, `it is the one at ${header.zxid}`)
    await withFile(files, within(directory, installingName), 'create', async (to) => {
      await withFile(files, received, 'read', async (from) => {
        await this.#copy(from, to, { generation: this.#generation + 1, recordCrc, header })
      })
      await completed<void>((done) => to.sync(done))
    })
    await completed<void>((done) => files.unlink(received, done))
  }

  /**
   * Until the rename is durable nothing but the history of this server counts, and from then on
   * nothing of it does: recovery deletes the segments and snapshots of earlier generations.
   */
  async #replaceHistory(zxid: Zxid): Promise<void> {
    const { files, directory } = this.#context
    const name = snapshotFileName({ generation: this.#generation + 1, zxid })
    const installing = within(directory, installingName)
    await this.#space.attempted<void>((done) =>
      files.rename(installing, within(directory, name), done),
    )
    await syncDirectory(files, directory)
  }

  async #giveUp(reason: string): Promise<void> {
    const { files, directory, log } = this.#context
    log('warn', 'the snapshot of the leader is not installed', { reason })
    for (const name of [receivedName, installingName]) {
      await new Promise<void>((done) => files.unlink(within(directory, name), () => done()))
    }
  }

  /** All but the header is the same: that names the generation, which is the own business. */
  async #copy(from: OpenFile, to: OpenFile, header: SnapshotFileHeader): Promise<void> {
    const size = await completed<number>((done) => from.size(done))
    const start = encodeHeaderChunk(header)
    await completed<void>((done) => to.write(start, 0, done))
    const first = await headerChunkBytes(from)
    let unsynced = 0
    for (let at = first; at < size; at += sliceBytes) {
      const slice = await readRange(from, at, Math.min(sliceBytes, size - at))
      const target = start.length + at - first
      await completed<void>((done) => to.write(slice, target, done))
      unsynced += slice.length
      // One fsync of everything at the end would hold up the log's writes behind it.
      if (unsynced < syncEveryBytes) continue
      await completed<void>((done) => to.sync(done))
      unsynced = 0
    }
  }
}

const headerChunkBytes = async (file: OpenFile): Promise<number> => {
  const payloadBytes = chunkPayloadBytes(await readRange(file, 0, chunkHeaderBytes))
  assert(payloadBytes !== null, 'a verified snapshot begins with a chunk')
  return chunkHeaderBytes + payloadBytes
}

const receivedName = 'snapshot-received.tmp'
const installingName = 'snapshot-installing.tmp'
const sliceBytes = 1_048_576
const syncEveryBytes = 8_388_608
