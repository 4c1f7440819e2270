import type { Clients } from './clients.js'
import { Faults } from './faults.js'
import { History } from './history.js'
import { judge } from './oracle.js'
import type { LinearizabilityReport } from './linearizability.js'
import { Random } from './random.js'
import { RecipeWorkload } from './recipes/recipe-workload.js'
import { Stage } from './stage.js'
import { drawSwarm, type FaultKind, type Swarm } from './swarm.js'
import type { Occasion } from './sometimes.js'
import { Violation } from './violation.js'
import { Workload } from './workload.js'

export interface WorldOptions {
  readonly seed: number
  /** How long things go wrong, in simulated milliseconds. */
  readonly safetyMs: number
  /** How long everybody then has to settle. */
  readonly livenessMs: number
  readonly log?: (line: string) => void
  /** Fault classes that do not strike. */
  readonly without?: ReadonlySet<FaultKind>
  /** Its clients are programs that use recipes. */
  readonly usesRecipes?: boolean
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
  readonly faults: ReadonlyMap<string, number>
  readonly linearizability: LinearizabilityReport
  readonly occasions: ReadonlyMap<Occasion, number>
  /** What became of what programs did by recipes. */
  readonly recipes: ReadonlyMap<string, number>
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
  readonly #stage: Stage
  readonly #history = new History()
  readonly #clients: Clients
  readonly #recipes: ReadonlyMap<string, number>
  readonly #faults: Faults
  readonly #leaving: Random
  #linearizability: LinearizabilityReport = { partitions: 0, operations: 0, unknown: 0 }

  constructor(options: WorldOptions) {
    this.#options = options
    const random = new Random(options.seed)
    const swarm = drawSwarm(random.split('swarm'), options.without ?? new Set())
    this.#swarm = options.usesRecipes === true ? recipeSwarm(swarm) : swarm
    this.#stage = new Stage(this.#swarm, random, options.log ?? null)
    const { schedule, hash, ensemble } = this.#stage
    const history = this.#history
    const around = { schedule, random: random.split('clients'), ensemble }
    const workload =
      options.usesRecipes === true
        ? new RecipeWorkload(this.#swarm, { ...around, hash })
        : new Workload(this.#swarm, { ...around, history })
    const clients: Clients = workload
    this.#clients = clients
    this.#recipes = workload instanceof RecipeWorkload ? workload.counts : new Map()
    ensemble.onExpired = (sessionId) => clients.expired(sessionId)
    this.#leaving = random.split('leaving')
    const broken = { ensemble, clients, schedule, random: random.split('faults'), hash }
    this.#faults = new Faults(this.#swarm, broken)
  }

  async run(): Promise<void> {
    const { safetyMs, livenessMs } = this.#options
    await this.#stage.runUntil(safetyMs)
    this.#faults.end()
    await this.#stage.runUntil(safetyMs + livenessMs / 2)
    this.#clients.end()
    await this.#stage.runUntil(safetyMs + livenessMs)
    this.#demandProgress()
    const { ledger, sometimes } = this.#stage.ensemble
    sometimes.end(ledger, this.#history.operations)
    this.#linearizability = judge(this.#history, ledger)
    this.#clients.judge()
    this.#clients.leave(this.#leaving)
    await this.#stage.runUntil(safetyMs + livenessMs + leavingMs)
    this.#demandNothingLeft()
  }

  outcome(violation: Violation | null): Outcome {
    const { operations } = this.#history
    const { ledger, sometimes } = this.#stage.ensemble
    const { committed } = ledger
    return {
      seed: this.#options.seed,
      violation,
      hash: this.#stage.hash.value,
      simulatedMs: this.#stage.schedule.nowMs,
      operations: operations.length,
      acknowledged: operations.filter(({ outcome }) => outcome === 'done').length,
      committed: committed.length,
      epochs: new Set(committed.map(({ epoch }) => epoch)).size,
      faults: this.#faults.struck,
      linearizability: this.#linearizability,
      occasions: sometimes.counts,
      recipes: this.#recipes,
    }
  }

  /** S9, W7: of those who are gone nothing is left. */
  #demandNothingLeft(): void {
    for (const { id, replica } of this.#stage.ensemble.servers) {
      if (replica === null) continue
      const { sessions, connections, watches, streams } = replica.status
      if (sessions > 0) throw new Violation('S9', `server ${id} keeps ${sessions} sessions`)
      if (connections + watches + streams === 0) continue
      const kept = `${connections} connections, ${watches} watches, ${streams} streams`
      throw new Violation('W7', `server ${id} keeps ${kept} of nobody`)
    }
  }

  /** E1 to E4: with everything mended all servers agree, and everything asked is answered. */
  #demandProgress(): void {
    const { servers, leader, ledger } = this.#stage.ensemble
    if (leader === undefined) throw new Violation('E1', 'nobody leads')
    for (const { id, replica, isRetired } of servers) {
      if (isRetired) continue
      const { role, zxid } = replica?.status ?? { role: 'down', zxid: 0 }
      if (role === 'looking' || role === 'down') {
        throw new Violation('E3', `server ${id} is ${role}`)
      }
      if (zxid !== ledger.committed.length) {
        throw new Violation('E2', `server ${id} is at ${zxid} of ${ledger.committed.length}`)
      }
    }
    const [waiting] = this.#history.unsettled
    if (waiting === undefined) return
    const { client, op, path, calledMs } = waiting
    throw new Violation('E4', `${client} waits for its ${op.op} of ${path} since ${calledMs} ms`)
  }
}

/** Longer than any session lives without its client. */
const leavingMs = 15_000

/** Where servers can agree on the time they do, so that leases that live by it can be judged. */
const recipeSwarm = (swarm: Swarm): Swarm => {
  const { servers, clocks, faults } = swarm
  if (servers > 1 && clocks.driftMax > 0) return swarm
  return {
    ...swarm,
    clocks: { ...clocks, offsetMsMax: 0 },
    faults: { ...faults, clockJump: 0 },
  }
}
