import { setTimeout as pause } from 'node:timers/promises'
import type { EnsembleFaults } from './ensemble-faults.js'
import type { Fault, Round, Victims } from './ensemble-plan.js'
import type { EnsembleProcess, ProcessStatus } from './ensemble-process.js'
import type { ExactlyOnceWriter } from './exactly-once-writer.js'
import type { Participant } from './ground-truth.js'
import { LeavingWriter } from './leaving-writer.js'
import { visit } from './visit.js'
import type { WireObserver, WireSpy } from './wire-spy.js'

/** What a round has struck. */
export interface Struck {
  readonly round: Round
  readonly victims: readonly number[]
  /** Writes without an answer when it struck. */
  readonly unanswered: number
  /** Of the leaders before and after it. */
  readonly epochs: readonly [number, number]
}

/** A writer and the one server that it knows; null when it knows all. */
export interface PlacedWriter {
  readonly writer: ExactlyOnceWriter
  readonly home: number | null
}

/** Strikes servers and their links under the writers, and heals them again. */
export class EnsembleRounds implements WireObserver {
  readonly writers: PlacedWriter[] = []
  readonly leavers: LeavingWriter[] = []
  readonly visitors: Participant[] = []
  readonly #ensemble: EnsembleProcess
  readonly #faults: EnsembleFaults
  #hasStarted = false
  #strike: (() => void) | null = null
  #strikesAt = 0

  constructor(ensemble: EnsembleProcess, faults: EnsembleFaults) {
    this.#ensemble = ensemble
    this.#faults = faults
  }

  /** All writers are there: they write from now on. */
  start(): void {
    this.#hasStarted = true
    for (const { writer } of this.writers) writer.write()
  }

  inFlightMax(): number {
    return this.#hasStarted ? inFlightMax : 0
  }

  sent(): void {}

