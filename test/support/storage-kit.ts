import type { Epoch, LogPosition, ServerId, SessionId, Xid, Zxid } from '@conclave/protocol'
import type { HardState, SnapshotEntry, SnapshotHeader, Txn } from '@conclave/protocol/peer'
import type { Persist, SnapshotView, StoreSnapshot } from '#server/core/effect.js'
import type { SnapshotTicket, Ticket } from '#server/core/input.js'
import type { RecoveryVisitor } from '#server/core/recovery-visitor.js'
import {
  type OpenedStorage,
  openStorage,
  type Recovered,
  type Storage,
  type StorageOptions,
} from '#server/runtime/storage/index.js'
import {
  encodeEntriesChunk,
  encodeFooterChunk,
  encodeHeaderChunk,
} from '#server/runtime/storage/snapshot-format.js'
import type { VirtualDisk } from './virtual-disk.js'

export const directory = '/data'

/** A txn of about `bytes` bytes, told from others of its zxid by its time. */
export const txnAt = (zxid: number, epoch = 1, timeMs = 0, bytes = 16): Txn => ({
  zxid: zxid as Zxid,
  epoch: epoch as Epoch,
  timeMs,
  sessionId: 0 as SessionId,
  xid: 0 as Xid,
  ackedXid: 0 as Xid,
  body: { body: 'error', code: 'noNode', message: 'x'.repeat(bytes), index: null },
})

export const txnsAt = (from: number, to: number, epoch = 1, bytes = 16): readonly Txn[] =>
  Array.from({ length: to - from + 1 }, (_, index) => txnAt(from + index, epoch, 0, bytes))

export const hardStateAt = (epoch: number): HardState => ({
  acceptedEpoch: epoch as Epoch,
  acceptedFrom: 1 as ServerId,
  currentEpoch: epoch as Epoch,
  ensembleId: 'ensemble',
  serverId: 1 as ServerId,
  voters: [1 as ServerId],
  rejoining: false,
  generation: 0,
})

export interface PersistParts {
  readonly truncateAfter?: number
  readonly txns?: readonly Txn[]
  readonly commit?: number
  readonly hardState?: HardState
}

export const persistOf = (parts: PersistParts, ticket = 0): Persist => ({
  effect: 'persist',
  ticket: ticket as Ticket,
  truncateAfter: (parts.truncateAfter ?? null) as Zxid | null,
  txns: parts.txns ?? [],
  commit: (parts.commit ?? 0) as Zxid,
  hardState: parts.hardState ?? null,
})

export const persist = (storage: Storage, parts: PersistParts): Promise<void> =>
  new Promise((resolve) => storage.persist(persistOf(parts), resolve))

/** What a directory held when it was opened. */
export interface Reading extends Recovered {
  readonly snapshot: SnapshotHeader | null
  readonly entries: readonly SnapshotEntry[]
  readonly txns: readonly Txn[]
  /** The calls in their order, each kind named once for a run. */
  readonly order: readonly string[]
}

export class ReadingVisitor implements RecoveryVisitor {
  header: SnapshotHeader | null = null
  readonly entries: SnapshotEntry[] = []
  readonly txns: Txn[] = []
  readonly order: string[] = []
  commitMark = 0 as Zxid

  snapshot(header: SnapshotHeader): void {
    this.#note('snapshot')
    this.header = header
  }

  entry(entry: SnapshotEntry): void {
    this.#note('entry')
    this.entries.push(entry)
  }

  snapshotEnd(): void {
    this.#note('snapshotEnd')
  }

  txn(txn: Txn): void {
    this.#note('txn')
    this.txns.push(txn)
  }

  /** The mark in force after what was given; no more is said of it here. */
  committed(zxid: Zxid): void {
    this.commitMark = zxid
  }

  #note(call: string): void {
    if (this.order[this.order.length - 1] !== call) this.order.push(call)
  }
}

/** Timers that a test fires itself; `soon` is real, `after` never comes by itself. */
export class HandTimers {
  readonly delayed: { readonly delayMs: number; readonly task: () => void }[] = []
  stepMs = 0
  #nowMs = 0

  soon(task: () => void): void {
    setImmediate(task)
  }

  after(delayMs: number, task: () => void): void {
    this.delayed.push({ delayMs, task })
  }

  nowMs(): number {
    this.#nowMs += this.stepMs
    return this.#nowMs
  }

  fire(): void {
    for (const { task } of this.delayed.splice(0)) task()
  }
}

export interface Opened {
  readonly storage: Storage
  readonly reading: Reading
  readonly space: boolean[]
  readonly fatal: Error[]
  readonly warnings: string[]
  readonly timers: HandTimers
}

