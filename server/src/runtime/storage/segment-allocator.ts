import type { DiskSpace } from './disk-space.js'
import { completed, type Files } from './files.js'
import { nextSegmentName } from './segment.js'
import { allocateSegment } from './segment-files.js'
import { within } from './whole-file.js'

/** Keeps the next segment ready, so that the log seldom waits for its zeros to be written. */
export class SegmentAllocator {
  readonly #files: Files
  readonly #directory: string
  readonly #segmentBytes: number
  readonly #space: DiskSpace
  #ready: Promise<boolean> | null = null

  constructor(files: Files, directory: string, segmentBytes: number, space: DiskSpace) {
    this.#files = files
    this.#directory = directory
    this.#segmentBytes = segmentBytes
    this.#space = space
  }

  /** Begins to allocate the next segment unless that was begun. */
  prepare(): void {
    this.#ready ??= this.#space.foreseen(() => this.#allocate())
  }

  /** Waits until the next segment lies there; on a full disk until there is room. */
  async take(): Promise<void> {
    this.prepare()
    if ((await this.#ready) !== true) {
      await this.#space.attemptedSteps(() => this.#allocate())
    }
    this.#ready = null
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await this.#ready
  }

  async #allocate(): Promise<void> {
    try {
      await allocateSegment(this.#files, this.#directory, this.#segmentBytes)
    } catch (error) {
      // What was allocated of it is better left to others while the disk is full.
      const path = within(this.#directory, nextSegmentName)
      await completed<void>((done) => this.#files.unlink(path, () => done(null, undefined)))
      throw error
    }
  }
}
