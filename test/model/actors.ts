import {
  decodeResult,
  isWrite,
  type Op,
  type OpResult,
  type ServerFrame,
  type StreamPosition,
  type Zxid,
} from '@conclave/protocol'
import type { ModelConnection } from './connections.js'

interface OpenStream {
  readonly op: Op<'watch'>
  position: StreamPosition
  isCaughtUp: boolean
}

/** A client as docs/PROTOCOL.md wants it, as far as a script needs one. */
export class Actor {
  readonly name: string
  nonce: Uint8Array
  sessionId = 0
  ensembleId = ''
  attach = 0
  xid = 0
  ackedXid = 0
  refusedSeen = 0
  lastZxidSeen = 0
  isOver = false
  /** Its newest connection. */
  line: { readonly id: number; readonly model: ModelConnection } | null = null
  readonly sent = new Map<number, Op>()
  readonly unanswered = new Map<number, Op>()
  readonly users = new Map<string, Op<'auth'>>()
  readonly streams = new Map<number, OpenStream>()
  readonly cursors = new Map<string, Uint8Array>()
  /** What the watches of the lost connection waited for. */
  lost: Pick<Op<'rearmWatches'>, 'fromZxid' | 'data' | 'exists' | 'child'> | null = null

  constructor(name: string, nonce: Uint8Array) {
    this.name = name
    this.nonce = nonce
  }

  get isAttached(): boolean {
    return this.line !== null && this.line.model.greeting === null && this.sessionId !== 0
  }

  /** The highest xid up to which everything is settled. */
  get settledXid(): number {
    return Math.min(this.xid, ...[...this.unanswered.keys()].map((xid) => xid - 1))
  }

  sends(xid: number, op: Op): void {
    this.xid = Math.max(this.xid, xid)
    this.sent.set(xid, op)
    if (xid > this.ackedXid) this.unanswered.set(xid, op)
  }

  /** The connection is gone: what it waited for is kept for the next. */
  loses(exists: (path: string) => boolean): void {
    const watches = [...(this.line?.model.watches ?? [])]
    const paths = (kind: string) =>
      watches.filter((one) => one.startsWith(kind)).map((one) => one.slice(kind.length + 1))
    this.lost ??= {
      fromZxid: this.lastZxidSeen as Zxid,
      data: paths('data').filter(exists),
      exists: paths('data').filter((path) => !exists(path)),
      child: paths('child'),
    }
    this.line = null
    this.refusedSeen = 0
    for (const [xid, op] of this.unanswered) if (!isWrite(op)) this.unanswered.delete(xid)
    for (const stream of this.streams.values()) stream.isCaughtUp = false
  }

  hears(frame: ServerFrame): void {
    if ('zxid' in frame) this.#sees(frame.zxid)
    switch (frame.frame) {
      case 'connected':
        this.sessionId = frame.sessionId
        this.ensembleId = frame.ensembleId
        return
      case 'reply':
        return this.#answered(frame)
      case 'streamEvents': {
        const last = frame.events.at(-1)
        if (last !== undefined) this.#moves(frame.streamId, last.zxid, last.index)
        return
      }
      case 'streamGap':
        return this.#moves(frame.streamId, frame.to, Number.MAX_SAFE_INTEGER)
      case 'streamCaughtUp': {
        this.#moves(frame.streamId, frame.zxid, Number.MAX_SAFE_INTEGER)
        const stream = this.streams.get(frame.streamId)
        if (stream !== undefined) stream.isCaughtUp = true
        return
      }
      case 'sessionExpired':
        this.isOver = true
        return
      default:
        return
    }
  }

  #sees(zxid: Zxid): void {
    this.lastZxidSeen = Math.max(this.lastZxidSeen, zxid)
  }

  #moves(streamId: number, zxid: Zxid, index: number): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) stream.position = { ensembleId: this.ensembleId, zxid, index }
    this.#sees(zxid)
  }

  #answered({ xid, zxid, failure, result }: Extract<ServerFrame, { frame: 'reply' }>): void {
    const op = this.sent.get(xid)
    this.unanswered.delete(xid)
    for (const [streamId, { isCaughtUp }] of this.streams) {
      if (isCaughtUp) this.#moves(streamId, zxid, Number.MAX_SAFE_INTEGER)
    }
    if (failure !== null) {
      const isTransient = failure.code === 'throttled' || failure.code === 'noSpace'
      if (isTransient) this.refusedSeen = Math.max(this.refusedSeen, xid)
    } else if (op?.op === 'auth') this.users.set(op.user, op)
    else if (op?.op === 'unwatch') this.streams.delete(op.streamId)
    else if (op?.op === 'closeSession') this.isOver = true
    else if (op?.op === 'rearmWatches') this.lost = null
    else if (op?.op === 'watch') {
      const { position } = decodeResult('watch', result) as OpResult<'watch'>
      this.streams.set(op.streamId, { op, position, isCaughtUp: false })
    } else if (op?.op === 'getChildren') {
      const { cursor } = decodeResult('getChildren', result) as OpResult<'getChildren'>
      if (cursor !== null) this.cursors.set(op.path, cursor)
    }
  }
}
