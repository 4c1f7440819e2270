import type { Op, ServerId } from '@conclave/protocol'
import { bytesOf, create, getData, remove, setData } from '../support/replica-kit.js'
import type { Ensemble } from './ensemble.js'
import type { History, Operation } from './history.js'
import type { Random } from './random.js'
import type { Schedule } from './schedule.js'
import { SimClient } from './sim-client.js'
import { SimClock } from './sim-clock.js'
import type { Swarm } from './swarm.js'

/** What the clients of a world ask for: a few znodes, so that they meet. */
export class Workload {
  readonly #swarm: Swarm
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #ensemble: Ensemble
  readonly #history: History
  readonly #clients: SimClient[] = []
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
    for (let i = 0; i < swarm.clients; i++) this.#place(i)
  }

  /** Nothing more is asked for; what was is still waited for. */
  end(): void {
    this.#isOver = true
  }

  /** @returns false when there was none to kill */
  kill(random: Random): boolean {
    const index = random.below(this.#clients.length)
    this.#clients[index]?.kill()
    this.#history.forget(this.#clients[index]?.name ?? '')
    this.#schedule.after(random.exponential(2_000), () => this.#place(index))
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
    const clock = new SimClock(this.#schedule, random.split('clock'), this.#swarm.clockDriftMax)
    const servers = Array.from({ length: this.#swarm.servers }, (_, i) => (i + 1) as ServerId)
    const sessionTimeoutMs = random.pick([2_000, 10_000])
    const client = new SimClient(
      { name, servers, sessionTimeoutMs },
      {
        schedule: this.#schedule,
        clock,
        random,
        ensemble: this.#ensemble,
        history: this.#history,
      },
    )
    this.#clients[index] = client
    this.#askLater(client, index, random, 0)
  }

  #askLater(client: SimClient, index: number, random: Random, count: number): void {
    this.#schedule.after(random.exponential(askMsMean), () => {
      if (this.#isOver || this.#clients[index] !== client) return
      // Its session has ended: somebody else takes its place.
      if (!client.isAlive) return this.#place(index)
      for (let i = 0; i <= (random.chance(0.2) ? random.below(10) : 0); i++) {
        this.#ask(client, random, `${client.name}#${count}.${i}`)
      }
      this.#askLater(client, index, random, count + 1)
    })
  }

  #ask(client: SimClient, random: Random, tag: string): void {
    const path = `/${random.pick(names)}`
    const data = bytesOf(tag)
    const version = random.chance(0.2) ? random.below(5) : -1
    const isLinearizable = random.chance(0.3)
    const dice = random.fraction()
    const ask = (op: Op, written: string): void => {
      const kind = op.op as Operation['kind']
      const unsettled = { calledMs: 0, settledMs: null, outcome: null, zxid: null, result: null }
      const about = { client: client.name, kind, path, tag: written }
      client.call(op, { ...about, isLinearizable: isReadOf(op, isLinearizable), ...unsettled })
    }
    if (dice < 0.2) ask(create(path, { data }), tag)
    else if (dice < 0.3) ask(create(path, { data, kind: 'persistentSequential' }), tag)
    else if (dice < 0.35) ask(create(`${path}-of-${client.name}`, { data, kind: 'ephemeral' }), tag)
    else if (dice < 0.6) ask(setData(path, data, version), tag)
    else if (dice < 0.7) ask(remove(path, version), '')
    else if (dice < 0.95) ask({ ...getData(path), linearizable: isLinearizable }, '')
    else ask({ op: 'sync', path }, '')
  }
}

const isReadOf = (op: Op, isLinearizable: boolean): boolean =>
  op.op === 'sync' || (op.op === 'getData' && isLinearizable)

const names = ['a', 'b', 'c', 'd', 'e'] as const
const askMsMean = 300
