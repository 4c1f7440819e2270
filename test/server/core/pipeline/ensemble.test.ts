import t from 'tap'
import { limits, type Op, type ServerId } from '@conclave/protocol'
import { Ensemble, ids } from '../../../support/ensemble-kit.js'
import { bytesOf, type ClientKit, create, getData, setData } from '../../../support/replica-kit.js'
import { reconnect, told } from '../../../support/session-kit.js'
import { closeSession } from '../../../support/tree-kit.js'

const linearizable: Op<'getData'> = { ...getData('/a'), linearizable: true }
const sync: Op<'sync'> = { op: 'sync', path: '/a' }

/** A leader that does not know yet that another one has taken over and written. */
const deposed = (): { readonly ensemble: Ensemble; readonly old: ServerId; stale: ClientKit } => {
  const ensemble = new Ensemble()
  const old = ensemble.leaderAmong(ids)
  const stale = ensemble.client(old)
  stale.send(create('/a', { data: bytesOf('before') }))
  ensemble.run()
  const others = ensemble.cutOff(old)
  const writer = ensemble.client(ensemble.leaderAmong(others))
  writer.send(setData('/a', bytesOf('after')))
  ensemble.run()
  const [written] = writer.take()
  if (written?.frame !== 'reply' || written.failure !== null) throw new Error('nothing is written')
  stale.take()
  return { ensemble, old, stale }
}

const valuesSeen = (client: ClientKit): unknown[] =>
  client
    .take()
    .flatMap((frame) => (frame.frame === 'reply' && frame.failure === null ? [frame.result] : []))
    .flatMap((result) => (Array.isArray(result) && result.length > 0 ? [result[0]] : []))

t.test('READ-3 a deposed leader answers no linearizable read with what is old', async (t) => {
  const { ensemble, old, stale } = deposed()
  stale.send(getData('/a'))
  t.same(valuesSeen(stale), [bytesOf('before')], 'a local read may be old')
  stale.send(linearizable)
  t.same(stale.take(), [])
  ensemble.join(old)
  ensemble.kit(old).tick()
  ensemble.run()
  t.same(valuesSeen(stale), [])
})

t.test('READ-4 a deposed leader answers no sync, and no read behind one', async (t) => {
  const { ensemble, old, stale } = deposed()
  stale.send(sync)
  stale.send(getData('/a'))
  t.same(stale.take(), [])
  ensemble.join(old)
  ensemble.kit(old).tick()
  ensemble.run()
  t.same(valuesSeen(stale), [])
})

t.test('READ-3 the confirmation of an earlier question confirms no later one', async (t) => {
  const ensemble = new Ensemble()
  const leader = ensemble.leaderAmong(ids)
  const [early, late] = [ensemble.client(leader), ensemble.client(leader)]
  early.send(create('/a', { data: bytesOf('value') }))
  ensemble.run()
  early.take()
  early.send(linearizable)
  ensemble.carry(leader)
  late.send(linearizable)
  for (const follower of ids.filter((id) => id !== leader)) ensemble.carry(follower)
  t.same(valuesSeen(early), [bytesOf('value')])
  t.same(late.take(), [])
  ensemble.run()
  t.same(valuesSeen(late), [bytesOf('value')])
})

t.test('READ-3 READ-4 a leader answers once a quorum has confirmed it', async (t) => {
  const ensemble = new Ensemble()
  const client = ensemble.client(ensemble.leaderAmong(ids))
  client.send(create('/a', { data: bytesOf('x') }))
  ensemble.run()
  client.take()
  for (const op of [linearizable, sync, getData('/a')]) client.send(op)
  t.same(client.take(), [], 'not before')
  ensemble.run()
  t.same(valuesSeen(client), [bytesOf('x'), bytesOf('x')])
})

/** A leader that loses its leadership while a closeSession is only in its own log. */
const closing = (): {
  ensemble: Ensemble
  leader: ServerId
  closer: ClientKit
  late: ClientKit
} => {
  const ensemble = new Ensemble()
  const leader = ensemble.leaderAmong(ids)
  const closer = ensemble.client(leader)
  closer.send(closeSession)
  const late = reconnect(closer)
  ensemble.isolate(leader)
  t.equal(ensemble.kit(leader).replica.status.role, 'looking')
  return { ensemble, leader, closer, late }
}

t.test('SESSION-20 a closeSession that a later leadership commits ends them alike', async (t) => {
  const { ensemble, leader, closer, late } = closing()
  t.same([...told(closer), ...told(late)], [])
  ensemble.heal(leader)
  t.equal(ensemble.leaderAmong(ids), leader)
  const end = ['sessionExpired closed complete [1:ok]', 'closing sessionEnded']
  t.same(told(closer), end, 'its reply was lost with the leadership: it gets the outcome')
  t.same(told(late), end)
})

t.test(
  'SESSION-20 a connect waits for a leader when that of the closeSession is gone',
  async (t) => {
    const { ensemble, leader, late } = closing()
    const kit = ensemble.kit(leader)
    kit.tick(limits.noQuorumMs / limits.tickMs - 1)
    t.same(told(late), [])
    kit.tick()
    t.same(told(late), ['closing noQuorum'])
  },
)
