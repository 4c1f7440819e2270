import { Fifo, limits, type SessionId, type Zxid } from '@conclave/protocol'
import type {
  Ask,
  AskOf,
  CreationRefusal,
  LeaderAnswer,
  PeerFrameOf,
} from '@conclave/protocol/peer'
import { assertNever } from '../assert.js'
import type { ConnectionId } from '../input.js'
import { isHeavy } from './heavy-op.js'
import { LeaderDesk } from './leader-desk.js'
import type { Confirmation, LeaderAnswers, WriteDecision, WriteKey } from './leader-port.js'
import type { Leadership } from './leadership.js'
import type { TurnBudget } from './turn-budget.js'

/** The desk of one learner, for one join: asks come in frames, and answers leave in frames. */
export class LearnerDesk implements LeaderAnswers {
  readonly #tag: Pick<PeerFrameOf<'ask'>, 'epoch' | 'join'>
  readonly #leadership: Leadership
  readonly #desk: LeaderDesk
  readonly #budget: TurnBudget
  /** Each until the leader has applied what it had committed when the ask came. */
  readonly #asks = new Fifo<{ readonly ask: Ask; readonly zxid: Zxid }>()
  readonly #rounds = new Fifo<AskedRound>()
  /** Since the last round. */
  #touched = new Set<SessionId>()
  #answers: LeaderAnswer[] = []
  #isOpen = true

  constructor(
    leadership: Leadership,
    budget: TurnBudget,
    { epoch, join }: Pick<PeerFrameOf<'ask'>, 'epoch' | 'join'>,
  ) {
    this.#tag = { epoch, join }
    this.#leadership = leadership
    this.#desk = new LeaderDesk(leadership, this)
    this.#budget = budget
  }

  asked(asks: readonly Ask[]): void {
    const zxid = this.#leadership.lastCommitted
    for (const ask of asks) this.#asks.push({ ask, zxid })
    this.#goOn()
  }

  /** The learner may have applied more, and told its clients: it is answered by all of that. */
  applied(zxid: Zxid): void {
    const head = this.#asks.at(0)
    if (head !== undefined && head.zxid <= zxid) this.#goOn()
  }

  /** The link to the learner, or its join, is over. */
  close(): void {
    this.#isOpen = false
    this.#answers = []
  }

  roundConfirmed(round: number): void {
    this.#desk.confirmed(round)
  }

  get hasOutput(): boolean {
    return this.#answers.length > 0
  }

  /** @param zxid up to which the leader has committed */
  takeFrames(zxid: Zxid): readonly PeerFrameOf<'answer'>[] {
    const frames: PeerFrameOf<'answer'>[] = []
    for (let from = 0; from < this.#answers.length; from += limits.asksPerFrameMax) {
      const answers = this.#answers.slice(from, from + limits.asksPerFrameMax)
      frames.push({ frame: 'answer', ...this.#tag, zxid, answers })
    }
    if (frames.length > 0) this.#answers = []
    return frames
  }

  decided({ sessionId, attach, xid }: WriteKey, decision: WriteDecision): void {
    const write = { sessionId, attach, xid }
    if (decision.decision === 'refused') {
      return this.#answer({ answer: 'refused', ...write, failure: decision.failure })
    }
    const { turn, ackedXid } = decision
    this.#answer({ answer: 'held', ...write, turn, ackedXid })
  }

  confirmed({ round, isEnding, verdicts }: Confirmation): void {
    const ending: SessionId[] = []
    let last = 0
    for (let head = this.#rounds.at(0); head !== undefined; head = this.#rounds.at(0)) {
      if (head.own > round) break
      this.#rounds.shift()
      last = head.asked
      for (const sessionId of head.touched) if (isEnding(sessionId)) ending.push(sessionId)
    }
    if (last === 0 && verdicts.length === 0) return
    this.#answer({ answer: 'confirmed', round: last, ending, verdicts })
  }

  creationRefused(nonceHash: Uint8Array, reason: CreationRefusal): void {
    this.#answer({ answer: 'creationRefused', nonceHash, reason })
  }

  moved(sessionId: SessionId, attach: number): void {
    this.#answer({ answer: 'moved', sessionId, attach })
  }

  /** In their order; a heavy write, and all behind it, waits for a turn that can afford it. */
  #goOn(): void {
    const applied = this.#leadership.lastApplied
    for (let head = this.#asks.at(0); head !== undefined; head = this.#asks.at(0)) {
      const { ask, zxid } = head
      if (!this.#isOpen || zxid > applied) return
      const mayWait = ask.ask === 'write' && isHeavy(ask.op)
      if (mayWait && this.#budget.defers(this, () => this.#goOn())) return
      this.#asks.shift()
      this.#take(ask, zxid)
    }
  }

  #take(ask: Ask, zxid: Zxid): void {
    const desk = this.#desk
    switch (ask.ask) {
      case 'write':
        return desk.write(ask)
      case 'createSession':
        return desk.createSession(ask.nonceHash, ask.sessionTimeoutMs)
      case 'claim':
        return desk.claim({ ...ask, connection: ask.connection as ConnectionId }, zxid)
      case 'touch':
        return this.#touch(ask)
      case 'acked':
        return desk.acked(ask.sessionId, ask.ackedXid)
      case 'identify':
        return desk.identify(ask.sessionId, ask.attach, ask.identities)
      case 'round':
        this.#rounds.push({ asked: ask.round, own: desk.startRound(), touched: this.#touched })
        this.#touched = new Set()
        return
      default:
        return assertNever(ask)
    }
  }

  #touch({ sessionIds }: AskOf<'touch'>): void {
    for (const sessionId of sessionIds) {
      this.#desk.touch(sessionId)
      this.#touched.add(sessionId)
    }
  }

  #answer(answer: LeaderAnswer): void {
    if (this.#isOpen) this.#answers.push(answer)
  }
}

/** A round of the learner, and the leader's own that proves it. */
interface AskedRound {
  readonly asked: number
  readonly own: number
  readonly touched: ReadonlySet<SessionId>
}
