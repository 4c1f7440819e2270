import { setImmediate as turn } from 'node:timers/promises'
import { Ensemble } from './ensemble.js'
import { History } from './history.js'
import { Random } from './random.js'
import { Schedule } from './schedule.js'
import { drawSwarm, type FaultKind, type Swarm } from './swarm.js'
import { TraceHash } from './trace-hash.js'
import { Violation } from './violation.js'
import { Workload } from './workload.js'

/** An ensemble, started, on a clock that can be let run. */
export class Stage {
  readonly schedule = new Schedule()
  readonly hash: TraceHash
  readonly ensemble: Ensemble

  constructor(swarm: Swarm, random: Random, log: ((line: string) => void) | null = null) {
    const { schedule } = this
    this.hash = new TraceHash(() => schedule.nowMs, log)
    this.ensemble = new Ensemble(swarm, schedule, random.split('ensemble'), this.hash)
    for (const server of this.ensemble.servers) server.start()
    this.#connectLater(random.split('links'))
  }

  /** @throws Violation when an invariant breaks or a server stops itself */
  async runUntil(untilMs: number): Promise<void> {
    const { ensemble } = this
    while (this.schedule.runNext(untilMs)) {
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

  /** Lets it run until the condition holds, or so long. @returns how long it took */
  async until(condition: () => boolean, msMax: number): Promise<number> {
    const startMs = this.schedule.nowMs
    while (!condition()) {
      if (this.schedule.nowMs - startMs >= msMax) throw new Error(`not within ${msMax} ms`)
      await this.runUntil(this.schedule.nowMs + 1)
    }
    return this.schedule.nowMs - startMs
  }

  async run(durationMs: number): Promise<void> {
    await this.runUntil(this.schedule.nowMs + durationMs)
  }

  #connectLater(random: Random): void {
    this.ensemble.connectPeers()
    this.schedule.after(random.between(20, 200), () => this.#connectLater(random))
  }
}

/** A calm world of three servers with a leader, which remember all that happens. */
export const stagedCalmly = async (seed: number): Promise<Stage> => {
  const random = new Random(seed)
  const log = { segmentBytes: 65_536, snapshotTxns: Number.MAX_SAFE_INTEGER, snapshotsKept: 3 }
  const stage = new Stage(calmSwarm(random.split('swarm'), { historyBytesMax: 1e9, log }), random)
  await stage.until(() => stage.ensemble.leader !== undefined, 5_000)
  return stage
}

/** As {@link stagedCalmly}, with clients that ask the servers. */
export const stagedWithClients = async (
  seed: number,
  change: Partial<Swarm> = {},
): Promise<Stage> => {
  const random = new Random(seed)
  const swarm = calmSwarm(random.split('swarm'), change)
  const stage = new Stage(swarm, random)
  const { schedule, ensemble } = stage
  void new Workload(swarm, { schedule, random, ensemble, history: new History() })
  await stage.until(() => ensemble.leader !== undefined, 5_000)
  await stage.run(2_000)
  return stage
}

/** A world in which nothing goes wrong by itself. */
const calmSwarm = (random: Random, change: Partial<Swarm> = {}): Swarm => {
  const { faults, ...swarm } = drawSwarm(random)
  const none = Object.fromEntries(Object.keys(faults).map((kind) => [kind, 0]))
  return {
    ...swarm,
    servers: 3,
    observers: 0,
    clients: 3,
    network: { delayMsMin: 0.5, delayMsMean: 1, tail: 0 },
    diskMsMean: 2,
    clocks: { driftMax: 0, offsetMsMax: 1_000 },
    ...change,
    faults: none as Record<FaultKind, number>,
  }
}
