import {
  type ClientFrame,
  decodeResult,
  type Failure,
  limits,
  type Op,
  type OpName,
  type OpResult,
  type ServerFrame,
  type ServerFrameOf,
  type ServerId,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import type { HardState, SnapshotEntry, SnapshotHeader, Txn } from '@conclave/protocol/peer'
import type { ReplicaConfig } from '#server/core/config.js'
import type { Effect, ReadLog, SnapshotView } from '#server/core/effect.js'
import type { ConnectionId, Input } from '#server/core/input.js'
import { Recovery } from '#server/core/recovery.js'
import { Replica } from '#server/core/replica.js'
import { txnBytes } from '#server/core/txn-bytes.js'
import { txnPacker } from '#server/runtime/txn-codec.js'

/**
 * One real replica with a disk and a clock made of plain variables. Everything happens in the
 * test's own turn: `run` steps and drains until nothing is left to do.
 */
export class ReplicaKit {
  readonly config: ReplicaConfig
  replica: Replica
  nowMs = 1_000
  wallMs = 1_700_000_000_000
  /** What is durable: as storage would have it. */
  log: Txn[] = []
  hardState: HardState | null = null
  commit = 0 as Zxid
  snapshot: { header: SnapshotHeader; entries: SnapshotEntry[] } | null = null
  /** Every effect that is not carried out by the kit. */
  readonly effects: Effect[] = []
  readonly frames = new Map<ConnectionId, ServerFrame[]>()
  readonly closed = new Map<ConnectionId, string>()
  /** While true, nothing becomes durable. */
  isDiskHeld = false
  readonly #held: Extract<Effect, { effect: 'persist' }>[] = []
  /** While true, no piece of the log is read. */
  isLogHeld = false
  /** What was asked for and waits. */
  readonly heldReads: ReadLog[] = []
  #connections = 0

  constructor(config: Partial<ReplicaConfig> = {}) {
    this.config = { ...defaultConfig, ...config }
    this.replica = this.#recover()
    this.settle()
  }

  /** Ticks until the server leads. */
  settle(): void {
    for (let i = 0; i < 20 && this.replica.status.role !== 'leading'; i++) this.tick()
  }

  step(...inputs: readonly Input[]): void {
    for (const input of inputs) this.replica.step(input)
    this.run()
  }

  /** Drains until there is nothing more to do. */
  run(): void {
    for (let again = true; again;) {
      again = false
      for (const effect of this.replica.drain()) again = this.#carryOut(effect) || again
    }
  }

  tick(count = 1, tickMs: number = limits.tickMs): void {
    for (let i = 0; i < count; i++) {
      this.nowMs += tickMs
      this.wallMs += tickMs
      this.step({ input: 'tick', nowMs: this.nowMs, wallMs: this.wallMs })
    }
  }

  /** What is to be written and is held. */
  get heldTxns(): readonly Txn[] {
    return this.#held.flatMap(({ txns }) => txns)
  }

  /** Makes durable what is held, or the first of it; the disk goes on once nothing is left. */
  releaseDisk(writes = this.#held.length): void {
    const released = this.#held.splice(0, writes)
    this.isDiskHeld = this.#held.length > 0
    for (const persist of released) this.#write(persist)
    this.run()
  }

  /** Answers the first `count` of the reads that wait. */
  releaseReads(count = this.heldReads.length): void {
    for (const read of this.heldReads.splice(0, count)) this.#read(read)
    this.run()
  }

  /** The log on the disk begins later from now on. */
  purgeLog(through: number): void {
    this.log = this.log.filter(({ zxid }) => zxid > through)
  }

  /** Dies and starts again from what was durable. */
  restart(): void {
    this.#held.length = 0
    this.isDiskHeld = false
    this.heldReads.length = 0
    this.isLogHeld = false
    this.frames.clear()
    this.closed.clear()
    this.replica = this.#recover()
    this.settle()
  }

  open(address = '127.0.0.1'): ClientKit {
    this.#connections += 1
    const connection = this.#connections as ConnectionId
    this.frames.set(connection, [])
    this.step({ input: 'clientOpened', connection, address })
    return new ClientKit(this, connection)
  }

  /** A connection with a session of its own. */
  client(options: ConnectOptions = {}): ClientKit {
    const client = this.open()
    client.connect(options)
    return client
  }

  #carryOut(effect: Effect): boolean {
    switch (effect.effect) {
      case 'persist':
        if (this.isDiskHeld) {
          this.#held.push(effect)
          return false
        }
        this.#write(effect)
        return true
      case 'sendClient':
        this.frames.get(effect.connection)?.push(...effect.frames)
        return false
      case 'closeClient':
        this.closed.set(effect.connection, effect.reason)
        this.replica.step({ input: 'clientLost', connection: effect.connection })
        return true
      case 'readLog':
        if (this.isLogHeld) {
          this.heldReads.push(effect)
          return false
        }
        this.#read(effect)
        return true
      case 'hash':
        this.replica.step({ input: 'hashed', ticket: effect.ticket, hash: fakeHash(effect) })
        return true
      case 'saveSnapshot':
        this.#save(effect.view)
        return true
      case 'again':
        return true
      // The rest is for the test to look at.
      default:
        this.effects.push(effect)
        return false
    }
  }

  #write({
    ticket,
    truncateAfter,
    txns,
    commit,
    hardState,
  }: Extract<Effect, { effect: 'persist' }>): void {
    if (truncateAfter !== null) this.log = this.log.filter(({ zxid }) => zxid <= truncateAfter)
    this.log.push(...txns)
    this.commit = commit
    if (hardState !== null) this.hardState = hardState
    this.replica.step({ input: 'persisted', ticket })
  }

  #read({ ticket, after, through, bytesMax }: ReadLog): void {
    let bytes = 0
    const first = this.log.findIndex(({ zxid }) => zxid === after + 1)
    const end = this.log.findIndex((txn, i) => {
      if (i >= first) bytes += txnBytes(txn)
      return txn.zxid === through || bytes >= bytesMax
    })
    const txns = first < 0 ? null : this.log.slice(first, end + 1)
    this.replica.step({ input: 'logPiece', ticket, txns })
  }

  #save(view: SnapshotView): void {
    const entries: SnapshotEntry[] = []
    for (let piece = view.next(7); piece.length > 0; piece = view.next(7)) entries.push(...piece)
    view.close()
    this.snapshot = { header: view.header, entries }
    this.replica.step({ input: 'snapshotEnded', zxid: view.header.zxid })
  }

  #recover(): Replica {
    const recovery = new Recovery(this.config)
    if (this.snapshot !== null) {
      recovery.snapshot(this.snapshot.header)
      for (const entry of this.snapshot.entries) recovery.entry(entry)
      recovery.snapshotEnd()
    }
    for (const txn of this.log) recovery.txn(txn)
    const { hardState, commit } = this
    const epochs = this.snapshot?.header.epochs ?? []
    const starts = new Map(epochs.map((start) => [start.epoch, start]))
    for (const { epoch, zxid } of this.log) {
      if (!starts.has(epoch)) starts.set(epoch, { epoch, firstZxid: zxid })
    }
    return new Replica(
      this.config,
      recovery.finish({ hardState, epochs: [...starts.values()], commit }),
    )
  }
}

