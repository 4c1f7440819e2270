import { setTimeout as sleep } from 'node:timers/promises'
import { ServerProcesses } from './server-processes.js'
import type { EnsembleOptions, Layout, System } from './system.js'

/** Servers of one system on loopback, each a process of its own, with its data on the disk. */
export class Ensemble {
  readonly #system: System
  readonly #layout: Layout
  readonly #processes: ServerProcesses

  private constructor(system: System, layout: Layout, { cpu }: EnsembleOptions) {
    this.#system = system
    this.#layout = layout
    this.#processes = new ServerProcesses(layout.commands, cpu)
  }

  /** Resolves when all its servers serve clients. */
  static async start(
    system: System,
    directory: string,
    options: EnsembleOptions,
  ): Promise<Ensemble> {
    const ensemble = new Ensemble(system, await system.prepare(directory, options), options)
    try {
      await ensemble.startAll()
    } catch (error) {
      await ensemble.stop()
      throw error
    }
    return ensemble
  }

  /** `host:port` for clients, one a server. */
  get addresses(): readonly string[] {
    return this.#layout.addresses
  }

  get rss(): readonly number[] {
    return this.#processes.rss()
  }

  get cpuMs(): number {
    return this.#processes.cpuMs()
  }

  /** Resolves when all serve. */
  async startAll(): Promise<void> {
    for (const index of this.addresses.keys()) this.startOne(index)
    await this.leader()
  }

  /** Does not wait until it serves. */
  startOne(index: number): void {
    if (!this.#processes.isRunning(index)) this.#processes.start(index)
  }

  end(index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    return this.#processes.end(index, signal)
  }

  /** @returns which server leads, once all of them serve */
  async leader(): Promise<number> {
    const untilMs = performance.now() + servingMsMax
    for (;;) {
      const roles = await Promise.all(this.addresses.map((_, i) => this.#layout.role(i)))
      const leaders = [...roles.keys()].filter((index) => roles[index] === 'leading')
      if (leaders.length === 1 && !roles.includes(null)) return leaders[0] as number
      this.#assertRunning()
      if (performance.now() > untilMs) throw this.#silent()
      await sleep(pollMs)
    }
  }

  /** Of the server whose event loop was latest; null for a system without one. */
  async loopP99Ms(): Promise<number | null> {
    const all = await Promise.all(this.addresses.map((_, i) => this.#layout.loopP99Ms(i)))
    const known = all.filter((ms) => ms !== null)
    return known.length === 0 ? null : Math.max(...known)
  }

  stop(): Promise<void> {
    return this.#processes.endAll()
  }

  #assertRunning(): void {
    for (const index of this.addresses.keys()) {
      if (this.#processes.isRunning(index)) continue
      const said = this.#processes.lastWords(index)
      throw new Error(`server ${index + 1} of ${this.#system.name} ended: ${said}`)
    }
  }

  #silent(): Error {
    const said = this.#processes.lastWords(0)
    return new Error(`${this.#system.name} serves nobody after ${servingMsMax} ms: ${said}`)
  }
}

const pollMs = 20
const servingMsMax = 120_000
