import type { ServerId, Zxid } from '@conclave/protocol'
import type { Context } from './context.js'
import { judgeDigests } from './digests.js'
import type { LearnerHandler } from './learner-handler.js'
import type { Roster } from './roster.js'

/** Holds the states of all servers of one leadership against each other, by digest. */
export class StateComparison {
  #isDivided = false

  /** Of the last states compared: some differ, and none is that of a majority of the voters. */
  get isDivided(): boolean {
    return this.#isDivided
  }

  /** @returns who has another state than a majority of the voters; the leader itself comes last */
  wrongAt(zxid: Zxid, { config, digests, host }: Context, roster: Roster): readonly ServerId[] {
    const own = digests.at(zxid)
    const digestOf = ({ digest }: LearnerHandler): string | undefined =>
      digest?.zxid === zxid ? digest.digest : undefined
    const judged = judgeDigests(roster.ofVoters({ own, absent: undefined, learner: digestOf }))
    const isDivided = judged.verdict === 'divided'
    if (isDivided && !this.#isDivided) host.trace({ trace: 'statesDiffer', zxid, wrong: null })
    this.#isDivided = isDivided
    if (judged.verdict !== 'known') return []
    const isWrong = (digest = judged.right): boolean => digest !== judged.right
    const wrong = [...roster.learners].flatMap(([id, learner]) =>
      isWrong(digestOf(learner)) ? [id] : [],
    )
    if (isWrong(own)) wrong.push(config.serverId)
    for (const id of wrong) host.trace({ trace: 'statesDiffer', zxid, wrong: id })
    return wrong
  }
}
