import type { SessionId } from '@conclave/protocol'
import type { Clients } from '../clients.js'
import type { Ensemble } from '../ensemble.js'
import type { Random } from '../random.js'
import type { Schedule } from '../schedule.js'
import { SimClock } from '../sim-clock.js'
import type { Swarm } from '../swarm.js'
import type { TraceHash } from '../trace-hash.js'
import { Violation } from '../violation.js'
import { Oracles } from './oracles.js'
import { Program } from './program.js'
import { SimProcess } from './sim-process.js'

/** Programs that use recipes, all of the same few things. */
export class RecipeWorkload implements Clients {
  readonly counts = new Map<string, number>()
  readonly #swarm: Swarm
  readonly #schedule: Schedule
  readonly #random: Random
  readonly #ensemble: Ensemble
  readonly #hash: TraceHash
  readonly #oracles: Oracles
  readonly #programs: Program[] = []
  #made = 0
  #isOver = false

  constructor(
    swarm: Swarm,
    parts: {
      readonly schedule: Schedule
      readonly random: Random
      readonly ensemble: Ensemble
      readonly hash: TraceHash
    },
  ) {
    this.#swarm = swarm
    this.#schedule = parts.schedule
    this.#random = parts.random
    this.#ensemble = parts.ensemble
    this.#hash = parts.hash
    // The time of a lease is that of the leader's wall clock, whoever leads.
    const isOneTime = swarm.clocks.offsetMsMax === 0
    this.#oracles = new Oracles(({ kind }) => kind !== 'timedLease' || isOneTime)
    for (const invariant of this.#oracles.invariants) this.#ensemble.watch(invariant)
    for (let i = 0; i < swarm.clients; i++) this.#place(i)
  }

  expired(sessionId: SessionId): void {
    const program = this.#programs.find((each) => each.countsOn(sessionId))
    if (program === undefined) return
    throw new Violation('C2', `${program.name} counts on the session ${sessionId}, which is over`)
  }

  end(): void {
    this.#isOver = true
  }

  /** G4: everybody is done. */
  judge(): void {
    for (const { name, waitsFor } of this.#programs) {
      const [waiting] = waitsFor.values()
      if (waiting !== undefined) throw new Violation('G4', `${name} waits for ${waiting}`)
    }
    this.#oracles.writes.judgeEnd()
  }

  leave(): void {
    for (const { process } of this.#programs) process.kill()
  }

  kill(random: Random): boolean {
    const index = random.below(this.#programs.length)
    this.#programs[index]?.process.kill()
    this.#place(index)
    return true
  }

  pause(random: Random, resumeLater: (resume: () => void) => void): boolean {
    const { process } = random.pick(this.#programs)
    process.pause()
    resumeLater(() => process.goOn())
    return true
  }

  goOn(): void {
    for (const { process } of this.#programs) process.goOn()
  }

  #place(index: number): void {
    this.#made += 1
    const place = `client-${this.#made}`
    const random = this.#random.split(place)
    const schedule = this.#schedule
    const ensemble = this.#ensemble
    const clock = new SimClock(schedule, random.split('clock'), this.#swarm.clocks)
    const process = new SimProcess(() => ensemble.promised())
    const program = new Program(
      { place, process, clock, schedule, random, ensemble },
      {
        oracles: this.#oracles,
        hash: this.#hash,
        counts: this.counts,
        isOver: () => this.#isOver,
      },
    )
    this.#programs[index] = program
    program.ended.catch((error: unknown) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#ensemble.violation ??=
        error instanceof Violation ? error : new Violation('G5', `${place}: ${message}`)
    })
  }
}
