import type { Clients } from './clients.js'
import { diskFaults } from './disk-faults.js'
import type { Ensemble } from './ensemble.js'
import { networkFaults } from './network-faults.js'
import { processFaults } from './process-faults.js'
import type { Random } from './random.js'
import type { Scene, Strike } from './scene.js'
import type { Schedule } from './schedule.js'
import type { SimServer } from './sim-server.js'
import { type FaultKind, faultKinds, type Swarm } from './swarm.js'
import type { TraceHash } from './trace-hash.js'

/** What goes wrong in a world, until it is told to end. */
export class Faults {
  /** By class; what is known more closely is counted as `class at place` besides. */
  readonly struck = new Map<string, number>()
  readonly #ensemble: Ensemble
  readonly #clients: Clients
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #swarm: Swarm
  readonly #hash: TraceHash
  #isOver = false

  constructor(
    swarm: Swarm,
    parts: {
      readonly ensemble: Ensemble
      readonly clients: Clients
      readonly schedule: Schedule
      readonly random: Random
      readonly hash: TraceHash
    },
  ) {
    this.#swarm = swarm
    this.#ensemble = parts.ensemble
    this.#clients = parts.clients
    this.#schedule = parts.schedule
    this.#random = parts.random
    this.#hash = parts.hash
    for (const kind of faultKinds) this.#strikeLater(kind, this.#random.split(kind))
    this.#ensemble.onDiskFailure = (server, error) => this.#diskFailed(server, error)
  }

  /**
   * Whatever is broken is mended, but for a minority that stays dead in some worlds: everybody else
   * must make progress from now on.
   */
  end(): void {
    this.#isOver = true
    const { network, servers } = this.#ensemble
    for (const server of this.#dead()) {
      this.#count('left dead')
      server.retire()
      this.#ensemble.lostProcess(server)
    }
    network.calm()
    network.heal(0.5)
    for (const server of servers) {
      server.disk.mend()
      server.goOn()
      server.start()
    }
    this.#clients.goOn()
  }

  /** Only of servers that the others can do without: a majority of them has data of its own. */
  #dead(): readonly SimServer[] {
    const { servers, ledger } = this.#ensemble
    if (!this.#random.chance(0.3)) return []
    const isWhole = ({ id }: SimServer): boolean =>
      (ledger.log(id).hardState?.currentEpoch ?? 0) > 0
    const voters = servers.filter(({ id }) => ledger.voters.includes(id))
    const dead = this.#random.shuffled(voters).slice(0, voters.length - ledger.majority)
    const core = voters.filter((server) => !dead.includes(server))
    return core.every(isWhole) ? dead : []
  }

  /** Each class has dice of its own: without one of them the others strike as they would. */
  #strikeLater(kind: FaultKind, random: Random): void {
    const rate = this.#swarm.faults[kind]
    if (rate === 0) return
    this.#schedule.after(random.exponential(1_000 / rate), () => {
      if (this.#isOver) return
      if (strikes[kind](this.#scene(kind, random))) this.#count(kind)
      this.#strikeLater(kind, random)
    })
  }

  #scene(kind: FaultKind, random: Random): Scene {
    const ensemble = this.#ensemble
    return {
      ensemble,
      clients: this.#clients,
      random,
      server: random.pick(ensemble.servers),
      until: (delayMs, mend) => this.#until(delayMs, mend),
      down: (server, stop, delayMsMean = restartMsMean) => {
        if (!server.isUp) return false
        stop()
        ensemble.lostProcess(server)
        this.#schedule.after(random.exponential(delayMsMean), () => server.start())
        return true
      },
      note: (what) => this.#count(`${kind} ${what}`),
    }
  }

  #count(what: string): void {
    this.struck.set(what, (this.struck.get(what) ?? 0) + 1)
    this.#hash.add('fault', what)
  }

  /** The operator looks at why a process has ended: damaged data is set aside. */
  #diskFailed(server: SimServer, error: Error): void {
    this.#hash.add('disk failure', server.id, error.name)
    if (error.name === 'DamageError') {
      this.#count('rejoin')
      server.rejoin(this.#ensemble.ledger.log(server.id).ensembleId)
    }
    this.#schedule.after(this.#random.exponential(restartMsMean), () => {
      if (this.#isOver) server.disk.mend()
      server.start()
    })
  }

  #until(delayMs: number, mend: () => void): true {
    this.#schedule.after(delayMs, () => {
      if (!this.#isOver) mend()
    })
    return true
  }
}

const strikes: Readonly<Record<FaultKind, Strike>> = {
  ...processFaults,
  ...diskFaults,
  ...networkFaults,
}

const restartMsMean = 1_500
