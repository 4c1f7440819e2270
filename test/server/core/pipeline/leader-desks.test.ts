import t from 'tap'
import type { SessionId, Xid, Zxid } from '@conclave/protocol'
import type { ConnectionId } from '#server/core/input.js'
import { LeaderDesk } from '#server/core/pipeline/leader-desk.js'
import type { Claim, LeaderAnswers } from '#server/core/pipeline/leader-port.js'
import { LearnerDesk } from '#server/core/pipeline/learner-desk.js'
import type { Leadership } from '#server/core/pipeline/leadership.js'
import { TurnBudget } from '#server/core/pipeline/turn-budget.js'

/** It has committed more than it has applied. */
class Behind {
  readonly lastCommitted = 7 as Zxid
  lastApplied = 5 as Zxid
  readonly heard: string[] = []

  touch(sessionId: SessionId): void {
    this.heard.push(`touch ${sessionId}`)
  }

  claim({ sessionId }: Claim): unknown {
    this.heard.push(`claim ${sessionId}`)
    return { verdict: 'granted' }
  }

  startRound(): number {
    return 1
  }
}

const nobody: LeaderAnswers = {
  decided: () => undefined,
  confirmed: () => undefined,
  creationRefused: () => undefined,
  moved: () => undefined,
}

const claimOf = (sessionId: number): Claim => ({
  connection: 1 as ConnectionId,
  sessionId: sessionId as SessionId,
  nonceHash: new Uint8Array(32),
  attach: 1,
  ackedXid: 0 as Xid,
  refusedXid: 0 as Xid,
  lastZxidSeen: 0 as Zxid,
  identities: [],
})

t.test('ENSEMBLE-60 a leader hears what servers ask when it has applied as much', async (t) => {
  const behind = new Behind()
  const tag = { epoch: 4, join: 1 } as ConstructorParameters<typeof LearnerDesk>[2]
  const desk = new LearnerDesk(behind as unknown as Leadership, new TurnBudget(), tag)
  desk.asked([{ ask: 'touch', sessionIds: [6 as SessionId] }])
  behind.lastApplied = 6 as Zxid
  desk.applied(behind.lastApplied)
  t.same(behind.heard, [], 'txn 7 may be what creates a session')
  behind.lastApplied = 7 as Zxid
  desk.applied(behind.lastApplied)
  t.same(behind.heard, ['touch 6'])
})

t.test('ENSEMBLE-60 it judges its own clients by as much', async (t) => {
  const behind = new Behind()
  const desk = new LeaderDesk(behind as unknown as Leadership, nobody)
  desk.claim(claimOf(6))
  desk.applied(6 as Zxid)
  t.same(behind.heard, [])
  desk.applied(7 as Zxid)
  t.same(behind.heard, ['claim 6'])
})
