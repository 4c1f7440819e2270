import { digestAlgorithm, epochZero, type Zxid } from '@conclave/protocol'
import type {
  EpochStart,
  HardState,
  SnapshotEntry,
  SnapshotHeader,
  Txn,
} from '@conclave/protocol/peer'
import { assert } from './assert.js'
import type { ReplicaConfig } from './config.js'
import { ReplicatedState } from './pipeline/replicated-state.js'
import type { RecoveryVisitor } from './recovery-visitor.js'
import { History } from './watch/history.js'

/** What the disk holds, as a replica starts from it. */
export interface Recovered {
  readonly state: ReplicatedState
  readonly history: History
  readonly hardState: HardState
  readonly epochs: readonly EpochStart[]
}

/**
 * Rebuilds the state from a snapshot and the log up to the commit mark, and no further: what comes
 * after it is only logged, and applied when an established leader covers it.
 */
export class Recovery implements RecoveryVisitor {
  readonly #config: ReplicaConfig
  readonly #state = new ReplicatedState()
  readonly #history: History
  #hasSnapshot = false
  #header: SnapshotHeader | null = null

  constructor(config: ReplicaConfig) {
    this.#config = config
    this.#history = new History(config.historyBytesMax, config.packer)
  }

  snapshot(header: SnapshotHeader): void {
    this.#hasSnapshot = true
    this.#header = header
    this.#state.loadHeader(header)
  }

  entry(entry: SnapshotEntry): void {
    this.#state.loadEntry(entry)
  }

  snapshotEnd(): void {
    this.#state.loaded()
    const { digest, digestAlgorithm: algorithm } = this.#header as SnapshotHeader
    // Digests of two algorithms cannot be compared.
    const isKnown = algorithm === digestAlgorithm
    assert(!isKnown || this.#state.digest === digest, 'a snapshot adds up to its digest')
    this.#history.applied(this.#state.lastApplied.zxid)
  }

  txn(txn: Txn): void {
    this.#history.append(txn)
    this.#history.durable(txn.zxid)
  }

  committed(zxid: Zxid): void {
    this.#plant()
    const last = Math.min(zxid, this.#history.last.zxid)
    for (let next = this.#state.lastApplied.zxid + 1; next <= last; next++) {
      const txn = this.#history.get(next as Zxid)
      assert(txn !== undefined, `the txn ${next} to recover is in the log`)
      this.#state.apply(txn)
      this.#history.applied(txn.zxid)
    }
  }

  finish(found: {
    readonly hardState: HardState | null
    readonly epochs: readonly EpochStart[]
    readonly commit: Zxid
  }): Recovered {
    this.#plant()
    this.#history.startAt(this.#state.lastApplied)
    this.committed(found.commit)
    return {
      state: this.#state,
      history: this.#history,
      hardState: found.hardState ?? freshHardState(this.#config),
      epochs: found.epochs,
    }
  }

  /** Without a snapshot the state begins empty. */
  #plant(): void {
    if (this.#hasSnapshot) return
    this.#hasSnapshot = true
    this.#state.plant()
  }
}

const freshHardState = ({ serverId, voters }: ReplicaConfig): HardState => ({
  acceptedEpoch: epochZero,
  acceptedFrom: 0 as HardState['acceptedFrom'],
  currentEpoch: epochZero,
  ensembleId: null,
  serverId,
  voters,
  rejoining: false,
  generation: 0,
})
