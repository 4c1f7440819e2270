import type { Epoch, LogPosition, ServerId, SessionId, Xid, Zxid } from '@conclave/protocol'
import { positionZero } from '@conclave/protocol'
import type { EpochStart, HardState, Txn } from '@conclave/protocol/peer'
import type { ReplicaConfig } from '#server/core/config.js'
import type { Effect, Persist, SendPeer } from '#server/core/effect.js'
import type { LogReader, TxnLog } from '#server/core/zab/zab.js'
import { txnPacker } from '#server/runtime/txn-codec.js'

export const epoch = (value: number): Epoch => value as Epoch
export const zxid = (value: number): Zxid => value as Zxid
export const server = (value: number): ServerId => value as ServerId

/** A log that is all in memory, or from `firstHeld` on. */
export class MemoryLog implements TxnLog {
  readonly txns: Txn[]
  readonly #firstHeld: number

  constructor(txns: readonly Txn[] = [], firstHeld = 1) {
    this.txns = [...txns]
    this.#firstHeld = firstHeld
  }

  append(txn: Txn): void {
    this.txns.push(txn)
  }

  truncateAfter(position: LogPosition): void {
    this.txns.length = position.zxid
  }

  get(zxid: Zxid): Txn | undefined {
    return zxid < this.#firstHeld ? undefined : this.txns[zxid - 1]
  }

  get firstZxid(): Zxid {
    return zxid(this.#firstHeld <= this.txns.length ? this.#firstHeld : 0)
  }

  get last(): LogPosition {
    const { epoch, zxid } = this.txns.at(-1) ?? positionZero
    return { epoch, zxid }
  }
}

/** Pieces of the log come from it when the test says so. */
export class HandReader implements LogReader {
  readonly wanted: {
    readonly after: Zxid
    readonly take: (piece: readonly Txn[] | null) => void
  }[] = []

  read(after: Zxid, take: (piece: readonly Txn[] | null) => void): { cancel(): void } {
    const want = { after, take }
    this.wanted.push(want)
    return { cancel: () => void this.wanted.splice(this.wanted.indexOf(want), 1) }
  }

  /** Answers the oldest question. */
  give(piece: readonly Txn[] | null): void {
    this.wanted.shift()?.take(piece)
  }
}

export const txnOf = (at: number, ofEpoch: number, mark = 0): Txn => ({
  zxid: zxid(at),
  epoch: epoch(ofEpoch),
  ...proposal(mark),
})

/** Told from all others by its mark. */
export const proposal = (mark: number): Omit<Txn, 'zxid' | 'epoch'> => ({
  timeMs: 0,
  sessionId: 0 as SessionId,
  xid: mark as Xid,
  ackedXid: 0 as Xid,
  body: { body: 'error', code: 'noNode', message: '', index: null },
})

/** One txn for each epoch given, from zxid 1 on. */
export const logOf = (...epochs: readonly number[]): readonly Txn[] =>
  epochs.map((ofEpoch, index) => txnOf(index + 1, ofEpoch))

export const epochsOf = (txns: readonly Txn[]): readonly EpochStart[] => {
  const isStart = (txn: Txn, index: number): boolean => txns[index - 1]?.epoch !== txn.epoch
  return txns.filter(isStart).map((txn) => ({ epoch: txn.epoch, firstZxid: txn.zxid }))
}

export const hardStateOf = (
  serverId: number,
  voters: readonly number[],
  change: Partial<Record<'acceptedEpoch' | 'acceptedFrom' | 'currentEpoch', number>> = {},
): HardState => ({
  acceptedEpoch: epoch(change.acceptedEpoch ?? change.currentEpoch ?? 0),
  acceptedFrom: server(change.acceptedFrom ?? 0),
  currentEpoch: epoch(change.currentEpoch ?? 0),
  ensembleId: null,
  serverId: server(serverId),
  voters: voters.map(server),
  rejoining: false,
  generation: 0,
})

export const configOf = (
  serverId: number,
  voters: readonly number[],
  change: Partial<Pick<ReplicaConfig, 'observers' | 'bootstrap'>> = {},
): ReplicaConfig => ({
  serverId: server(serverId),
  voters: voters.map(server),
  observers: [],
  bootstrap: false,
  newEnsembleId: 'e'.repeat(32),
  historyBytesMax: 1_000_000,
  packer: txnPacker,
  snapshotTxns: 1_000,
  sessionTimeoutMsMin: 1_000,
  sessionTimeoutMsMax: 60_000,
  ...change,
})

export const persistOf = (effects: readonly Effect[]): Persist | undefined =>
  effects.find((effect) => effect.effect === 'persist')

export const sendsOf = (effects: readonly Effect[]): readonly SendPeer[] =>
  effects.filter((effect) => effect.effect === 'sendPeer')
