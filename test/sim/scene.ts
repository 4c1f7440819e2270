import type { Clients } from './clients.js'
import type { Ensemble } from './ensemble.js'
import type { Random } from './random.js'
import type { SimServer } from './sim-server.js'

/** What a fault can reach, and what it is drawn from. */
export interface Scene {
  readonly ensemble: Ensemble
  readonly clients: Clients
  readonly random: Random
  /** One of the servers. */
  readonly server: SimServer
  /** Mends it later, unless everything is mended by then. */
  readonly until: (delayMs: number, mend: () => void) => true
  /** Stops the process or the machine, and starts it again later. */
  readonly down: (server: SimServer, stop: () => void, delayMsMean?: number) => boolean
  /** Counts something of a fault that is known by more than its class. */
  readonly note: (what: string) => void
}

/** @returns false when there is nothing to strike */
export type Strike = (scene: Scene) => boolean
