import {
  allows,
  type Failure,
  failure,
  type Identity,
  limits,
  nextZxid,
  type Op,
  type ServerFrame,
  type StreamEvent,
  type StreamPosition,
  type WatchKind,
  wholeTxnIndex,
  type Zxid,
  zxidZero,
} from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import type { ConnectionId } from '../input.js'
import type { LogReads } from '../log-reads.js'
import { eventsOf, isAfter, type TreeEvent } from '../watch/events.js'
import type { History } from '../watch/history.js'
import { covers, type Stream, StreamTable } from '../watch/stream-table.js'
import { WatchTable } from '../watch/watch-table.js'
import { isFailure } from './prepare-change.js'
import { type Reader, readable } from './read.js'
import type { ReplicatedState } from './replicated-state.js'
import type { TurnBudget } from './turn-budget.js'

/** Those who watch, as the connections know them. */
export interface Audience {
  identities(connection: ConnectionId): readonly Identity[]
  send(connection: ConnectionId, frame: ServerFrame): void
  sendStreamEvent(connection: ConnectionId, streamId: number, event: StreamEvent): void
  /** False while more waits to be sent to it than a replay may add to. */
  isReady(connection: ConnectionId): boolean
}

/** Turns what happened into events for one-shot watchers and streams. */
export class Watching {
  readonly #state: ReplicatedState
  readonly #history: History
  readonly #logReads: LogReads
  readonly #audience: Audience
  readonly #watches = new WatchTable()
  readonly #streams = new StreamTable()

  constructor(state: ReplicatedState, history: History, logReads: LogReads, audience: Audience) {
    this.#state = state
    this.#history = history
    this.#logReads = logReads
    this.#audience = audience
  }

  get watches(): number {
    return this.#watches.size
  }

  get streams(): number {
    return this.#streams.size
  }

