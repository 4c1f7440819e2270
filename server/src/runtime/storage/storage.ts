import { randomBytes } from 'node:crypto'
import type { Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { assert } from '../../core/assert.js'
import type {
  Persist,
  ReadLog,
  ReadSnapshot,
  SnapshotView,
  StoreSnapshot,
} from '../../core/effect.js'
import type { SnapshotPiece } from '../../core/input.js'
import type { RecoveryVisitor } from '../../core/recovery-visitor.js'
import { explained, openDataDirectory } from './data-directory.js'
import { type DirectoryLock, lockDirectory, unlocked } from './directory-lock.js'
import { DiskSpace } from './disk-space.js'
import type { Files } from './files.js'
import { writeHardState } from './hard-state-file.js'
import type { Log } from './log-level.js'
import { LogPieces } from './log-pieces.js'
import { nodeFiles } from './node-files.js'
import { PersistQueue } from './persist-queue.js'
import { recover, type Recovered, type Recovery } from './recovery.js'
import { SegmentAllocator } from './segment-allocator.js'
import { SnapshotSaver } from './snapshot-saver.js'
import { SnapshotTransfer } from './snapshot-transfer.js'
import type { StorageContext } from './storage-context.js'
import { nodeTimers, type Timers } from './timers.js'
import { Wal } from './wal.js'

/** The disk of one server: its log, its snapshots and its hard state. */
export interface Storage {
  /** `done` is called in the order of the tickets, once all of this persist is durable. */
  persist(effect: Persist, done: () => void): void
  /** Reads a piece of the log back; `done` gets null when it is purged, or cannot be read. */
  readLog(effect: ReadLog, done: (txns: readonly Txn[] | null) => void): void
  /**
   * Saves one snapshot at a time, once the log holds its last txn, then purges. The view is closed
   * in any case. `givenUp` is called instead of `done` when the disk is full.
   */
  saveSnapshot(view: SnapshotView, done: (zxid: Zxid) => void, givenUp?: () => void): void
  /** Reads a piece of a saved snapshot; `done` gets null when there is no such snapshot. */
  readSnapshot(effect: ReadSnapshot, done: (piece: SnapshotPiece | null) => void): void
  /**
   * Stores a piece of a snapshot of another server, and installs the whole after the last one:
   * whoever recovers the directory then finds it and nothing of what was there before. `done` gets
   * false when the disk is full or the snapshot is not whole.
   */
  storeSnapshot(effect: StoreSnapshot, done: (ok: boolean) => void): void
  /** Waits for what is in flight, writes the end marks, releases the lock. */
  close(): Promise<void>
}

export interface OpenedStorage {
  /**
   * To be called once, before anything else.
   * @throws DamageError when the disk lacks what was once durable
   */
  readonly recover: (visitor: RecoveryVisitor) => Promise<Recovered>
  readonly storage: Storage
}

export interface StorageOptions {
  readonly directory: string
  readonly files?: Files | undefined
  readonly timers?: Timers | undefined
  /** 32 random bits: without foreseeing them nobody can write a value that looks like the log. */
  readonly random?: (() => number) | undefined
  readonly segmentBytes?: number | undefined
  readonly snapshotsKept?: number | undefined
  readonly log: Log
  /** The disk is full, or no longer is. Meanwhile nothing is lost and nothing completes. */
  readonly onDiskSpace: (ok: boolean) => void
  /** The process must end: what the disk holds is unknown, and nothing completes any more. */
  readonly onFatal: (error: Error) => void
}

/** @throws DataDirectoryError when the directory cannot be used */
export const openStorage = async (options: StorageOptions): Promise<OpenedStorage> => {
  const files = options.files ?? nodeFiles
  const context: StorageContext = {
    files,
    directory: options.directory,
    segmentBytes: options.segmentBytes ?? segmentBytesDefault,
    timers: options.timers ?? nodeTimers,
    random: options.random ?? (() => randomBytes(4).readUInt32BE()),
    log: options.log,
  }
  const lock = await openDataDirectory(
    files,
    context.directory,
    // Another implementation of the port is a world of its own, with one server a directory.
    options.files === undefined ? lockDirectory : unlocked,
  )
  const space = new DiskSpace(context.timers, options.onDiskSpace, options.onFatal)
  const storage = new DirectoryStorage(
    context,
    space,
    lock,
    options.snapshotsKept ?? snapshotsKeptDefault,
  )
  return { storage, recover: (visitor) => storage.recover(visitor) }
}

class DirectoryStorage implements Storage {
  readonly #context: StorageContext
  readonly #space: DiskSpace
  readonly #lock: DirectoryLock
  readonly #snapshotsKept: number
  #open: OpenParts | null = null
  #isClosing = false

  constructor(
    context: StorageContext,
    space: DiskSpace,
    lock: DirectoryLock,
    snapshotsKept: number,
  ) {
    this.#context = context
    this.#space = space
    this.#lock = lock
    this.#snapshotsKept = snapshotsKept
  }

  async recover(visitor: RecoveryVisitor): Promise<Recovered> {
    assert(this.#open === null && !this.#isClosing, 'storage is recovered once')
    const { directory } = this.#context
    const recovery = await explained(directory, () => recover(this.#context, visitor))
    this.#open = this.#assemble(recovery)
    return recovery.recovered
  }

  persist(effect: Persist, done: () => void): void {
    this.#parts().queue.push(effect, done)
  }

  readLog(effect: ReadLog, done: (txns: readonly Txn[] | null) => void): void {
    this.#parts().pieces.read(effect, done)
  }

  saveSnapshot(view: SnapshotView, done: (zxid: Zxid) => void, givenUp = noop): void {
    this.#parts().snapshots.save({ view, done, givenUp })
  }

  readSnapshot(effect: ReadSnapshot, done: (piece: SnapshotPiece | null) => void): void {
    this.#parts().transfer.read(effect, done)
  }

  storeSnapshot(effect: StoreSnapshot, done: (ok: boolean) => void): void {
    this.#parts().transfer.store(effect, done)
  }

  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    const open = this.#open
    if (open !== null) {
      const { queue, snapshots, wal, pieces, transfer } = open
      const { died } = this.#space
      this.#space.giveUp()
      const ended = new Promise<void>((resolve) => {
        // The second proves the first: damage to that is not taken for a torn write.
        queue.whenIdle(() => wal.writeEndMark(() => wal.writeEndMark(resolve)))
      })
      await Promise.race([ended, died])
      const settled = [snapshots.stop(), pieces.settle(), transfer.settle()]
      await Promise.race([Promise.all(settled), died])
      await wal.close()
    }
    await this.#lock.release()
  }

  #parts(): OpenParts {
    assert(this.#open !== null, 'storage is recovered before it is used')
    assert(!this.#isClosing, 'storage is open')
    return this.#open
  }

  #assemble({ walState, snapshot }: Recovery): OpenParts {
    const context = this.#context
    const { files, directory, segmentBytes, timers } = context
    const space = this.#space
    const allocator = new SegmentAllocator(files, directory, segmentBytes, space)
    const wal = new Wal(context, space, allocator, walState)
    wal.foresee()
    const snapshots = new SnapshotSaver(context, space, wal, {
      snapshotsKept: this.#snapshotsKept,
      loaded: snapshot,
    })
    const queue = new PersistQueue(
      wal,
      space,
      timers,
      (hardState) => writeHardState(files, directory, hardState),
      () => snapshots.startIfDurable(),
    )
    const pieces = new LogPieces(context, wal)
    const transfer = new SnapshotTransfer(context, space, snapshots, wal.generation)
    return { wal, queue, snapshots, pieces, transfer }
  }
}

interface OpenParts {
  readonly wal: Wal
  readonly queue: PersistQueue
  readonly snapshots: SnapshotSaver
  readonly pieces: LogPieces
  readonly transfer: SnapshotTransfer
}

const noop = (): void => undefined
const segmentBytesDefault = 16_777_216
const snapshotsKeptDefault = 3
