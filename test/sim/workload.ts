import type { ServerId, SessionId } from '@conclave/protocol'
import type { Clients } from './clients.js'
import type { Ensemble } from './ensemble.js'
import { drawEverydayOp } from './everyday-ops.js'
import { type History, newOperation } from './history.js'
import { HotPaths } from './hot-paths.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'
import { SimClient } from './sim-client.js'
import { SimClock } from './sim-clock.js'
import type { Swarm } from './swarm.js'
import { Violation } from './violation.js'

/** What the clients of a world ask for: a few znodes, so that they meet. */
export class Workload implements Clients {
  readonly #swarm: Swarm
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #ensemble: Ensemble
  readonly #history: History
  readonly #clients: SimClient[] = []
  /** Also those that are gone. */
  readonly #everyone: SimClient[] = []
  readonly #expiries: { readonly client: SimClient; readonly atMs: number }[] = []
  readonly #hot: HotPaths
  #made = 0
  #isOver = false

  constructor(
    swarm: Swarm,
    parts: {
      readonly schedule: Schedule
      readonly random: Random
      readonly ensemble: Ensemble
      readonly history: History
    },
  ) {
    this.#swarm = swarm
    this.#schedule = parts.schedule
    this.#random = parts.random
    this.#ensemble = parts.ensemble
    this.#history = parts.history
    this.#hot = new HotPaths(parts.schedule, swarm.thinkMsMean)
    for (let i = 0; i < swarm.clients; i++) this.#place(i)
  }

  /** The servers have given the session up, as one of them shows at this moment. */
  expired(sessionId: SessionId): void {
    for (const client of this.#everyone) {
      if (client.sessionId === sessionId) this.#expiries.push({ client, atMs: client.nowMs })
    }
  }

  /** C2: nobody counts on a session, or ever did, that others may take for ended. */
  judge(): void {
    for (const { client, atMs } of this.#expiries) {
      const { name, sessionId, deadlineMs } = client
      if (deadlineMs <= atMs) continue
      const when = `expired at ${atMs}, and it counted on it until ${deadlineMs}`
      throw new Violation('C2', `the session ${sessionId} of ${name} ${when}`)
    }
  }

  /** Nothing more is asked for; what was is still waited for. */
  end(): void {
    this.#isOver = true
    this.#hot.end()
  }

  leave(random: Random): void {
    for (const client of this.#everyone) {
      if (random.chance(0.5)) client.close()
      else client.kill()
    }
  }

  /** Somebody else takes its place soon. */
  kill(random: Random): boolean {
    const index = random.below(this.#clients.length)
    this.#clients[index]?.kill()
    this.#history.forget(this.#clients[index]?.name ?? '')
    return true
  }

  pause(random: Random, resumeLater: (resume: () => void) => void): boolean {
    const client = random.pick(this.#clients)
    client.pause()
    resumeLater(() => client.goOn())
    return true
  }

  goOn(): void {
    for (const client of this.#clients) client.goOn()
  }

  #place(index: number): void {
    this.#made += 1
    const name = `client-${this.#made}`
    const random = this.#random.split(name)
    const clock = new SimClock(this.#schedule, random.split('clock'), this.#swarm.clocks)
    const servers = Array.from(
      { length: this.#ensemble.servers.length },
      (_, i) => (i + 1) as ServerId,
    )
    const sessionTimeoutMs = random.pick([2_000, 10_000])
    const client = new SimClient(
      { name, servers, sessionTimeoutMs, isReader: random.chance(0.3) },
      {
        schedule: this.#schedule,
        clock,
        random,
        ensemble: this.#ensemble,
        history: this.#history,
      },
    )
    this.#clients[index] = client
    this.#everyone.push(client)
    if (random.chance(0.3)) client.follow({ client: name, items: [] })
    this.#askLater(client, index, random, 0)
    for (const process of ['x', 'y']) {
      this.#hot.start(client, `${name}-${process}`, random.split(process))
    }
  }

  #askLater(client: SimClient, index: number, random: Random, count: number): void {
    this.#schedule.after(random.exponential(this.#swarm.askMsMean), () => {
      if (this.#isOver || this.#clients[index] !== client) return
      // Its session has ended: somebody else takes its place.
      if (!client.isAlive) return this.#place(index)
      for (let i = 0; i <= (random.chance(0.2) ? random.below(10) : 0); i++) {
        this.#ask(client, random, `${client.name}#${count}.${i}`)
      }
      if (random.chance(closes)) client.close()
      this.#askLater(client, index, random, count + 1)
    })
  }

  #ask(client: SimClient, random: Random, tag: string): void {
    const op = drawEverydayOp(random, { client: client.name, tag, isReader: client.isReader })
    const isTagged = 'data' in op
    const path = 'path' in op ? op.path : ''
    client.call(op, newOperation({ client: client.name, op, path, tag: isTagged ? tag : '' }))
  }
}

/** How many of the times at which a client asks for something are its last. */
const closes = 0.003
