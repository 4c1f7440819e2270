import type { ServerId } from '@conclave/protocol'
import type { ReplicaConfig } from '../config.js'
import type { LearnerHandler } from './learner-handler.js'

/** The learners of one leadership, each in its latest join, and how they add up to quorums. */
export class Roster {
  readonly #config: ReplicaConfig
  readonly #learners = new Map<ServerId, LearnerHandler>()

  constructor(config: ReplicaConfig) {
    this.#config = config
  }

  get learners(): Iterable<readonly [ServerId, LearnerHandler]> {
    return this.#learners
  }

  get(id: ServerId): LearnerHandler | undefined {
    return this.#learners.get(id)
  }

  add(id: ServerId, learner: LearnerHandler): void {
    this.#learners.set(id, learner)
  }

  /** True when it was there. */
  remove(id: ServerId): boolean {
    return this.#learners.delete(id)
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
}