export interface ConnectOptions {
  readonly sessionId?: SessionId
  readonly nonce?: Uint8Array
  readonly attach?: number
  readonly sessionTimeoutMs?: number
  readonly lastZxidSeen?: Zxid
  readonly ensembleId?: string | null
  readonly ackedXid?: Xid
  readonly version?: number
}

/** One connection, spoken to in frames. */
export class ClientKit {
  readonly kit: ReplicaKit
  readonly connection: ConnectionId
  nonce: Uint8Array = new Uint8Array(32)
  sessionId = 0 as SessionId
  xid = 0
  ackedXid = 0 as Xid
  refusedSeen = 0 as Xid

  constructor(kit: ReplicaKit, connection: ConnectionId) {
    this.kit = kit
    this.connection = connection
    nonces += 1
    this.nonce.set([nonces >> 8, nonces & 255])
  }

  /** All frames that came, in order; taken. */
  take(): ServerFrame[] {
    return this.kit.frames.get(this.connection)?.splice(0) ?? []
  }

  get closed(): string | undefined {
    return this.kit.closed.get(this.connection)
  }

  frame(frame: ClientFrame, bytes = 100): void {
    this.kit.step({ input: 'clientFrame', connection: this.connection, frame, bytes })
  }

  /** @returns the answer to the connect, taken from the frames */
  connect(options: ConnectOptions = {}): ServerFrame | undefined {
    this.frame({
      frame: 'connect',
      version: options.version ?? 1,
      sessionId: options.sessionId ?? (0 as SessionId),
      nonce: options.nonce ?? this.nonce,
      attach: options.attach ?? 1,
      sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
      lastZxidSeen: options.lastZxidSeen ?? (0 as Zxid),
      ensembleId: options.ensembleId ?? null,
      ackedXid: options.ackedXid ?? (0 as Xid),
    })
    if (options.nonce !== undefined) this.nonce = options.nonce
    const answer = this.take().at(0)
    if (answer?.frame === 'connected') this.sessionId = answer.sessionId
    return answer
  }

