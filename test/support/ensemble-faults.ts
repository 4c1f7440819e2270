import { rmSync } from 'node:fs'
import type { Fault } from './ensemble-plan.js'
import type { EnsembleProcess } from './ensemble-process.js'
import type { EnsembleSegments } from './ensemble-segments.js'
import type { PeerNetwork } from './peer-network.js'

/** What can be done to an ensemble, and undone. */
export class EnsembleFaults {
  readonly #ensemble: EnsembleProcess
  readonly #network: PeerNetwork
  readonly #segments: EnsembleSegments

  constructor(ensemble: EnsembleProcess, network: PeerNetwork, segments: EnsembleSegments) {
    this.#ensemble = ensemble
    this.#network = network
    this.#segments = segments
  }

  /**
   * Signals are sent before this returns.
   * @param others not struck; the first of them is at the other end of a single link
   * @returns resolves when those who end have ended
   */
  async strike(fault: Fault, victims: readonly number[], others: readonly number[]): Promise<void> {
    switch (fault.fault) {
      case 'kill':
      case 'wipe':
        await this.#end(victims, 'SIGKILL')
        return
      case 'terminate':
        await this.#end(victims, 'SIGTERM')
        return
      case 'stand':
        for (const id of victims) this.#ensemble.stand(id)
        return
      case 'part':
        this.#network.part(victims, fault.from === 'one' ? others.slice(0, 1) : others)
        return
      case 'mute': {
        const ends = fault.from === 'one' ? others.slice(0, 1) : others
        if (fault.way !== 'in') this.#network.mute(victims, ends)
        if (fault.way !== 'out') this.#network.mute(ends, victims)
        return
      }
      case 'slow':
        this.#network.slow(fault.delayMs)
    }
  }

  heal({ fault }: Fault, victims: readonly number[]): void {
    this.#network.heal()
    for (const id of victims) {
      if (fault === 'wipe') {
        this.#segments.wiped(id)
        rmSync(this.#ensemble.dataOf(id), { recursive: true })
      }
      if (fault === 'stand') this.#ensemble.goOn(id)
      else if (!this.#ensemble.running.includes(id)) this.#ensemble.start(id)
    }
  }

  async #end(ids: readonly number[], signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await Promise.all(ids.map((id) => this.#ensemble.end(id, signal)))
  }
}
