import { linkSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Keeps every segment that a server's log has ever had, by a hard link: logs are purged, and a
 * server that is taught by a snapshot begins its log anew, with the names that it had before.
 */
export class SegmentKeeper {
  readonly #directory: string
  readonly #place: string
  /** One for each time that the server began with nothing. */
  #life = 0
  readonly #kept = new Set<number>()

  /** @param place a directory on the file system of the data directory; it is made */
  constructor(directory: string, place: string) {
    this.#directory = directory
    this.#place = place
    mkdirSync(this.#folder, { recursive: true })
  }

  /** What was kept, in one directory for each life; the files have other names. */
  get lives(): readonly string[] {
    return Array.from({ length: this.#life + 1 }, (_, life) => join(this.#place, String(life)))
  }

  /** The names of those that are there now, in their order. */
  get present(): readonly string[] {
    return this.#segments().toSorted()
  }

  /** To be called often enough that no segment comes and goes between two calls. */
  keep(): void {
    for (const name of this.#segments()) {
      const file = join(this.#directory, name)
      try {
        // What has a link keeps its number, so that it is not given to another file.
        const { ino } = statSync(file)
        if (this.#kept.has(ino)) continue
        linkSync(file, join(this.#folder, String(ino)))
        this.#kept.add(ino)
      } catch (error) {
        // It went in this very moment; what was in it was linked before.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
  }

  /** The directory is about to be removed. */
  wiped(): void {
    this.keep()
    this.#life += 1
    mkdirSync(this.#folder)
  }

  get #folder(): string {
    return join(this.#place, String(this.#life))
  }

  #segments(): readonly string[] {
    try {
      return readdirSync(this.#directory).filter((name) => /^log-\d+$/.test(name))
    } catch {
      // The server has not made it yet.
      return []
    }
  }
}