  /**
   * A fault strikes before anybody has looked at the message that it follows: an answer that was
   * given too early must not have time to become true.
   */
  arriving(): void {
    const strike = this.#strike
    if (strike === null || this.#replies() < this.#strikesAt) return
    this.#strike = null
    strike()
  }

  arrived(): void {}

  async round(round: Round, number: number): Promise<Struck> {
    const { fault, afterReplies, hasLeaver } = round
    const { ids } = this.#ensemble
    const before = await this.#led(ids)
    const victims = victimsOf(fault.victims, before, number)
    const others = ids.filter((id) => !victims.includes(id))
    const leaver = hasLeaver ? await this.#leaver(victims, number) : null
    const blow = await this.#after(afterReplies, () => this.#faults.strike(fault, victims, others))
    await blow.done
    await leaver?.leave()
    if (others.length > 0) await this.#othersGoOn(fault, others)
    if (fault.fault === 'stand' && fault.outlasts === 'session') await this.#isGone(leaver)
    this.#faults.heal(fault, victims)
    const after = await this.#led(ids)
    await this.#allServe(number)
    return { round, victims, unanswered: blow.unanswered, epochs: [before.epoch, after.epoch] }
  }

  /** Calls nothing more; resolves when every promise has settled and all servers hold the same. */
  async finish(): Promise<void> {
    const stopping = Promise.all(this.writers.map(({ writer }) => writer.stop()))
    let hasStopped = false
    void stopping.then(() => {
      hasStopped = true
    })
    await this.#until('every promise has settled', () => hasStopped)
    await this.#until('all servers hold the same', async () => {
      const statuses = await this.#statuses(this.#ensemble.ids)
      const zxids = new Set(statuses.map((status) => (status?.lag === 0 ? status.zxid : null)))
      return ledBy(statuses) !== null && zxids.size === 1 && !zxids.has(null)
    })
  }

  /** @returns once it has struck: what resolves when it is done, and how many it has hit */
  #after(
    replies: number,
    strike: () => Promise<void>,
  ): Promise<{ readonly done: Promise<void>; readonly unanswered: number }> {
    return new Promise((resolve) => {
      this.#strikesAt = this.#replies() + replies
      this.#strike = () => {
        const unanswered = this.#spies().reduce((sum, { pending }) => sum + pending.size, 0)
        resolve({ done: strike(), unanswered })
      }
    })
  }

  async #leaver([home]: readonly number[], number: number): Promise<LeavingWriter | null> {
    if (home === undefined) return null
    const leaver = await LeavingWriter.join(this.#ensemble.url(home), `gone-${number}`)
    this.leavers.push(leaver)
    return leaver
  }

  /** Those who are not struck have a leader, and their clients write. */
  async #othersGoOn(fault: Fault, others: readonly number[]): Promise<void> {
    const isOneLink = 'from' in fault && fault.from === 'one'
    // A server that cannot reach a leader whom the others follow has to wait, and its clients too.
    const served = isOneLink ? others.slice(1) : others
    if (!isOneLink) await this.#led(fault.victims === 'none' ? this.#ensemble.ids : others)
    await this.#write(({ home }) => home === null || served.includes(home))
  }

  async #allServe(number: number): Promise<void> {
    const visits = this.#ensemble.ids.map((id) =>
      visit(this.#ensemble.url(id), `/visit-${number}-${id}`),
    )
    this.visitors.push(...(await Promise.all(visits)))
    await this.#write(() => true)
  }

  /** Some more calls of each of these settle. */
  async #write(isMeant: (placed: PlacedWriter) => boolean): Promise<void> {
    const goals = this.writers
      .filter(isMeant)
      .map(({ writer }) => ({ writer, goal: writer.settled + settledPerPhase }))
    await this.#until('every client writes', () =>
      goals.every(({ writer, goal }) => writer.settled >= goal),
    )
  }

  async #isGone(leaver: LeavingWriter | null): Promise<void> {
    const roaming = this.writers.find(({ home }) => home === null)
    if (leaver === null || roaming === undefined) return
    const { client } = roaming.writer
    await this.#until('an abandoned session has expired', async () => {
      return (await client.exists(leaver.ephemeral)) === null
    })
  }

  /** Resolves to the leader once these all follow one, or are it. */
  async #led(ids: readonly number[]): Promise<Led> {
    let found: Led | null = null
    await this.#until(`one of ${ids.join()} leads`, async () => {
      found = ledBy(await this.#statuses(ids))
      return found !== null
    })
    return found as unknown as Led
  }

  #statuses(ids: readonly number[]): Promise<readonly (ProcessStatus | null)[]> {
    return Promise.all(ids.map((id) => this.#ensemble.status(id)))
  }

  /** @throws Error with all that servers and clients say, when it takes too long */
  async #until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + patienceMs
    while (!(await holds())) {
      const faults = this.writers.flatMap(({ writer }) => writer.faults)
      if (faults.length > 0) throw new Error(faults[0])
      if (performance.now() > end) throw new Error(`in vain: ${what}; ${await this.#picture()}`)
      await pause(10)
    }
  }

  async #picture(): Promise<string> {
    const servers = await this.#statuses(this.#ensemble.ids)
    const clients = this.writers.map(({ home, writer: { client, settled } }) => ({
      home,
      state: client.state,
      settled,
    }))
    return JSON.stringify({ servers, clients })
  }

  #spies(): readonly WireSpy[] {
    return this.writers.map(({ writer }) => writer.spy)
  }

  #replies(): number {
    return this.#spies().reduce((sum, { replies }) => sum + replies, 0)
  }
}

interface Led {
  readonly leader: number
  readonly followers: readonly number[]
  readonly epoch: number
}

const ledBy = (statuses: readonly (ProcessStatus | null)[]): Led | null => {
  const known = statuses.filter((status) => status !== null)
  const leaders = known.filter(({ role }) => role === 'leading')
  const followers = known.filter(({ role }) => role === 'following')
  const [leader, ...rivals] = leaders
  if (leader === undefined || rivals.length > 0) return null
  const { epoch } = leader
  const isWhole = leaders.length + followers.length === statuses.length
  if (!isWhole || followers.some((follower) => follower.epoch !== epoch)) return null
  return { leader: leader.id, followers: followers.map(({ id }) => id), epoch }
}

/** @param turn picks the follower */
const victimsOf = (victims: Victims | 'none', led: Led, turn: number): readonly number[] => {
  const { leader, followers } = led
  const minority = Math.floor(followers.length / 2)
  switch (victims) {
    case 'leader':
      return [leader]
    case 'follower':
      return [followers[turn % followers.length] as number]
    case 'minority':
      return [leader, ...followers.slice(0, minority - 1)]
    case 'all':
      return [leader, ...followers]
    case 'none':
      return []
  }
}

const inFlightMax = 4
const settledPerPhase = 20
const patienceMs = 60_000
