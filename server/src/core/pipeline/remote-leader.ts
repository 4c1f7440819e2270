import {
  Fifo,
  type Identity,
  limits,
  type SessionId,
  type Xid,
  type Zxid,
} from '@conclave/protocol'
import type { Ask, LeaderAnswer, PeerFrameOf } from '@conclave/protocol/peer'
import { assertNever } from '../assert.js'
import type { ConnectionId } from '../input.js'
import type { Claim, LeaderAnswers, LeaderPort, WriteRequest } from './leader-port.js'

/**
 * The leader that this server follows, in one join. What it says is heard when this server has
 * applied all that the leader had committed when it said so: so events and replies keep their
 * order, a session that is unknown here is unknown, and a read shows what it must.
 */
export class RemoteLeader implements LeaderPort {
  readonly #answers: LeaderAnswers
  /** In their order, each part fit for a frame. */
  #parts: Ask[][] = []
  #partBytes = 0
  readonly #touched = new Set<SessionId>()
  readonly #unheard = new Fifo<Answered>()
  #round = 0
  #isRoundWanted = false
  #isTicked = false

  constructor(answers: LeaderAnswers) {
    this.#answers = answers
  }

  write(request: WriteRequest, bytes: number): void {
    const { sessionId, attach, turn, xid, ackedXid, refusedSeen, op } = request
    const ask = { ask: 'write', sessionId, attach, turn, xid, ackedXid, refusedSeen, op } as const
    this.#ask(ask, bytes)
  }

  createSession(nonceHash: Uint8Array, sessionTimeoutMs: number): void {
    this.#ask({ ask: 'createSession', nonceHash, sessionTimeoutMs })
  }

  claim(claim: Claim): void {
    this.#ask({ ask: 'claim', ...claim })
    this.#isRoundWanted = true
  }

  touch(sessionId: SessionId): void {
    this.#touched.add(sessionId)
  }

  acked(sessionId: SessionId, ackedXid: Xid): void {
    this.#ask({ ask: 'acked', sessionId, ackedXid })
  }

  identify(sessionId: SessionId, attach: number, identities: readonly Identity[]): void {
    this.#ask({ ask: 'identify', sessionId, attach, identities })
  }

  startRound(): number {
    this.#isRoundWanted = true
    return this.#round + 1
  }

  /** Touches that nobody waits for leave with the ticks. */
  tick(): void {
    this.#isTicked = true
  }

  get hasOutput(): boolean {
    return this.#parts.length > 0 || this.#isRoundWanted
  }

  /** What was asked since the last time, in its order, each part fit for a frame. */
  takeAsks(): readonly (readonly Ask[])[] {
    if (this.#isRoundWanted || this.#isTicked) this.#askTouches()
    if (this.#isRoundWanted) this.#ask({ ask: 'round', round: ++this.#round })
    this.#isRoundWanted = false
    this.#isTicked = false
    const parts = this.#parts
    this.#parts = []
    return parts
  }

  /** @param applied what this server has applied */
  answered({ zxid, answers }: Answered, applied: Zxid): void {
    this.#unheard.push({ zxid, answers })
    this.applied(applied)
  }

  /** Up to here: what the leader said of it can be heard. */
  applied(zxid: Zxid): void {
    for (let head = this.#unheard.at(0); head !== undefined; head = this.#unheard.at(0)) {
      if (head.zxid > zxid) return
      this.#unheard.shift()
      for (const answer of head.answers) this.#hear(answer)
    }
  }

  /** The leader has committed what this server has not applied. */
  get isBehind(): boolean {
    return this.#unheard.length > 0
  }

  #hear(answer: LeaderAnswer): void {
    const answers = this.#answers
    switch (answer.answer) {
      case 'refused':
        return answers.decided(answer, { decision: 'refused', failure: answer.failure })
      case 'held': {
        const { turn, ackedXid } = answer
        return answers.decided(answer, { decision: 'held', turn, ackedXid })
      }
      case 'confirmed': {
        const { round } = answer
        const ending = new Set(answer.ending)
        const verdicts = answer.verdicts.map(({ connection, verdict }) => ({
          connection: connection as ConnectionId,
          verdict,
        }))
        return answers.confirmed({ round, verdicts, isEnding: (id) => ending.has(id) })
      }
      case 'creationRefused':
        return answers.creationRefused(answer.nonceHash, answer.reason)
      case 'moved':
        return answers.moved(answer.sessionId, answer.attach)
      default:
        return assertNever(answer)
    }
  }

  #ask(ask: Ask, bytes = smallAskBytes): void {
    const part = this.#parts.at(-1)
    const isFull =
      part?.length === limits.asksPerFrameMax || this.#partBytes >= limits.askBytesPerFrame
    if (part === undefined || isFull) {
      this.#parts.push([ask])
      this.#partBytes = bytes
    } else {
      part.push(ask)
      this.#partBytes += bytes
    }
  }

  #askTouches(): void {
    const sessionIds = [...this.#touched]
    this.#touched.clear()
    for (let from = 0; from < sessionIds.length; from += limits.asksPerFrameMax) {
      const some = sessionIds.slice(from, from + limits.asksPerFrameMax)
      this.#ask({ ask: 'touch', sessionIds: some }, some.length * bytesOfNumber)
    }
  }
}

type Answered = Pick<PeerFrameOf<'answer'>, 'zxid' | 'answers'>

/** About what an ask takes that holds no data. */
const smallAskBytes = 64
const bytesOfNumber = 9
