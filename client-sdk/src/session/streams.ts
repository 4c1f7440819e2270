import {
  type Op,
  type OpResult,
  type ServerFrameOf,
  type StreamPosition,
  wholeTxnIndex,
  type Zxid,
} from '@conclave/protocol'
import type { Effect, Ending, StreamItem, StreamStanding } from './effect.js'
import type { OpenStream } from './input.js'

/** A watch stream as the machine knows it. */
export interface Stream<Token> {
  readonly token: Token
  readonly path: string
  readonly recursive: boolean
  readonly withDetail: boolean
  /** After the last thing delivered; null until the server said where the stream starts. */
  position: StreamPosition | null
  /**
   * What the client knew when it first asked for a stream that begins now. When that answer is
   * lost, what the client has done since must be in the stream all the same.
   */
  askedAt: StreamPosition | null
  /**
   * - `live`: asked for on this connection
   * - `detached`: to be asked for on the next connection
   * - `paused`: the consumer is slow; not asked for until it is resumed
   */
  state: 'live' | 'detached' | 'paused'
  isCaughtUp: boolean
  /** When it was last caught up, on earlier connections. */
  currentAtMs: number | null
  /** A fresh one for each `watch` request, so that late frames of an earlier one are known. */
  streamId: number
}

/**
 * Watch streams: where each stands, so that it resumes there on the next connection, and what of
 * the server's frames is still news.
 */
export class Streams<Token> {
  readonly #byToken = new Map<Token, Stream<Token>>()
  readonly #byId = new Map<number, Stream<Token>>()
  readonly #emit: (effect: Effect<Token>) => void
  #lastId = 0
  /** What the server has shown on this connection: caught-up streams stand there. */
  #shown = 0 as Zxid
  #attachedAt = 0 as Zxid
  /** When the last thing that this connection has answered was sent. */
  #confirmedMs: number | null = null
  #ensembleId = ''

  constructor(emit: (effect: Effect<Token>) => void) {
    this.#emit = emit
  }

  get(token: Token): Stream<Token> | undefined {
    return this.#byToken.get(token)
  }

  open({ token, path, recursive, withDetail, from }: OpenStream<Token>): Stream<Token> {
    const stream: Stream<Token> = {
      token,
      path,
      recursive,
      withDetail,
      position: from,
      askedAt: null,
      state: 'detached',
      isCaughtUp: false,
      currentAtMs: null,
      streamId: 0,
    }
    this.#byToken.set(token, stream)
    return stream
  }

  /** The op that asks for the stream where it stands. */
  watchOp(stream: Stream<Token>): Op<'watch'> {
    this.#byId.delete(stream.streamId)
    stream.streamId = ++this.#lastId
    this.#byId.set(stream.streamId, stream)
    stream.isCaughtUp = false
    const { streamId, path, recursive, withDetail, position, askedAt } = stream
    stream.askedAt ??= this.#whole(this.#shown > 0 ? this.#shown : this.#attachedAt)
    return { op: 'watch', streamId, path, recursive, withDetail, from: position ?? askedAt }
  }

  /** @param zxid that the server had applied */
  attached(ensembleId: string, zxid: Zxid): void {
    this.#ensembleId = ensembleId
    this.#attachedAt = zxid
    this.#shown = 0 as Zxid
  }

  /** Those that must be asked for on a new connection. */
  toResume(): readonly Stream<Token>[] {
    return [...this.#byToken.values()].filter(({ state }) => state === 'detached')
  }

  /** The connection is gone: every stream stays where it stands. */
  detached(): void {
    for (const stream of this.#byToken.values()) {
      if (stream.state !== 'live') continue
      this.#stand(stream)
      stream.state = 'detached'
    }
  }

  /** Takes the stream off this connection, where it stands. */
  pause(stream: Stream<Token>): void {
    this.#stand(stream)
    this.#byId.delete(stream.streamId)
    stream.state = 'paused'
  }

  forget(stream: Stream<Token>): void {
    this.#byToken.delete(stream.token)
    this.#byId.delete(stream.streamId)
  }

  /** Every reply and pong moves the streams that have caught up. */
  shown(zxid: Zxid): void {
    if (zxid > this.#shown) this.#shown = zxid
  }

  confirmed(sentMs: number): void {
    this.#confirmedMs = sentMs
  }

  standing(stream: Stream<Token>): StreamStanding {
    const { isCaughtUp } = stream
    const currentAtMs = isCaughtUp ? this.#confirmedMs : stream.currentAtMs
    return { position: this.#position(stream), isCaughtUp, currentAtMs }
  }

  opened(stream: Stream<Token>, { position }: OpResult<'watch'>): void {
    if (stream.position !== null) return
    stream.position = position
    this.#deliver(stream, { item: 'opened', position })
  }

  events({ streamId, events }: ServerFrameOf<'streamEvents'>): void {
    const stream = this.#live(streamId)
    if (stream === null) return
    for (const event of events) {
      if (!this.#isNews(stream, event.zxid, event.index)) continue
      const position = { ensembleId: this.#ensembleId, zxid: event.zxid, index: event.index }
      stream.position = position
      this.#deliver(stream, { item: 'event', event, position })
    }
  }

  gap({ streamId, from, to }: ServerFrameOf<'streamGap'>): void {
    const stream = this.#live(streamId)
    if (stream === null) return
    const position = this.#whole(to)
    stream.position = position
    this.#deliver(stream, { item: 'gap', from, to, position })
  }

  caughtUp({ streamId, zxid }: ServerFrameOf<'streamCaughtUp'>): void {
    const stream = this.#live(streamId)
    if (stream === null) return
    stream.isCaughtUp = true
    const position = this.#isNews(stream, zxid, wholeTxnIndex) ? this.#whole(zxid) : stream.position
    if (position === null) return
    stream.position = position
    this.#deliver(stream, { item: 'caughtUp', position })
  }

  end(stream: Stream<Token>, why: Ending): void {
    const standing = this.standing(stream)
    this.forget(stream)
    this.#deliver(stream, { item: 'ended', why, standing })
  }

  endAll(why: Ending): void {
    for (const stream of this.#byToken.values()) this.end(stream, why)
  }

  #live(streamId: number): Stream<Token> | null {
    const stream = this.#byId.get(streamId)
    return stream === undefined || stream.state !== 'live' ? null : stream
  }

  #position(stream: Stream<Token>): StreamPosition | null {
    const { position, isCaughtUp } = stream
    if (!isCaughtUp || position === null || this.#shown <= position.zxid) return position
    return { ensembleId: this.#ensembleId, zxid: this.#shown, index: wholeTxnIndex }
  }

  /** A position of another ensemble says nothing about this one's zxids. */
  #isNews({ position }: Stream<Token>, zxid: Zxid, index: number): boolean {
    if (position === null || position.ensembleId !== this.#ensembleId) return true
    return zxid > position.zxid || (zxid === position.zxid && index > position.index)
  }

  #stand(stream: Stream<Token>): void {
    const { position, currentAtMs } = this.standing(stream)
    stream.position = position
    stream.currentAtMs = currentAtMs
    stream.isCaughtUp = false
  }

  #whole(zxid: Zxid): StreamPosition {
    return { ensembleId: this.#ensembleId, zxid, index: wholeTxnIndex }
  }

  #deliver(stream: Stream<Token>, item: StreamItem): void {
    this.#emit({ effect: 'stream', token: stream.token, item })
  }
}
