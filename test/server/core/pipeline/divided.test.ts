import type { Epoch, SessionId, Xid, Zxid } from '@conclave/protocol'
import type { Txn, TxnBody } from '@conclave/protocol/peer'
import t from 'tap'
import { Leadership } from '#server/core/pipeline/leadership.js'
import { ReplicatedState } from '#server/core/pipeline/replicated-state.js'
import { TurnBudget } from '#server/core/pipeline/turn-budget.js'

const nonceOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const tickAt = (nowMs: number) => ({ input: 'tick', nowMs, wallMs: nowMs }) as const

/** A leadership over one session of a second, whose proposals go nowhere. */
const leading = () => {
  const state = new ReplicatedState()
  state.plant()
  const nobody = { sessionId: 0 as SessionId, xid: 0 as Xid, ackedXid: 0 as Xid, timeMs: 0 }
  const bodies: TxnBody[] = [
    { body: 'createEnsemble', ensembleId: 'e', digestAlgorithm: 1 },
    { body: 'createSession', sessionTimeoutMs: 1_000, nonceHash: nonceOf(1) },
  ]
  for (const [index, body] of bodies.entries()) {
    state.apply({ zxid: (index + 1) as Zxid, epoch: 1 as Epoch, ...nobody, body })
  }
  const proposed: string[] = []
  const broadcast = {
    nextZxid: 3 as Zxid,
    lastCommitted: 2 as Zxid,
    propose: (proposal: Omit<Txn, 'zxid' | 'epoch'>): Txn => {
      proposed.push(proposal.body.body)
      return { zxid: 3 as Zxid, epoch: 1 as Epoch, ...proposal }
    },
    startRound: () => 1,
    trace: () => undefined,
  }
  const start = { tick: tickAt(0), hasSpace: true }
  return { leadership: new Leadership(state, broadcast, new TurnBudget(), start), proposed }
}

t.test('ZAB-42 no session begins or ends while the states of the servers differ', async (t) => {
  const { leadership, proposed } = leading()
  leadership.divided(true)
  t.equal(leadership.createSession(nonceOf(2), 1_000), 'divided')
  for (let nowMs = 50; nowMs <= 3_000; nowMs += 50) {
    leadership.tick(tickAt(nowMs))
    leadership.beforeDrain()
  }
  t.strictSame(proposed, [])
  leadership.divided(false)
  t.equal(leadership.createSession(nonceOf(2), 1_000), null)
  leadership.tick(tickAt(3_050))
  leadership.beforeDrain()
  t.strictSame(proposed, ['createSession'], 'no time has passed for the session')
})
