import {
  Fifo,
  type ChangeType,
  type EventDetail,
  type StreamPosition,
  streamPositionSchema,
} from '@conclave/protocol'
import { anything, checked, type Checks, isBoolean, isSignal, wholeNumber } from './checked.js'
import { BadArgumentsError, errorOf } from './errors.js'
import type { RequestContext } from './request-context.js'
import { bounds } from './session/bounds.js'
import type { Caller } from './session/call.js'
import type { Ending, StreamItem, StreamStanding } from './session/effect.js'
import type { Wait } from './session/wait.js'

/**
 * Where a stream stands: a plain object that survives `JSON.stringify` and `JSON.parse`. What is in
 * it is the servers' business. Passed as `from`, the stream goes on right after it.
 */
export type WatchPosition = StreamPosition

/** What a stream gives. */
export type WatchEvent = ChangedZnode | HistoryGap | CaughtUp

export interface ChangedZnode {
  readonly type: ChangeType
  readonly path: string
  readonly zxid: number
  /** The znode after the change (of a deleted one, before); null unless asked for by `detail`. */
  readonly detail: EventDetail | null
  readonly position: WatchPosition
}

/**
 * What happened after `from` up to and including `to` is not known any more: read everything anew.
 */
export interface HistoryGap {
  readonly type: 'gap'
  readonly from: number
  readonly to: number
  readonly position: WatchPosition
}

/** All that had happened is told; from here on events are news. Said again after a reconnect. */
export interface CaughtUp {
  readonly type: 'caughtUp'
  readonly position: WatchPosition
}

export interface WatchStreamOptions {
  /** The whole tree below the path too; then there is no `childrenChanged`. */
  readonly recursive?: boolean | undefined
  /** Goes on after this position; from now when left out. */
  readonly from?: WatchPosition | null | undefined
  /** Events say the data and stat of their znode. */
  readonly detail?: boolean | undefined
  /** When it aborts, the loop throws its reason. */
  readonly signal?: AbortSignal | undefined
  /** How many events may wait for a slow loop, 1 to 100,000; 1,000 by default. */
  readonly bufferEvents?: number | undefined
}

const watchStreamChecks: Checks<WatchStreamOptions> = {
  recursive: isBoolean,
  from: anything,
  detail: isBoolean,
  signal: isSignal,
  bufferEvents: wholeNumber(1, bounds.bufferEventsMax),
}

/**
 * A gap-free, duplicate-free sequence of what happened to a znode or a subtree. It survives lost
 * connections and servers. When the loop is slow, the stream stops at its bound and goes on where
 * it stopped once the loop has caught up; only what the servers have compacted meanwhile becomes
 * an event of type `gap`. Leaving the loop ends the stream.
 *
 * The loop ends when the client is closed, and throws `SessionExpiredError` when the session is
 * gone.
 */
export class WatchStream implements AsyncIterableIterator<WatchEvent>, AsyncDisposable {
  readonly #context: RequestContext
  readonly #buffer = new Fifo<WatchEvent>()
  readonly #waiting = new Fifo<Waiter>()
  readonly #caller: Caller
  #bufferEventsMax: number = bounds.bufferEvents
  #bufferedBytes = 0
  #isPaused = false
  #taken: WatchPosition | null = null
  /** What was last said of it: it goes on to hold while events wait. */
  #currentAtMs: number | null = null
  #wait: Wait | null = null
  #end: End | null = null

  /** @internal */
  constructor(context: RequestContext, path: string, options: WatchStreamOptions | undefined) {
    this.#context = context
    const onItem = (item: StreamItem): void => this.#item(item)
    this.#caller = { settled() {}, fired() {}, watchLost() {}, item: onItem }
    try {
      this.#open(path, checked(options, watchStreamChecks))
    } catch (error) {
      this.#finish({ error })
    }
  }

  /**
   * Where the loop stands: after the last event it took, or, when it has taken all, after all that
   * the servers have shown since. Null until the first answer of a stream without `from`. Keep it,
   * and an idle watcher's bookmark never goes stale.
   */
  get position(): WatchPosition | null {
    return this.#standing?.position ?? this.#taken
  }

  /**
   * Whether the loop has taken all that the server had to tell: all that any answer of this client
   * has shown is then in what was taken.
   */
  get isCaughtUp(): boolean {
    return this.#standing?.isCaughtUp === true
  }

  /**
   * How fresh the loop is, in ms of `performance.now()`: all that the server knew at this time has
   * been taken. Null until that was so once. It moves on with every answered ping, a third of the
   * session timeout apart, and stands still without a server. The danger: a server may itself be
   * behind the others.
   */
  get currentAtMs(): number | null {
    this.#currentAtMs = this.#standing?.currentAtMs ?? this.#currentAtMs
    return this.#currentAtMs
  }

