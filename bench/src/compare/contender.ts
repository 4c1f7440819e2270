import type { DriverName } from '../load/drivers.js'
import { LoadFault, LoadProcess } from '../load/load-process.js'
import type { Broadcast, Load, LoadResult, Operation } from '../load/load.js'
import type { Ensemble } from '../systems/ensemble.js'
import type { Sample } from './sample.js'

/** Who takes part: servers, and a way to speak to them. */
export interface Entry {
  /** As in the report, such as `conclave, raw`. */
  readonly name: string
  readonly driver: DriverName
  /** Peers are what this project is held against. */
  readonly isPeer: boolean
  /** What such servers have not. */
  readonly lacks: readonly Operation[]
}

/** Connections of a generator, and what each has in flight. */
export interface Window {
  readonly connections: number
  readonly inFlight: number
  readonly placement: Placement
}

/** Where connections go: to all servers by turns, to the leader, or to one that is not it. */
export type Placement = 'spread' | 'leader' | 'follower'

/** An entry with its servers running, and a generator of its own. */
export class Contender {
  readonly entry: Entry
  readonly ensemble: Ensemble
  readonly #generator: LoadProcess
  readonly #nextName: () => string

  constructor(entry: Entry, ensemble: Ensemble, nextName: () => string) {
    this.entry = entry
    this.#generator = new LoadProcess(entry.name)
    this.ensemble = ensemble
    this.#nextName = nextName
  }

  async open({ connections, placement }: Omit<Window, 'inFlight'>): Promise<void> {
    const targets = await this.#addresses(placement)
    const addresses = Array.from(
      { length: connections },
      (_, index) => targets[index % targets.length] as string,
    )
    const { driver } = this.entry
    await this.#generator.open({ driver, addresses, name: this.#nextName() })
  }

  /** With the connections that are open. */
  run(load: Load): Promise<Sample> {
    return this.#measured(() => this.#generator.run(load))
  }

  /** The first of the connections that are open writes, the others watch. */
  broadcast(broadcast: Broadcast): Promise<Sample> {
    return this.#measured(() => this.#generator.broadcast(broadcast))
  }

  /** Resolves when one of these servers has taken a write on a new connection. */
  firstWrite(servers: readonly number[]): Promise<void> {
    const addresses = servers.map((index) => this.ensemble.addresses[index] as string)
    const { driver } = this.entry
    return this.#generator.firstWrite({ driver, addresses, name: this.#nextName() })
  }

  close(): Promise<void> {
    return this.#generator.close()
  }

  stop(): Promise<void> {
    return this.#generator.stop()
  }

  async #addresses(placement: Placement): Promise<readonly string[]> {
    const { addresses } = this.ensemble
    if (placement === 'spread') return addresses
    const leader = await this.ensemble.leader()
    const index = placement === 'leader' ? leader : (leader + 1) % addresses.length
    return [addresses[index] as string]
  }

  async #measured(work: () => Promise<LoadResult>): Promise<Sample> {
    await this.ensemble.loopP99Ms()
    const cpuMs = this.ensemble.cpuMs
    const { perSecond, operations, latencies, clientCpuMs, throttled } = await work()
    if (throttled > 0)
      throw new LoadFault(`${this.entry.name}: ${throttled} operations were refused with throttled`)
    return {
      perSecond,
      ...latencies,
      serverCpuUs: ((this.ensemble.cpuMs - cpuMs) * 1_000) / operations,
      clientCpuUs: (clientCpuMs * 1_000) / operations,
      rss: this.ensemble.rss.reduce((sum, bytes) => sum + bytes, 0),
      loopP99Ms: await this.ensemble.loopP99Ms(),
    }
  }
}
