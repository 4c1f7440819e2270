import type { Zxid } from '@conclave/protocol'
import { assert } from '../../core/assert.js'
import type { SnapshotView } from '../../core/effect.js'
import type { DiskSpace } from './disk-space.js'
import { completed, isOutOfSpace } from './files.js'
import { purge } from './purge.js'
import { snapshotFileName, type SnapshotName } from './snapshot-format.js'
import { writeSnapshot } from './snapshot-writer.js'
import type { StorageContext } from './storage-context.js'
import type { Wal } from './wal.js'
import { within } from './whole-file.js'

/**
 * Saves one snapshot at a time, then purges. A server may apply a txn before its own disk has it;
 * a snapshot waits until the log holds all that is in it.
 */
export class SnapshotSaver {
  readonly #context: StorageContext
  readonly #space: DiskSpace
  readonly #wal: Wal
  readonly #snapshotsKept: number
  /** Written or read whole by this process: purge need not read them again. */
  readonly #knownWhole = new Set<string>()
  #newestWhole: SnapshotName | null
  #waiting: Saving | null = null
  #running: Promise<void> | null = null
  #isStopped = false

  constructor(
    context: StorageContext,
    space: DiskSpace,
    wal: Wal,
    options: { readonly snapshotsKept: number; readonly loaded: SnapshotName | null },
  ) {
    this.#context = context
    this.#space = space
    this.#wal = wal
    this.#snapshotsKept = options.snapshotsKept
    this.#newestWhole = options.loaded
    if (options.loaded !== null) this.#knownWhole.add(snapshotFileName(options.loaded))
  }

  /** Of those that this process has written or read whole. */
  get newestWhole(): SnapshotName | null {
    return this.#newestWhole
  }

  save(saving: Saving): void {
    assert(this.#waiting === null && this.#running === null, 'one snapshot is saved at a time')
    this.#waiting = saving
    this.startIfDurable()
  }

  /** To be called whenever the log has grown. */
  startIfDurable(): void {
    const saving = this.#waiting
    if (saving === null || this.#wal.last.zxid < saving.view.header.zxid) return
    this.#waiting = null
    this.#running = this.#run(saving).then(
      (isSaved) => {
        this.#running = null
        if (this.#isStopped || this.#space.dead) return
        if (isSaved) saving.done(saving.view.header.zxid)
        else saving.givenUp()
      },
      (error: Error) => this.#space.fail(error),
    )
  }

  /** Gives up what is not saved yet; the next start needs a little longer, nothing is lost. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#waiting?.view.close()
    this.#waiting = null
    await this.#running
  }

  async #run({ view }: Saving): Promise<boolean> {
    const { zxid, epoch } = view.header
    const { generation } = this.#wal
    const fileName = snapshotFileName({ generation, zxid })
    try {
      const record = this.#wal.at(zxid)
      if (record === null) {
        // The log remembers the newest 65,536 records and all that are not committed.
        this.#context.log('warn', 'a snapshot so far behind the log is given up', { zxid })
        return false
      }
      assert(record.position.epoch === epoch, `the txn at ${zxid} is of epoch ${epoch}`)
      const isWhole = await this.#write(view, fileName, record.crc)
      if (!isWhole) return false
    } finally {
      view.close()
    }
    this.#knownWhole.add(fileName)
    this.#newestWhole = { generation, zxid }
    await purge(this.#context, this.#space, this.#wal, {
      snapshotsKept: this.#snapshotsKept,
      isKnownWhole: (name) => this.#knownWhole.has(name),
    })
    return true
  }

  async #write(view: SnapshotView, fileName: string, recordCrc: number): Promise<boolean> {
    const { files, directory, timers, log } = this.#context
    try {
      return await writeSnapshot(files, directory, timers, view, {
        generation: this.#wal.generation,
        recordCrc,
        isUnwanted: () => this.#isStopped || this.#space.dead,
      })
    } catch (error) {
      if (!isOutOfSpace(error)) throw error
      const temporary = within(directory, `${fileName}.tmp`)
      log('warn', 'there is no space for a snapshot', { file: temporary })
      await completed<void>((done) => files.unlink(temporary, () => done(null, undefined)))
      return false
    }
  }
}

interface Saving {
  readonly view: SnapshotView
  readonly done: (zxid: Zxid) => void
  /** The disk is full: the log needs what is left of it. Or it lies too far behind the log. */
  readonly givenUp: () => void
}