  next(): Promise<IteratorResult<WatchEvent, undefined>> {
    const event = this.#take()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#end !== null) {
      const end = this.#end
      this.#end = 'quietly'
      return end === 'quietly' ? Promise.resolve(finished) : Promise.reject(end.error as Error)
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Ends the stream, as leaving the loop does. */
  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.#stop('quietly')
    return Promise.resolve(finished)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #open(path: string, given: WatchStreamOptions): void {
    const { signal, recursive = false, detail = false, bufferEvents } = given
    const { runner, chroot } = this.#context
    const from = positionOf(given.from ?? null)
    const at = chroot.toServer(path)
    this.#bufferEventsMax = bufferEvents ?? bounds.bufferEvents
    this.#taken = from
    this.#wait = runner.waits.begin({ signal })
    if (this.#wait.over !== null) return this.#finish({ error: this.#wait.over.reason })
    this.#wait.onOver = (reason) => this.#stop({ error: reason })
    const token = this.#caller
    runner.step({ input: 'openStream', token, path: at, recursive, withDetail: detail, from })
  }

  /** Of a stream that lives, once all that came from it was taken. */
  get #standing(): StreamStanding | null {
    if (this.#buffer.length > 0) return null
    return this.#context.runner.machine.calls.streamStanding(this.#caller)
  }

  #take(): WatchEvent | undefined {
    const event = this.#buffer.shift()
    if (event === undefined) return undefined
    this.#taken = event.position
    this.#bufferedBytes -= bytesOf(event)
    if (this.#isPaused && this.#buffer.length === 0) {
      this.#isPaused = false
      this.#context.runner.step({ input: 'resumeStream', token: this.#caller })
    }
    return event
  }

  #item(item: StreamItem): void {
    if (this.#end !== null) return
    if (item.item === 'ended') return this.#ended(item)
    if (item.item === 'opened') {
      this.#taken ??= item.position
      return
    }
    const event = this.#eventOf(item)
    const waiter = this.#waiting.shift()
    if (waiter !== undefined) {
      this.#taken = event.position
      return waiter.resolve({ done: false, value: event })
    }
    this.#buffer.push(event)
    this.#bufferedBytes += bytesOf(event)
    const isFull =
      this.#buffer.length >= this.#bufferEventsMax || this.#bufferedBytes >= bounds.bufferBytesMax
    if (!isFull || this.#isPaused) return
    this.#isPaused = true
    this.#context.runner.step({ input: 'pauseStream', token: this.#caller })
  }

  #ended({ why, standing }: Extract<StreamItem, { item: 'ended' }>): void {
    if (this.#buffer.length === 0) {
      this.#taken = standing.position
      this.#currentAtMs = standing.currentAtMs
    }
    this.#finish(endOf(why))
  }

  #eventOf(item: Exclude<StreamItem, { item: 'ended' | 'opened' }>): WatchEvent {
    const { position } = item
    if (item.item === 'caughtUp') return { type: 'caughtUp', position }
    if (item.item === 'gap') return { type: 'gap', from: item.from, to: item.to, position }
    const { type, path, zxid, detail } = item.event
    const at = this.#context.chroot.toClient(path)
    return { type, path: at, zxid, detail: ownDetail(detail), position }
  }

  /** The consumer wants no more. */
  #stop(end: End): void {
    if (this.#end !== null) return
    this.#buffer.clear()
    this.#context.runner.step({ input: 'closeStream', token: this.#caller })
    this.#finish(end)
  }

  /** What waits in the buffer is still taken; then the loop ends. */
  #finish(end: End): void {
    this.#wait?.end()
    this.#end = end
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (this.#end === 'quietly') next.resolve(finished)
      else next.reject(this.#end.error)
      this.#end = 'quietly'
    }
  }
}

/** How a loop ends: quietly, or by throwing once. */
type End = 'quietly' | { readonly error: unknown }

interface Waiter {
  readonly resolve: (result: IteratorResult<WatchEvent, undefined>) => void
  readonly reject: (error: unknown) => void
}

const finished: IteratorResult<never, undefined> = Object.freeze({ done: true, value: undefined })

/** Closing the client is the consumer's own doing, so it ends the loop quietly. */
const endOf = ({ failure, outcome }: Ending): End =>
  failure.code === 'closing' ? 'quietly' : { error: errorOf(failure, { outcome }) }

/** What arrived is a view of a whole message, which must not live as long as one event of it. */
const ownDetail = (detail: EventDetail | null): EventDetail | null =>
  detail === null || detail.data === null
    ? detail
    : { ...detail, data: new Uint8Array(detail.data) }

const bytesOf = (event: WatchEvent): number =>
  'detail' in event ? (event.detail?.data?.length ?? 0) : 0

/** A copy. @throws BadArgumentsError when it is none */
const positionOf = (position: WatchPosition | null): WatchPosition | null => {
  if (position === null) return null
  try {
    return streamPositionSchema.decode(streamPositionSchema.encode(position), 'from')
  } catch (error) {
    throw new BadArgumentsError({ message: '`from` is no position of a stream', cause: error })
  }
}
