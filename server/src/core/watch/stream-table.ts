import { isWithin, limits, parentPath, type Zxid } from '@conclave/protocol'
import type { ConnectionId } from '../input.js'
import type { LogRead } from '../log-reads.js'

/** A stream of one connection: an ordered, gap-free sequence of the events of one subtree. */
export interface Stream {
  readonly connection: ConnectionId
  readonly streamId: number
  readonly path: string
  readonly recursive: boolean
  readonly withDetail: boolean
  /** While it is replayed: all up to here has been judged. */
  position: { readonly zxid: Zxid; readonly index: number }
  /** It was opened at a position that cannot be resumed: what follows this zxid is unknown. */
  readonly gapFrom: Zxid | null
  /** What it waits for from the disk, while it does. */
  reading: LogRead | null
}

/**
 * The streams of this server, found by connection and by the paths their events may have. A stream
 * begins by reading history from its position on, from the disk as far as memory does not reach;
 * once it has caught up it is live and gets events as they are applied.
 */
export class StreamTable {
  readonly #byConnection = new Map<ConnectionId, Map<number, Stream>>()
  readonly #live = {
    exact: new Map<string, Set<Stream>>(),
    recursive: new Map<string, Set<Stream>>(),
  }
  readonly #replaying = new Set<Stream>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Those that can go on now, if their connections can. */
  get replaying(): ReadonlySet<Stream> {
    return this.#replaying
  }

  get(connection: ConnectionId, streamId: number): Stream | undefined {
    return this.#byConnection.get(connection)?.get(streamId)
  }

  /** @returns false when the connection has as many streams as it may */
  add(stream: Stream): boolean {
    let own = this.#byConnection.get(stream.connection)
    if (own === undefined) {
      own = new Map()
      this.#byConnection.set(stream.connection, own)
    }
    if (own.size >= limits.streamsPerConnectionMax) return false
    own.set(stream.streamId, stream)
    this.#size += 1
    this.#replaying.add(stream)
    return true
  }

  /** It goes on when a piece of the log has come. */
  waits(stream: Stream, reading: LogRead): void {
    stream.reading = reading
    this.#replaying.delete(stream)
  }

  goesOn(stream: Stream): void {
    stream.reading = null
    this.#replaying.add(stream)
  }

  /** The stream has seen all that is applied: it is live. */
  caughtUp(stream: Stream): void {
    this.#replaying.delete(stream)
    const index = this.#indexOf(stream)
    const streams = index.get(stream.path)
    if (streams === undefined) index.set(stream.path, new Set([stream]))
    else streams.add(stream)
  }

  remove(stream: Stream): void {
    const own = this.#byConnection.get(stream.connection)
    if (own?.delete(stream.streamId) !== true) return
    this.#size -= 1
    stream.reading?.cancel()
    this.#replaying.delete(stream)
    const index = this.#indexOf(stream)
    const streams = index.get(stream.path)
    streams?.delete(stream)
    if (streams?.size === 0) index.delete(stream.path)
  }

  forget(connection: ConnectionId): void {
    for (const stream of this.#byConnection.get(connection)?.values() ?? []) this.remove(stream)
    this.#byConnection.delete(connection)
  }

  /** The live streams that an event on `path` may concern. */
  *liveAt(path: string): Generator<Stream> {
    yield* this.#live.exact.get(path) ?? []
    if (this.#live.recursive.size === 0) return
    for (let at = path; ; at = parentPath(at)) {
      yield* this.#live.recursive.get(at) ?? []
      if (at === '/') return
    }
  }

  #indexOf(stream: Stream): Map<string, Set<Stream>> {
    return stream.recursive ? this.#live.recursive : this.#live.exact
  }
}

/** True when the stream is about events on `path`. */
export const covers = (stream: Pick<Stream, 'path' | 'recursive'>, path: string): boolean =>
  stream.recursive ? isWithin(path, stream.path) : path === stream.path