  /** True when a stream still has history to read and its connection can take it. */
  get isReplaying(): boolean {
    for (const { connection } of this.#streams.replaying) {
      if (this.#audience.isReady(connection)) return true
    }
    return false
  }

  trigger(txn: Txn): void {
    if (this.#watches.size === 0 && this.#streams.size === 0) return
    for (const event of eventsOf(txn)) {
      this.#fire(event, txn.zxid)
      for (const stream of this.#streams.liveAt(event.path)) this.#tell(stream, txn.zxid, event)
    }
  }

  /** @returns a refusal when the connection has too many */
  add(kind: WatchKind, path: string, connection: ConnectionId): Failure | null {
    return this.#watches.add(kind, path, connection) ? null : tooManyWatches
  }

  removeWatches(op: Op<'removeWatches'>, connection: ConnectionId): Failure | null {
    const kinds = op.kind === 'any' ? (['data', 'child'] as const) : [op.kind]
    const removed = kinds.filter((kind) => this.#watches.remove(kind, op.path, connection))
    return removed.length > 0 ? null : failure('noWatcher', `there is no watch of ${op.path}`)
  }

  /** Sets watches again as of `fromZxid`: those that something happened to since fire at once. */
  rearm(op: Op<'rearmWatches'>, connection: ConnectionId, budget: TurnBudget): Failure | null {
    const data = new Set([...op.data, ...op.exists])
    const child = new Set(op.child)
    if (data.size + child.size > this.#watches.room(connection)) return tooManyWatches
    budget.spend(data.size + child.size)
    for (const path of data) this.#watches.add('data', path, connection)
    for (const path of child) this.#watches.add('child', path, connection)
    const named = (path: string, kinds: readonly WatchKind[]): readonly WatchKind[] =>
      kinds.filter((kind) => (kind === 'data' ? data : child).has(path))
    if (this.#reaches(op.fromZxid) && this.#lag(op.fromZxid) <= rearmTxnsMax) {
      budget.spend(this.#lag(op.fromZxid))
      this.#rearmByHistory(op.fromZxid, named, connection)
    } else {
      this.#rearmByStats(op, named, connection)
    }
    return null
  }

  /** @returns where the stream begins; what it has to say comes with the next {@link replay} */
  open(op: Op<'watch'>, reader: Reader, connection: ConnectionId): StreamPosition | Failure {
    if (this.#streams.get(connection, op.streamId) !== undefined) {
      return failure('badArguments', `the stream ${op.streamId} is open already`)
    }
    const root = readable(reader, op.path)
    if (isFailure(root) && root.code === 'noAuth') return root
    const { streamId, path, recursive, withDetail, from } = op
    const position = from ?? this.#now()
    const gapFrom = from !== null && this.#isOfAnotherHistory(from) ? zxidZero : null
    const wanted = { connection, streamId, path, recursive, withDetail }
    if (!this.#streams.add({ ...wanted, position, gapFrom, reading: null })) {
      return failure(
        'tooLarge',
        `a connection has at most ${limits.streamsPerConnectionMax} streams`,
      )
    }
    return position
  }

  close(streamId: number, connection: ConnectionId): void {
    const stream = this.#streams.get(connection, streamId)
    if (stream !== undefined) this.#streams.remove(stream)
  }

  forget(connection: ConnectionId): void {
    this.#watches.forget(connection)
    this.#streams.forget(connection)
  }

  /** Reads on in history for the streams that are behind, a bounded piece each. */
  replay(): void {
    for (const stream of this.#streams.replaying) {
      if (this.#audience.isReady(stream.connection)) this.#replayPiece(stream)
    }
  }

  #fire(event: TreeEvent, zxid: Zxid): void {
    const told = new Set<ConnectionId>()
    for (const kind of event.kinds) {
      for (const connection of this.#watches.watchers(kind, event.path)) {
        if (!allows(event.acl, 'read', this.#audience.identities(connection))) continue
        this.#watches.remove(kind, event.path, connection)
        if (told.has(connection)) continue
        told.add(connection)
        const { type, path } = event
        this.#audience.send(connection, { frame: 'event', zxid, kind, type, path })
      }
    }
  }

  #tell(stream: Stream, zxid: Zxid, event: TreeEvent): void {
    const { connection, streamId, recursive, withDetail } = stream
    const { type, index, path } = event
    if (recursive && type === 'childrenChanged') return
    if (!allows(event.acl, 'read', this.#audience.identities(connection))) return
    const detail = withDetail ? event.detail : null
    this.#audience.sendStreamEvent(connection, streamId, { type, zxid, index, path, detail })
  }

  #isOfAnotherHistory(from: StreamPosition): boolean {
    const { ensembleId, lastApplied } = this.#state
    return from.ensembleId !== ensembleId || from.zxid > lastApplied.zxid
  }

  /** True when every txn after `zxid` is in memory. */
  #reaches(zxid: Zxid): boolean {
    const { firstZxid } = this.#history
    return this.#lag(zxid) <= 0 || (firstZxid > 0 && firstZxid <= zxid + 1)
  }

  #lag(zxid: Zxid): number {
    return this.#state.lastApplied.zxid - zxid
  }

  #now(): StreamPosition {
    const { ensembleId, lastApplied } = this.#state
    return { ensembleId: ensembleId ?? '', zxid: lastApplied.zxid, index: wholeTxnIndex }
  }

  #replayPiece(stream: Stream): void {
    if (stream.gapFrom !== null) return this.#gap(stream, stream.gapFrom)
    const { zxid: last } = this.#state.lastApplied
    const next = nextZxidFor(stream)
    const end = Math.min(last, next + replayTxnsPerPiece - 1) as Zxid
    if (next <= last && this.#history.get(next) === undefined) return this.#readLog(stream, next)
    this.#tellOf(stream, this.#remembered(next, end))
    if (nextZxidFor(stream) > last) this.#finish(stream)
  }

  *#remembered(from: Zxid, to: Zxid): Generator<Txn> {
    for (let zxid = from; zxid <= to; zxid = nextZxid(zxid)) {
      const txn = this.#history.get(zxid)
      if (txn !== undefined) yield txn
    }
  }

  /** Memory does not reach back so far: a piece comes from the disk. */
  #readLog(stream: Stream, next: Zxid): void {
    const reading = this.#logReads.read((next - 1) as Zxid, (txns) => {
      this.#streams.goesOn(stream)
      if (txns === null) this.#gap(stream, stream.position.zxid)
      else this.#tellOf(stream, txns)
    })
    this.#streams.waits(stream, reading)
  }

  /** What the stream is not told now is read again, once its connection can take it. */
  #tellOf(stream: Stream, txns: Iterable<Txn>): void {
    for (const txn of txns) {
      for (const event of eventsOf(txn)) {
        const isNew = isAfter({ zxid: txn.zxid, index: event.index }, stream.position)
        if (isNew && covers(stream, event.path)) this.#tell(stream, txn.zxid, event)
      }
      stream.position = { zxid: txn.zxid, index: wholeTxnIndex }
      // A few large events may be more than a connection should be given at once.
      if (!this.#audience.isReady(stream.connection)) return
    }
  }

  /** What happened after `from` is not known any more. */
  #gap(stream: Stream, from: Zxid): void {
    const { connection, streamId } = stream
    const { zxid: to } = this.#state.lastApplied
    this.#audience.send(connection, { frame: 'streamGap', streamId, from, to })
    this.#finish(stream)
  }

