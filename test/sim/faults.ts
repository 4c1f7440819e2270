import type { Ensemble } from './ensemble.js'
import { serverPlace } from './ensemble.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'
import type { SimServer } from './sim-server.js'
import type { FaultKind, Swarm } from './swarm.js'
import type { TraceHash } from './trace-hash.js'
import type { Workload } from './workload.js'

/** What goes wrong in a world, until it is told to end. */
export class Faults {
  readonly struck = new Map<FaultKind, number>()
  readonly #ensemble: Ensemble
  readonly #workload: Workload
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #swarm: Swarm
  readonly #hash: TraceHash
  #isOver = false

  constructor(
    swarm: Swarm,
    parts: {
      readonly ensemble: Ensemble
      readonly workload: Workload
      readonly schedule: Schedule
      readonly random: Random
      readonly hash: TraceHash
    },
  ) {
    this.#swarm = swarm
    this.#ensemble = parts.ensemble
    this.#workload = parts.workload
    this.#schedule = parts.schedule
    this.#random = parts.random
    this.#hash = parts.hash
    for (const kind of Object.keys(swarm.faults) as FaultKind[]) this.#strikeLater(kind)
  }

  /** Whatever is broken is mended: everybody must make progress from now on. */
  end(): void {
    this.#isOver = true
    const { network, servers } = this.#ensemble
    network.calm()
    network.heal(0.5)
    for (const server of servers) {
      server.slowDisk(1)
      server.goOn()
      server.start()
    }
    this.#workload.goOn()
  }

  #strikeLater(kind: FaultKind): void {
    const rate = this.#swarm.faults[kind]
    if (rate === 0) return
    this.#schedule.after(this.#random.exponential(1_000 / rate), () => {
      if (this.#isOver) return
      if (this.#strike(kind)) {
        this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1)
        this.#hash.add('fault', kind)
      }
      this.#strikeLater(kind)
    })
  }

  /** @returns false when there is nothing to strike */
  #strike(kind: FaultKind): boolean {
    const random = this.#random
    const { network, servers } = this.#ensemble
    const server = random.pick(servers)
    const others = servers.filter((each) => each !== server)
    switch (kind) {
      case 'kill':
        return this.#down(server, () => server.kill())
      case 'killLeader': {
        const { leader } = this.#ensemble
        return leader !== undefined && this.#down(leader, () => leader.kill())
      }
      case 'powerLoss':
        return this.#down(server, () => server.powerLoss(this.#lossOf()))
      case 'powerLossOfAll':
        return servers
          .map((each) => this.#down(each, () => each.powerLoss(this.#lossOf())))
          .some(Boolean)
      case 'wipe':
        return this.#wipe(server)
      case 'pause':
        server.pause()
        return this.#until(random.exponential(3_000), () => server.goOn())
      case 'reset':
        network.reset(() => random.chance(0.3))
        return true
      case 'isolate':
        return this.#cut(
          others.flatMap((other) => [
            [server, other],
            [other, server],
          ]),
        )
      case 'halves': {
        const half = new Set(random.shuffled(servers).slice(0, Math.ceil(servers.length / 2)))
        return this.#cutWhere((a, b) => half.has(a) !== half.has(b))
      }
      case 'oneLink':
        if (others.length === 0) return false
        return this.#cutBoth(server, random.pick(others))
      case 'oneWay':
        if (others.length === 0) return false
        return this.#cut([[server, random.pick(others)]])
      case 'bridge':
        // Two groups that only one server can talk to both of.
        return this.#cutWhere((a, b) => a !== server && b !== server && a.id % 2 !== b.id % 2)
      case 'ring':
        return this.#cutWhere((a, b) => {
          const apart = Math.abs(a.id - b.id)
          return apart !== 1 && apart !== servers.length - 1
        })
      case 'slowDisk':
        server.slowDisk(random.between(10, 100))
        return this.#until(random.exponential(3_000), () => server.slowDisk(1))
      case 'clockJump':
        server.clock.jump(random.between(-1, 1) * 10 ** random.between(2, 10))
        return true
      case 'killClient':
        return this.#workload.kill(random)
      case 'pauseClient':
        return this.#workload.pause(random, (resume) =>
          this.#until(random.exponential(5_000), resume),
        )
    }
  }

  #down(server: SimServer, stop: () => void): boolean {
    if (!server.isUp) return false
    stop()
    this.#ensemble.lostProcess(server)
    return this.#until(this.#random.exponential(1_500), () => server.start())
  }

  /** One at a time, and only while the others hold all: nothing could be promised otherwise. */
  #wipe(server: SimServer): boolean {
    const { ledger, servers } = this.#ensemble
    const hold = servers.filter(({ id }) => (ledger.log(id).hardState?.currentEpoch ?? 0) > 0)
    if (servers.length < 3 || hold.length < servers.length) return false
    const last = ledger.committed.at(-1)
    if (last === undefined || ledger.holders(last) < servers.length) return false
    this.#down(server, () => server.wipe())
    this.#ensemble.lostDisk(server)
    return true
  }

  #lossOf(): (count: number) => number {
    const keep = this.#random.pick([0, 0.5, 1])
    return (count) => (this.#random.chance(keep) ? this.#random.below(count) : 0)
  }

  #cutBoth(a: SimServer, b: SimServer): boolean {
    return this.#cut([
      [a, b],
      [b, a],
    ])
  }

  #cutWhere(parts: (a: SimServer, b: SimServer) => boolean): boolean {
    const { servers } = this.#ensemble
    return this.#cut(
      servers.flatMap((a) =>
        servers.flatMap((b): Cut[] => (a !== b && parts(a, b) ? [[a, b]] : [])),
      ),
    )
  }

  #cut(cuts: readonly Cut[]): boolean {
    const { network } = this.#ensemble
    if (cuts.length === 0) return false
    for (const [from, to] of cuts) network.block(serverPlace(from.id), serverPlace(to.id))
    return this.#until(this.#random.between(500, 10_000), () => network.heal(0.3))
  }

  #until(delayMs: number, mend: () => void): true {
    this.#schedule.after(delayMs, () => {
      if (!this.#isOver) mend()
    })
    return true
  }
}

type Cut = readonly [SimServer, SimServer]