  /** Sends without looking for the reply. @returns its xid */
  send(op: Op, xid?: number): Xid {
    const used = (xid ?? this.xid + 1) as Xid
    this.xid = Math.max(this.xid, used)
    const { ackedXid, refusedSeen } = this
    this.frame({ frame: 'request', xid: used, ackedXid, refusedSeen, op })
    return used
  }

  /** Sends, and takes all frames up to and including the reply. */
  reply(op: Op, xid?: number): ServerFrameOf<'reply'> {
    const used = this.send(op, xid)
    const frames = this.take()
    const reply = frames.find(
      (frame): frame is ServerFrameOf<'reply'> => frame.frame === 'reply' && frame.xid === used,
    )
    if (reply === undefined) throw new Error(`no reply to ${op.op}: ${JSON.stringify(frames)}`)
    this.kit.frames.get(this.connection)?.push(...frames.filter((frame) => frame !== reply))
    return reply
  }

  /** Sends, and expects success. */
  ok<N extends OpName>(op: Op<N>): OpResult<N> {
    const { failure, result } = this.reply(op as Op)
    if (failure !== null) throw new Error(`${op.op} was refused: ${JSON.stringify(failure)}`)
    return decodeResult(op.op as N, result)
  }

  /** Sends, and expects a refusal. */
  refused(op: Op): Failure {
    const { failure } = this.reply(op)
    if (failure === null) throw new Error(`${op.op} was not refused`)
    return failure
  }

  code(op: Op): string | null {
    return this.reply(op).failure?.code ?? null
  }

  create(path: string, options: Partial<Op<'create'>> = {}): OpResult<'create'> {
    return this.ok(create(path, options))
  }

  stat(path: string): OpResult<'exists'>['stat'] {
    return this.ok({ op: 'exists', path, watch: false, linearizable: false }).stat
  }
}

export const create = (path: string, options: Partial<Op<'create'>> = {}): Op<'create'> => ({
  op: 'create',
  path,
  data: null,
  kind: 'persistent',
  acl: null,
  ttlMs: 0,
  ...options,
})

export const remove = (path: string, version = -1): Op<'delete'> => ({
  op: 'delete',
  path,
  version,
})

export const setData = (path: string, data: Uint8Array | null, version = -1): Op<'setData'> => ({
  op: 'setData',
  path,
  data,
  version,
})

export const getData = (path: string, watch = false): Op<'getData'> => ({
  op: 'getData',
  path,
  watch,
  linearizable: false,
})

export const getChildren = (
  path: string,
  options: Partial<Op<'getChildren'>> = {},
): Op<'getChildren'> => ({
  op: 'getChildren',
  path,
  watch: false,
  linearizable: false,
  cursor: null,
  limit: 0,
  withStat: false,
  ...options,
})

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

let nonces = 0

export const defaultConfig: ReplicaConfig = {
  serverId: 1 as ServerId,
  voters: [1 as ServerId],
  observers: [],
  bootstrap: false,
  newEnsembleId: 'ensemble-of-the-tests',
  historyBytesMax: limits.historyBytesDefault,
  packer: txnPacker,
  snapshotTxns: 1_000_000,
  sessionTimeoutMsMin: limits.sessionTimeoutMsMin,
  sessionTimeoutMsMax: limits.sessionTimeoutMsMax,
}

/** In place of scrypt. */
const fakeHash = ({ user, password }: EffectOf<'hash'>): string =>
  Buffer.from(`${user}/${password}`).toString('hex').padEnd(64, '0').slice(0, 64)

type EffectOf<N extends Effect['effect']> = Extract<Effect, { effect: N }>
