import type { ServerId } from '@conclave/protocol'
import type { ReplicaConfig } from '../config.js'
import type { Context } from './context.js'
import type { LearnerHandler } from './learner-handler.js'
import type { ZabHost } from './ports.js'
import { majority } from './quorum.js'

/** The learners of one leadership, each in its latest join, and how they add up to quorums. */
export class Roster {
  readonly #config: ReplicaConfig
  readonly #host: ZabHost
  readonly #learners = new Map<ServerId, LearnerHandler>()

  constructor({ config, host }: Context) {
    this.#config = config
    this.#host = host
  }

  get learners(): Iterable<readonly [ServerId, LearnerHandler]> {
    return this.#learners
  }

  get(id: ServerId): LearnerHandler | undefined {
    return this.#learners.get(id)
  }

  add(id: ServerId, learner: LearnerHandler): void {
    this.remove(id)
    this.#learners.set(id, learner)
  }

  /** True when it was there. */
  remove(id: ServerId): boolean {
    this.#learners.get(id)?.close()
    const isKnown = this.#learners.delete(id)
    if (isKnown) this.#host.learnerLost(id)
    return isKnown
  }

  /** One value for each voter: the leader's own, the learners', and one for who is not here. */
  ofVoters<T>(values: {
    readonly own: T
    readonly absent: T
    readonly learner: (learner: LearnerHandler) => T
  }): readonly T[] {
    const { serverId, voters } = this.#config
    return voters.map((voter) => {
      if (voter === serverId) return values.own
      const learner = this.#learners.get(voter)
      return learner === undefined ? values.absent : values.learner(learner)
    })
  }

  /** Whether those voters that fit are a quorum. */
  isQuorum(fits: {
    readonly own: boolean
    readonly learner: (learner: LearnerHandler) => boolean
  }): boolean {
    const voters = this.ofVoters({ ...fits, absent: false })
    return voters.filter(Boolean).length >= majority(voters.length)
  }
}
