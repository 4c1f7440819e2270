import { setImmediate as turn } from 'node:timers/promises'
import { Ensemble } from './ensemble.js'
import { Faults } from './faults.js'
import { History } from './history.js'
import { judge } from './oracle.js'
import { Random } from './random.js'
import { Schedule } from './schedule.js'
import { drawSwarm, type FaultKind, type Swarm } from './swarm.js'
import { TraceHash } from './trace-hash.js'
import { Violation } from './violation.js'
import { Workload } from './workload.js'

export interface WorldOptions {
  readonly seed: number
  /** How long things go wrong, in simulated milliseconds. */
  readonly safetyMs: number
  /** How long everybody then has to settle. */
  readonly livenessMs: number
  readonly log?: (line: string) => void
}

export interface Outcome {
  readonly seed: number
  readonly violation: Violation | null
  readonly hash: string
  readonly simulatedMs: number
  readonly operations: number
  readonly acknowledged: number
  readonly committed: number
  readonly epochs: number
  readonly faults: ReadonlyMap<FaultKind, number>
}

/** One simulated world: what it is like, what goes wrong and when all follow from the seed. */
export const runWorld = async (options: WorldOptions): Promise<Outcome> => {
  const world = new World(options)
  let violation: Violation | null = null
  try {
    await world.run()
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    violation = error
  }
  return world.outcome(violation)
}

class World {
  readonly #options: WorldOptions
  readonly #swarm: Swarm
  readonly #schedule = new Schedule()
  readonly #hash: TraceHash
  readonly #ensemble: Ensemble
  readonly #history = new History()
  readonly #workload: Workload
  readonly #faults: Faults

  constructor(options: WorldOptions) {
    this.#options = options
    const random = new Random(options.seed)
    this.#swarm = drawSwarm(random.split('swarm'))
    const schedule = this.#schedule
    const hash = new TraceHash(() => schedule.nowMs, options.log ?? null)
    const ensemble = new Ensemble(this.#swarm, schedule, random.split('ensemble'), hash)
    const history = this.#history
    this.#hash = hash
    this.#ensemble = ensemble
    for (const server of ensemble.servers) server.start()
    this.#connectLater(random.split('links'))
    const clients = { schedule, random: random.split('clients'), ensemble, history }
    this.#workload = new Workload(this.#swarm, clients)
    const workload = this.#workload
    const broken = { ensemble, workload, schedule, random: random.split('faults'), hash }
    this.#faults = new Faults(this.#swarm, broken)
  }

  async run(): Promise<void> {
    const { safetyMs, livenessMs } = this.#options
    await this.#runUntil(safetyMs)
    this.#faults.end()
    await this.#runUntil(safetyMs + livenessMs / 2)
    this.#workload.end()
    await this.#runUntil(safetyMs + livenessMs)
    this.#demandProgress()
    judge(this.#history, this.#ensemble.ledger)
  }

  outcome(violation: Violation | null): Outcome {
    const { operations } = this.#history
    const { committed } = this.#ensemble.ledger
    return {
      seed: this.#options.seed,
      violation,
      hash: this.#hash.value,
      simulatedMs: this.#schedule.nowMs,
      operations: operations.length,
      acknowledged: operations.filter(({ outcome }) => outcome === 'done').length,
      committed: committed.length,
      epochs: new Set(committed.map(({ epoch }) => epoch)).size,
      faults: this.#faults.struck,
    }
  }

  async #runUntil(untilMs: number): Promise<void> {
    const ensemble = this.#ensemble
    while (this.#schedule.runNext(untilMs)) {
      if (ensemble.hasPromised) {
        ensemble.hasPromised = false
        await turn()
      }
      if (ensemble.violation !== null) throw ensemble.violation
      const failure = ensemble.failures[0]
      if (failure !== undefined) {
        const { server, error } = failure
        throw new Violation('Z10', `server ${server} has stopped: ${error.stack ?? error.message}`)
      }
    }
  }

  #connectLater(random: Random): void {
    this.#ensemble.connectPeers()
    this.#schedule.after(random.between(20, 200), () => this.#connectLater(random))
  }

  /** E1 to E4: with everything mended all servers agree, and everything asked is answered. */
  #demandProgress(): void {
    const { servers, leader, ledger } = this.#ensemble
    if (leader === undefined) throw new Violation('E1', 'nobody leads')
    for (const { id, replica } of servers) {
      const { role, zxid } = replica?.status ?? { role: 'down', zxid: 0 }
      if (role !== 'leading' && role !== 'following') {
        throw new Violation('E3', `server ${id} is ${role}`)
      }
      if (zxid !== ledger.committed.length) {
        throw new Violation('E2', `server ${id} is at ${zxid} of ${ledger.committed.length}`)
      }
    }
    const [waiting] = this.#history.unsettled
    if (waiting === undefined) return
    const { client, kind, path, calledMs } = waiting
    throw new Violation('E4', `${client} waits for its ${kind} of ${path} since ${calledMs} ms`)
  }
}