  #finish(stream: Stream): void {
    this.#streams.caughtUp(stream)
    this.#sayCaughtUp(stream)
  }

  #sayCaughtUp({ connection, streamId }: Stream): void {
    const { zxid } = this.#state.lastApplied
    this.#audience.send(connection, { frame: 'streamCaughtUp', streamId, zxid })
  }

  #rearmByHistory(from: Zxid, named: Named, connection: ConnectionId): void {
    const { zxid: last } = this.#state.lastApplied
    for (let zxid = from + 1; zxid <= last; zxid++) {
      const txn = this.#history.get(zxid as Zxid)
      if (txn === undefined) continue
      for (const event of eventsOf(txn)) {
        const kinds = named(event.path, event.kinds)
        if (kinds.length > 0) this.#fireTo(connection, kinds, { ...event, zxid: txn.zxid })
      }
    }
  }

  #rearmByStats(op: Op<'rearmWatches'>, named: Named, connection: ConnectionId): void {
    const { tree, lastApplied } = this.#state
    const { fromZxid } = op
    const due: { kinds: readonly WatchKind[]; event: SeenEvent }[] = []
    const add = (kinds: readonly WatchKind[], event: SeenEvent): void => {
      due.push({ kinds, event })
    }
    const gone = (path: string): void =>
      add(named(path, ['data', 'child']), {
        type: 'deleted',
        path,
        zxid: lastApplied.zxid,
        acl: null,
      })
    for (const path of op.data) {
      const znode = tree.get(path)
      if (znode === undefined) gone(path)
      else if (znode.mzxid > fromZxid) {
        add(['data'], { type: 'dataChanged', path, zxid: znode.mzxid, acl: znode.acl })
      }
    }
    for (const path of op.exists) {
      const znode = tree.get(path)
      if (znode === undefined) continue
      add(['data'], { type: 'created', path, zxid: znode.czxid, acl: znode.acl })
    }
    for (const path of op.child) {
      const znode = tree.get(path)
      if (znode === undefined) gone(path)
      else if (znode.pzxid > fromZxid) {
        add(['child'], { type: 'childrenChanged', path, zxid: znode.pzxid, acl: znode.acl })
      }
    }
    due.sort((a, b) => a.event.zxid - b.event.zxid)
    for (const { kinds, event } of due) this.#fireTo(connection, kinds, event)
  }

  /** Fires those of one connection's watches that are still armed. */
  #fireTo(connection: ConnectionId, kinds: readonly WatchKind[], event: SeenEvent): void {
    const { type, path, zxid, acl } = event
    if (!allows(acl, 'read', this.#audience.identities(connection))) return
    const fired = kinds.filter((kind) => this.#watches.remove(kind, path, connection))
    const [kind] = fired
    if (kind !== undefined)
      this.#audience.send(connection, { frame: 'event', zxid, kind, type, path })
  }
}

/** The first txn that it may not have seen all events of. */
const nextZxidFor = ({ position: { zxid, index } }: Stream): Zxid =>
  index === wholeTxnIndex || zxid === 0 ? nextZxid(zxid) : zxid

const tooManyWatches = failure(
  'tooLarge',
  `a connection has at most ${limits.watchesPerConnectionMax} watches`,
)

/** Keeps one step short: beyond this many txns the stats decide. */
const rearmTxnsMax = 100_000
const replayTxnsPerPiece = 1_000

/** Those of the kinds of watch that a rearmWatches asks for on the path. */
type Named = (path: string, kinds: readonly WatchKind[]) => readonly WatchKind[]

type SeenEvent = Pick<TreeEvent, 'type' | 'path' | 'acl'> & { readonly zxid: Zxid }