export const storageOptions = (disk: VirtualDisk): StorageOptions => ({
  directory,
  files: disk,
  segmentBytes: 4_096,
  random: () => 0x5eed,
  timers: new HandTimers(),
  log: () => undefined,
  onDiskSpace: () => undefined,
  onFatal: () => undefined,
})

/** Opens and recovers. */
export const open = async (
  disk: VirtualDisk,
  changed: Partial<StorageOptions> = {},
): Promise<Opened> => {
  const space: boolean[] = []
  const fatal: Error[] = []
  const warnings: string[] = []
  const timers = new HandTimers()
  const opened = await openStorage({
    ...storageOptions(disk),
    timers,
    log: (_level, message) => warnings.push(message),
    onDiskSpace: (ok) => space.push(ok),
    onFatal: (error) => fatal.push(error),
    ...changed,
  })
  return {
    storage: opened.storage,
    reading: await read(opened),
    space,
    fatal,
    warnings,
    timers,
  }
}

export const read = async (opened: OpenedStorage): Promise<Reading> => {
  const visitor = new ReadingVisitor()
  const recovered = await opened.recover(visitor)
  const { header, entries, txns, order } = visitor
  return { ...recovered, snapshot: header, entries, txns, order }
}

/** What would be found after a loss of power now; the disk itself goes on. */
export const readingOf = async (disk: VirtualDisk): Promise<Reading> =>
  (await open(disk.fork(() => 0))).reading

export const positionsOf = (txns: readonly Txn[]): readonly LogPosition[] =>
  txns.map(({ epoch, zxid }) => ({ epoch, zxid }))

export const zxidsOf = (txns: readonly Txn[]): readonly number[] => txns.map(({ zxid }) => zxid)

/** A view of `count` znodes at `zxid`. */
export const viewAt = (
  zxid: number,
  options: { readonly epoch?: number; readonly count?: number; readonly onClose?: () => void } = {},
): SnapshotView => {
  const { epoch = 1, count = 3, onClose } = options
  let given = 0
  return {
    header: {
      zxid: zxid as Zxid,
      epoch: epoch as Epoch,
      timeMs: 0,
      ensembleId: 'ensemble',
      digestAlgorithm: 1,
      digest: 'd',
      epochs: [
        { epoch: 1 as Epoch, firstZxid: 1 as Zxid },
        ...(epoch === 1 ? [] : [{ epoch: epoch as Epoch, firstZxid: zxid as Zxid }]),
      ],
    },
    next(entriesMax) {
      const entries = []
      while (entries.length < entriesMax && given < count) entries.push(znodeAt(given++, zxid))
      return entries
    },
    close: () => onClose?.(),
  }
}

export const saveSnapshot = (storage: Storage, view: SnapshotView): Promise<Zxid> =>
  new Promise((resolve, reject) => {
    storage.saveSnapshot(view, resolve, () => reject(new Error('the snapshot was given up')))
  })

/** The file that a server would make of the view, of its generation 0. */
export const snapshotFile = (view: SnapshotView, recordCrc = 77): Buffer => {
  const entries = view.next(Number.MAX_SAFE_INTEGER)
  return Buffer.concat([
    encodeHeaderChunk({ generation: 0, recordCrc, header: view.header }),
    encodeEntriesChunk(1, entries),
    encodeFooterChunk(2, { chunks: 1, entries: entries.length }),
  ])
}

/** Stores one piece. */
export const storePiece = (
  storage: Storage,
  piece: Omit<StoreSnapshot, 'effect' | 'ticket'>,
): Promise<boolean> =>
  new Promise((resolve) => {
    storage.storeSnapshot(
      { effect: 'storeSnapshot', ticket: 0 as SnapshotTicket, ...piece },
      resolve,
    )
  })

/** Gives storage a whole file in small pieces, as a leader would. */
export const installSnapshot = async (
  storage: Storage,
  view: SnapshotView,
  { file = snapshotFile(view), pieceBytes = 512 } = {},
): Promise<boolean> => {
  const { zxid } = view.header
  for (let offset = 0; ; offset += pieceBytes) {
    const bytes = file.subarray(offset, offset + pieceBytes)
    const isLast = offset + bytes.length === file.length
    const ok = await storePiece(storage, { zxid, offset, bytes, isLast })
    if (isLast || !ok) return ok
  }
}

const znodeAt = (index: number, zxid: number): SnapshotEntry => ({
  entry: 'znode',
  path: `/znode-${index}`,
  data: null,
  acl: null,
  kind: 'persistent',
  czxid: zxid as Zxid,
  mzxid: zxid as Zxid,
  pzxid: zxid as Zxid,
  ctime: 0,
  mtime: 0,
  version: 0,
  aversion: 0,
  ephemeralOwner: 0 as SessionId,
  ttlMs: 0,
  ordinal: 0,
  childrenCreated: 0,
})
