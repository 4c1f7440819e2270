import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { type ClientFrame, Fifo, isWrite, limits, type ServerFrame } from '@conclave/protocol'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { RoleName, Trace } from '../../core/effect.js'
import type { ConnectionId } from '../../core/input.js'
import type { ServerState } from './server-state.js'

/**
 * What is counted while a server runs, for Prometheus. It decides nothing. Labels are ops, error
 * codes and roles, which are tables of the product: no client can make a new one.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 })
  /** Of each connection, in the order of arrival, which is that of the answers. */
  readonly #pending = new Map<ConnectionId, Fifo<Pending>>()
  /** Since the last scrape, by op and outcome: the registry is told then, not for each answer. */
  readonly #answered = new Map<string, Answered>()
  readonly #requests: Counter<'op' | 'outcome'>
  readonly #writes: Histogram
  readonly #persists: Histogram
  readonly #snapshots: Histogram
  readonly #elections: Counter
  readonly #gauges: readonly { readonly gauge: Gauge; readonly of: (now: ServerState) => number }[]
  readonly #delay: Gauge<'quantile'>
  readonly #role: Gauge<'role'>
  readonly #state: () => Promise<ServerState>

  /** @param state asked at each scrape */
  constructor(state: () => Promise<ServerState>) {
    const registers = [this.#registry]
    this.#requests = new Counter({
      name: 'conclave_requests_total',
      help: 'Requests answered, by op and by "ok" or the code of the refusal.',
      labelNames: ['op', 'outcome'],
      registers,
    })
    this.#writes = new Histogram({
      name: 'conclave_write_seconds',
      help: 'From the arrival of a write to its answer.',
      buckets: secondsBuckets,
      registers,
    })
    this.#persists = new Histogram({
      name: 'conclave_fsync_seconds',
      help: 'From the order to write to the log until it is durable, fsync included.',
      buckets: secondsBuckets,
      registers,
    })
    this.#snapshots = new Histogram({
      name: 'conclave_snapshot_seconds',
      help: 'From the beginning of a snapshot until it is on the disk.',
      buckets: secondsBuckets,
      registers,
    })
    this.#elections = new Counter({
      name: 'conclave_elections_total',
      help: 'How many times this server lost its leader, or its leadership, and voted anew.',
      registers,
    })
    this.#state = state
    this.#gauges = gaugeTable.map(({ name, help, of }) => ({
      gauge: new Gauge({ name: `conclave_${name}`, help, registers }),
      of,
    }))
    this.#delay = new Gauge({
      name: 'conclave_event_loop_delay_seconds',
      help: 'How late the event loop was since the last scrape.',
      labelNames: ['quantile'],
      registers,
    })
    this.#role = new Gauge({
      name: 'conclave_role',
      help: '1 for the role that the server has.',
      labelNames: ['role'],
      registers,
    })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** All of it, in the text format of Prometheus. */
  async text(): Promise<string> {
    await this.#measure()
    return this.#registry.metrics()
  }

  /** The event loop is watched from now on. */
  start(): void {
    this.#loopDelay.enable()
  }

  stop(): void {
    this.#loopDelay.disable()
  }

  received(connection: ConnectionId, frame: ClientFrame): void {
    if (frame.frame !== 'request') return
    let pending = this.#pending.get(connection)
    if (pending === undefined) {
      pending = new Fifo()
      this.#pending.set(connection, pending)
    }
    // What a client has in flight beyond its bound is not counted.
    if (pending.length >= limits.requestsPerSessionMax) return
    const { xid, op } = frame
    pending.push({ xid, op: op.op, startMs: isWrite(op) ? performance.now() : null })
  }

  sent(connection: ConnectionId, frames: readonly ServerFrame[]): void {
    const pending = this.#pending.get(connection)
    if (pending === undefined) return
    for (const frame of frames) {
      if (frame.frame !== 'reply') continue
      const request = takeRequest(pending, frame.xid)
      if (request === null) continue
      this.#count(request.op, frame.failure?.code ?? 'ok')
      if (request.startMs !== null) this.#writes.observe(secondsSince(request.startMs))
    }
  }

  lost(connection: ConnectionId): void {
    this.#pending.delete(connection)
  }

  heard(trace: Trace): void {
    if (trace.trace === 'roleChanged' && trace.role === 'looking') this.#elections.inc()
  }

  /** @returns to be called when it is durable */
  persisting(): () => void {
    const startMs = performance.now()
    return () => this.#persists.observe(secondsSince(startMs))
  }

  /** @returns to be called when it is on the disk */
  snapshotting(): () => void {
    const startMs = performance.now()
    return () => this.#snapshots.observe(secondsSince(startMs))
  }

  #count(op: string, outcome: string): void {
    const key = outcome === 'ok' ? op : `${op} ${outcome}`
    const known = this.#answered.get(key)
    if (known === undefined) this.#answered.set(key, { op, outcome, count: 1 })
    else known.count += 1
  }

  async #measure(): Promise<void> {
    const now = await this.#state()
    for (const { op, outcome, count } of this.#answered.values()) {
      this.#requests.inc({ op, outcome }, count)
    }
    this.#answered.clear()
    for (const { gauge, of } of this.#gauges) gauge.set(of(now))
    for (const name of roles) this.#role.set({ role: name }, now.role === name ? 1 : 0)
    const delay = this.#loopDelay
    this.#delay.set({ quantile: '0.5' }, delay.percentile(50) / 1e9)
    this.#delay.set({ quantile: '0.99' }, delay.percentile(99) / 1e9)
    this.#delay.set({ quantile: '1' }, delay.max / 1e9)
    delay.reset()
  }
}

interface Answered {
  readonly op: string
  readonly outcome: string
  count: number
}

interface Pending {
  readonly xid: number
  readonly op: string
  /** Null for a read. */
  readonly startMs: number | null
}

/** Of those before it, nothing is sent. @returns null when it was not counted */
const takeRequest = (pending: Fifo<Pending>, xid: number): Pending | null => {
  let index = 0
  while (index < pending.length && pending.at(index)?.xid !== xid) index += 1
  if (index === pending.length) return null
  for (let i = 0; i < index; i++) pending.shift()
  return pending.shift() ?? null
}

const secondsSince = (startMs: number): number => (performance.now() - startMs) / 1_000

const secondsBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 60,
]

const roles: readonly RoleName[] = ['looking', 'following', 'leading', 'observing']

const gaugeTable: readonly {
  readonly name: string
  readonly help: string
  readonly of: (state: ServerState) => number
}[] = [
  { name: 'epoch', help: 'Of the leadership.', of: ({ epoch }) => epoch },
  { name: 'zxid', help: 'Of the last txn applied.', of: ({ zxid }) => zxid },
  { name: 'commit_lag', help: 'Txns known to be committed, not applied.', of: ({ lag }) => lag },
  { name: 'znodes', help: 'In the tree.', of: ({ znodes }) => znodes },
  { name: 'sessions', help: 'Of the whole ensemble.', of: ({ sessions }) => sessions },
  { name: 'connections', help: 'Clients of this server.', of: ({ connections }) => connections },
  { name: 'watches', help: 'Kept by this server.', of: ({ watches }) => watches },
  { name: 'streams', help: 'Kept by this server.', of: ({ streams }) => streams },
  { name: 'peer_links', help: 'Open links to other servers.', of: ({ peerLinks }) => peerLinks },
  { name: 'log_bytes', help: 'Of the log on the disk.', of: ({ logBytes }) => logBytes },
  { name: 'serving', help: '1 while clients are served.', of: ({ ready }) => (ready ? 1 : 0) },
]
