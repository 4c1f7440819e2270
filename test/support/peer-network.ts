import type { EnsembleProcess } from './ensemble-process.js'
import { startProxy, type TcpProxy } from './tcp-proxy.js'
import type { Owner } from './wire-socket.js'

/** The links between servers, each through a proxy; to be made before the servers start. */
export class PeerNetwork {
  readonly #links: readonly PeerProxy[]

  static async between(t: Owner, ensemble: EnsembleProcess): Promise<PeerNetwork> {
    const links: PeerProxy[] = []
    for (const listener of ensemble.ids) {
      const { host, peerPort } = ensemble.server(listener)
      // Of two servers the one with the higher id dials.
      for (const dialler of ensemble.ids.filter((id) => id > listener)) {
        const proxy = await startProxy(t, peerPort, host)
        ensemble.detour(dialler, listener, proxy.port)
        links.push({ dialler, listener, proxy })
      }
    }
    return new PeerNetwork(links)
  }

  private constructor(links: readonly PeerProxy[]) {
    this.#links = links
  }

  /** Links are reset, and attempts to open new ones as well. */
  part(ids: readonly number[], others: readonly number[]): void {
    for (const { proxy } of this.#between(ids, others)) proxy.part()
  }

  /** What these send to the others does not arrive, and nobody is told. */
  mute(ids: readonly number[], others: readonly number[]): void {
    for (const { dialler, proxy } of this.#between(ids, others)) {
      proxy.hold(ids.includes(dialler) ? 'toServer' : 'toClient')
    }
  }

  slow(delayMs: number): void {
    for (const { proxy } of this.#links) proxy.delay(delayMs)
  }

  heal(): void {
    for (const { proxy } of this.#links) proxy.heal()
  }

  #between(ids: readonly number[], others: readonly number[]): readonly PeerProxy[] {
    return this.#links.filter(
      ({ dialler, listener }) =>
        (ids.includes(dialler) && others.includes(listener)) ||
        (ids.includes(listener) && others.includes(dialler)),
    )
  }
}

interface PeerProxy {
  readonly dialler: number
  readonly listener: number
  readonly proxy: TcpProxy
}
