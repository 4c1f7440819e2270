import type { Identity, Op, ServerFrameOf, StreamEvent } from '@conclave/protocol'
import { grants } from './access.js'
import { agree, Disagreement, same } from './disagreement.js'
import { isBelow } from './paths.js'
import type { ModelEvent, Plain, State } from './tree.js'

type StreamFrame =
  | ServerFrameOf<'streamEvents'>
  | ServerFrameOf<'streamGap'>
  | ServerFrameOf<'streamCaughtUp'>

interface Next {
  readonly zxid: number
  readonly index: number
  readonly event: ModelEvent
}

/** One open stream: it must say all that it may see after its position, and nothing else. */
export class ModelStream {
  readonly #op: Op<'watch'>
  readonly #states: readonly State[]
  #isCaughtUp = false
  #needsGap: boolean
  readonly #fromZxid: number
  #zxid: number
  #index: number

  constructor(
    op: Op<'watch'>,
    states: readonly State[],
    start: { readonly zxid: number; readonly index: number; readonly gapFrom: number | null },
  ) {
    this.#op = op
    this.#states = states
    this.#needsGap = start.gapFrom !== null
    this.#fromZxid = start.gapFrom ?? 0
    this.#zxid = start.zxid
    this.#index = start.index
  }

  /** A frame of this stream; `zxid` is the newest state it may tell of. */
  take(frame: StreamFrame, identities: readonly Identity[]): string[] {
    const newest = this.#states.length - 1
    switch (frame.frame) {
      case 'streamGap':
        this.#gap(frame)
        return ['stream gap']
      case 'streamCaughtUp':
        agree(!this.#isCaughtUp, () => `stream ${frame.streamId} is caught up a second time`)
        agree(frame.zxid <= newest, () => `stream ${frame.streamId} is caught up with the future`)
        this.#isCaughtUp = true
        this.#complete(frame.zxid, identities)
        return ['stream caughtUp']
      case 'streamEvents':
        return frame.events.map((event) => {
          this.#event(event, identities)
          return `stream ${event.type}${this.#isCaughtUp ? '' : ' replayed'}`
        })
      default:
        return frame satisfies never
    }
  }

  /** A reply shows state `zxid`: a stream that is caught up has told all up to it, and no more. */
  barrier(zxid: number, identities: readonly Identity[]): void {
    if (!this.#isCaughtUp) return
    agree(this.#zxid <= zxid, () => `stream ${this.#op.streamId} is ahead of the reply at ${zxid}`)
    this.#complete(zxid, identities)
  }

  /** Nothing is left to do for the server. */
  rest(identities: readonly Identity[]): void {
    agree(this.#isCaughtUp, () => `stream ${this.#op.streamId} was not caught up`)
    this.barrier(this.#states.length - 1, identities)
  }

  #gap({ streamId, from, to }: ServerFrameOf<'streamGap'>): void {
    agree(this.#needsGap, () => `stream ${streamId} has a gap ${from}..${to} without a reason`)
    same(from, this.#fromZxid, `stream ${streamId}: where the gap begins`)
    agree(to < this.#states.length, () => `stream ${streamId} has a gap that ends in the future`)
    this.#needsGap = false
    this.#zxid = to
    this.#index = Number.MAX_SAFE_INTEGER
  }

  #event(event: StreamEvent, identities: readonly Identity[]): void {
    const { streamId, withDetail } = this.#op
    agree(!this.#needsGap, () => `stream ${streamId} has no gap where history is gone`)
    const next = this.#next(identities)
    const expected: Plain<StreamEvent> | null = next && {
      type: next.event.type,
      zxid: next.zxid,
      index: next.index,
      path: next.event.path,
      detail: withDetail ? (next.event.detail as StreamEvent['detail']) : null,
    }
    same(event, expected, `stream ${streamId}: event`)
    this.#zxid = event.zxid
    this.#index = event.index
  }

  #complete(zxid: number, identities: readonly Identity[]): void {
    const { streamId } = this.#op
    agree(!this.#needsGap, () => `stream ${streamId} has no gap where history is gone`)
    const next = this.#next(identities)
    if (next !== null && next.zxid <= zxid) {
      const { type, path } = next.event
      throw new Disagreement(
        `stream ${streamId} at ${zxid} has not told ${next.zxid} ${type} ${path}`,
      )
    }
    if (zxid < this.#zxid) return
    this.#zxid = zxid
    this.#index = Number.MAX_SAFE_INTEGER
  }

  #next(identities: readonly Identity[]): Next | null {
    for (let zxid = Math.max(this.#zxid, 0); zxid < this.#states.length; zxid++) {
      for (const [index, event] of (this.#states[zxid]?.events ?? []).entries()) {
        if (zxid === this.#zxid && index <= this.#index) continue
        if (this.#isOf(event) && grants(event.acl, identities, 'read'))
          return { zxid, index, event }
      }
    }
    return null
  }

  #isOf({ type, path }: ModelEvent): boolean {
    if (!this.#op.recursive) return path === this.#op.path
    return type !== 'childrenChanged' && (path === this.#op.path || isBelow(path, this.#op.path))
  }
}
