import type { ServerId } from '@conclave/protocol'
import type { ReplicaConfig } from '../config.js'
import type { DigestBook } from './digests.js'
import type { Delivery } from './delivery.js'
import type { Journal } from './journal.js'
import type { Outbox } from './outbox.js'
import type { LogReader, ZabHost } from './ports.js'
import type { SnapshotFiles } from './snapshot-files.js'

/** What outlives the roles, lent to each of them in turn. */
export interface Context {
  readonly config: ReplicaConfig
  readonly host: ZabHost
  readonly journal: Journal
  readonly logReader: LogReader
  readonly snapshots: SnapshotFiles
  readonly delivery: Delivery
  readonly outbox: Outbox
  readonly clock: Clock
  readonly disk: Disk
  readonly digests: DigestBook
}

/** What the runtime says of the disk. */
export interface Disk {
  hasSpace: boolean
}

/** Why a server leaves its role to look for a leader anew, and which peer made it do so. */
export interface Departure {
  readonly from: ServerId | null
  readonly why: string
  /** Its state is wrong: it gives up all it has and is taught anew. */
  readonly isDiverged?: boolean
}

/**
 * Time for measuring silence. It advances at most two ticks a tick: after a stall what others said
 * meanwhile is heard first, before their silence counts.
 */
export class Clock {
  #nowMs = 0
  #tickedMs: number | null = null
  #stalledMs = 0
  readonly #stepMsMax: number

  constructor(stepMsMax: number) {
    this.#stepMsMax = stepMsMax
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** How long there was no tick before the last one, beyond what this clock has counted. */
  get stalledMs(): number {
    return this.#stalledMs
  }

  /** False until the first tick. */
  get isRunning(): boolean {
    return this.#tickedMs !== null
  }

  tick(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - (this.#tickedMs ?? nowMs))
    const stepMs = Math.min(passedMs, this.#stepMsMax)
    this.#tickedMs = nowMs
    this.#nowMs += stepMs
    this.#stalledMs = passedMs - stepMs
  }
}
