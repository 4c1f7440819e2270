import { limits, type ServerId, type SessionId, type Zxid } from '@conclave/protocol'
import type { Ask, LeaderAnswer, PeerFrame } from '@conclave/protocol/peer'
import t from 'tap'
import type { LeaderAnswers } from '#server/core/pipeline/leader-port.js'
import { RemoteLeader } from '#server/core/pipeline/remote-leader.js'
import { Ensemble, following } from '../../../support/ensemble-kit.js'
import { bytesOf, create, getData, type ReplicaKit, setData } from '../../../support/replica-kit.js'
import { ping, requestOf, together, told } from '../../../support/session-kit.js'
import { exists } from '../../../support/tree-kit.js'

t.test('ENSEMBLE-9 what waits is asked of the next leader, and the client stays', async (t) => {
  const { ensemble, leader, at, client } = following()
  ensemble.hold(at, leader)
  client.send(create('/a'))
  client.send(exists('/a', true))
  client.frame(ping(1))
  ensemble.run()
  t.same(told(client), [], 'the leader has heard of nothing')
  ensemble.cutOff(leader)
  t.same(told(client).sort(), ['pong 1', 'reply 1', 'reply 2'])
  t.equal(client.closed, undefined)
})

t.test('ZAB-80 a leader that ends is succeeded without a tick', async (t) => {
  const { ensemble, leader, client } = following()
  client.send(create('/a'))
  ensemble.lose(leader)
  t.same(told(client), ['reply 1'], 'the next one has answered')
})

t.test('ZAB-80 a leader that hands over is succeeded without a tick', async (t) => {
  for (const isBusy of [false, true]) {
    const { ensemble, leader, at, client } = following()
    const old = ensemble.kit(leader)
    old.isDiskHeld = true
    const own = isBusy ? ensemble.client(leader) : null
    own?.send(create('/own'))
    old.step({ input: 'shutdown' })
    ensemble.run()
    t.equal(old.replica.status.role, 'looking')
    t.equal(ensemble.kit(at).replica.status.zxid, old.replica.status.zxid, 'nothing is left over')
    if (own !== null) t.same(told(own), ['reply 1', 'closing shutdown'])
    client.send(create('/a'))
    ensemble.lose(leader)
    t.same(told(client), ['reply 1'])
  }
})

t.test('ENSEMBLE-9 what was proposed is answered when synchronization brings it', async (t) => {
  const { ensemble, leader, at, client } = following()
  const [other] = ensemble.followers.filter((id) => id !== at) as [ServerId]
  ensemble.hold(leader, other)
  ensemble.kit(leader).isDiskHeld = true
  client.send(create('/a', { kind: 'persistentSequential' }))
  ensemble.run()
  t.same(told(client), [], 'it is in the logs, and committed nowhere')
  ensemble.cutOff(leader)
  const [reply, ...more] = client.take()
  t.match(reply, { frame: 'reply', xid: 1, failure: null })
  t.same(more, [])
  client.send({ ...exists('/a0000000001'), linearizable: true })
  ensemble.run()
  t.match(client.take(), [{ result: [null] }], 'it ran once')
})

t.test('ENSEMBLE-9 requests of a deposed leader run once, under the next', async (t) => {
  const ensemble = new Ensemble()
  const { leader } = ensemble
  const client = ensemble.client(leader)
  client.send(create('/a', { kind: 'persistentSequential' }))
  ensemble.isolate(leader)
  t.equal(ensemble.kit(leader).replica.status.role, 'looking')
  client.send(setData('/a0000000000', bytesOf('x')))
  client.send(getData('/a0000000000'))
  t.same(told(client), [])
  ensemble.heal(leader)
  ensemble.tick(5)
  t.same(told(client), ['reply 1', 'reply 2', 'reply 3'])
  t.equal(client.closed, undefined)
})

t.test('ENSEMBLE-9 the connection tells the new leader that it has the session', async (t) => {
  const { ensemble, leader, at, client } = following()
  const [other] = ensemble.followers.filter((id) => id !== at) as [ServerId]
  client.send(create('/a'))
  ensemble.run()
  client.take()
  ensemble.cutOff(leader)
  const older = ensemble.reconnect(client, other, { attach: 0 })
  t.same(told(older), ['closing sessionMoved'], 'although the new leader never saw it attach')
  client.send(setData('/a', null))
  ensemble.run()
  t.same(told(client), ['reply 2'])
})

t.test('ENSEMBLE-10 a server without a leader reads for who has no write waiting', async (t) => {
  const { ensemble, at, client } = following()
  const writer = ensemble.client(at)
  client.send(create('/a', { data: bytesOf('x') }))
  ensemble.run()
  client.take()
  ensemble.isolate(at)
  const kit = ensemble.kit(at)
  t.equal(kit.replica.status.role, 'looking')
  client.send(getData('/a'))
  t.same(told(client), ['reply 2'])
  writer.send(setData('/a', null))
  writer.send(getData('/a'))
  client.send(exists('/a', true))
  const late = kit.open()
  late.connect()
  t.same([...told(writer), ...told(client), ...told(late)], [])
  kit.tick(limits.noQuorumMs / limits.tickMs - 1)
  t.same([...told(writer), ...told(client), ...told(late)], [])
  kit.tick()
  for (const left of [writer, client, late]) t.same(told(left), ['closing noQuorum'])
})

t.test('ENSEMBLE-11 a server that does not apply what it knows of is left', async (t) => {
  const { ensemble, leader, at, client } = following()
  const { replica } = ensemble.kit(at)
  const { epoch, zxid } = replica.status
  const asked = (() => {
    ensemble.hold(at, leader)
    client.frame(ping(1))
    ensemble.run()
    return ensemble.heldFrames(at, leader).find((frame) => frame.frame === 'ask')
  })()
  t.ok(asked !== undefined && 'join' in asked)
  const join = asked !== undefined && 'join' in asked ? asked.join : 0
  ensemble.release(at, leader)
  client.take()
  const answers: LeaderAnswer[] = []
  const ahead = { frame: 'answer', epoch, join, zxid: (zxid + 1) as Zxid, answers } as const
  const link = ensemble.linkOf(at, leader)
  ensemble.kit(at).step({ input: 'peerFrame', from: leader, link, frame: ahead })
  ensemble.tick(limits.noQuorumMs / limits.tickMs)
  t.same(told(client), [])
  ensemble.tick(1)
  t.same(told(client), ['closing noQuorum'])
})

t.test('ENSEMBLE-8 a read waits until its server has applied what the leader had', async (t) => {
  const heard: string[] = []
  const answers: LeaderAnswers = {
    decided: ({ xid }, { decision }) => heard.push(`${decision} ${xid}`),
    confirmed: ({ round }) => heard.push(`confirmed ${round}`),
    creationRefused: (_, reason) => heard.push(reason),
    moved: (sessionId, attach) => heard.push(`moved ${sessionId} ${attach}`),
  }
  const moved = { answer: 'moved', sessionId: 2 as SessionId, attach: 1 } as const
  const leader = new RemoteLeader(answers)
  t.equal(leader.startRound(), 1)
  t.equal(leader.startRound(), 1, 'shared by all who ask in a turn')
  const asks: readonly (readonly Ask[])[] = [[{ ask: 'round', round: 1 }]]
  t.same(leader.takeAsks(), asks)
  t.equal(leader.startRound(), 2)
  const confirmed = { answer: 'confirmed', round: 1, ending: [], verdicts: [] } as const
  leader.answered({ zxid: 7 as Zxid, answers: [confirmed] }, 5 as Zxid)
  leader.answered({ zxid: 7 as Zxid, answers: [moved] }, 6 as Zxid)
  t.same(heard, [])
  leader.applied(7 as Zxid)
  t.same(heard, ['confirmed 1', 'moved 2 1'])
})

t.test('ENSEMBLE-8 a linearizable read at a follower sees what others were told', async (t) => {
  const { ensemble, leader, at, client } = following()
  const writer = ensemble.client(leader)
  writer.send(create('/a', { data: bytesOf('old') }))
  ensemble.run()
  ensemble.hold(leader, at)
  writer.send(setData('/a', bytesOf('new')))
  ensemble.run()
  t.same(told(writer), ['reply 1', 'reply 2'])
  client.send(getData('/a'))
  t.match(client.take(), [{ result: [bytesOf('old')] }], 'a local read may be old')
  client.send({ ...getData('/a'), linearizable: true })
  client.send({ op: 'sync', path: '/a' })
  client.send(getData('/a'))
  ensemble.run()
  t.same(told(client), [])
  ensemble.release(leader, at)
  const replies = client.take()
  t.match(replies, [{ result: [bytesOf('new')] }, { xid: 3 }, { result: [bytesOf('new')] }])
})

t.test('ENSEMBLE-14 nobody answers for a leader that is not the leader any more', async (t) => {
  const { ensemble, leader, at, client } = following()
  const others = ensemble.cutOff(leader)
  t.ok(others.includes(at))
  client.send(create('/a'))
  ensemble.run()
  t.same(told(client), ['reply 1'])
  ensemble.join(leader)
  const stale = ensemble.client(leader)
  t.equal(stale.sessionId, 0, 'it confirms no attach')
})

t.test('ENSEMBLE-8 ENSEMBLE-14 an earlier round confirms no later question', async (t) => {
  const { ensemble, leader, at, client } = following()
  const [other] = ensemble.followers.filter((id) => id !== at) as [ServerId]
  const moving = ensemble.client(other)
  const confirmed = (): readonly unknown[] =>
    ensemble
      .heldFrames(leader, at)
      .flatMap((frame) => (frame.frame === 'answer' ? frame.answers : []))
      .map((answer) => (answer.answer === 'confirmed' ? answer.verdicts.length : answer))
  ensemble.hold(leader, at)
  ensemble.hold(other, leader)
  client.send(exists('/', true))
  ensemble.run()
  client.frame(ping(1))
  const moved = ensemble.reconnect(moving, at)
  t.same(confirmed(), [], 'no round has a quorum')
  ensemble.release(other, leader, 1)
  t.same(confirmed(), [0], 'the first question is answered, and no claim')
  ensemble.release(other, leader)
  t.same(confirmed(), [0, 0, 1])
  ensemble.release(leader, at)
  t.same(told(client), ['reply 1', 'pong 1'])
  t.same(told(moved), [`connected ${moving.sessionId} resumed`])
})

t.test('LIMIT-20 of the pings that wait the last ones are answered', async (t) => {
  const { ensemble, leader, at, client } = following()
  ensemble.hold(at, leader)
  const [most, count] = [limits.pingsPerConnectionMax, 40]
  for (let id = 1; id <= count; id++) client.frame(ping(id))
  ensemble.run()
  ensemble.release(at, leader)
  t.same(
    told(client),
    Array.from({ length: most }, (_, i) => `pong ${count - most + 1 + i}`),
  )
})

t.test(
  'ENSEMBLE-8 a leader, too, reads when it has applied what others may have told',
  async (t) => {
    const { ensemble, leader, at, client } = following()
    const [other] = ensemble.followers.filter((id) => id !== at) as [ServerId]
    const reader = ensemble.client(leader)
    client.send(create('/a'))
    ensemble.run()
    ensemble.hold(at, leader)
    ensemble.hold(other, leader)
    const count = limits.changesPerTurnMax + 10
    const writes = Array.from({ length: count }, (_, i) => setData('/a', bytesOf(`${i + 1}`)))
    together(writes.map((op, i) => [client, requestOf(op, i + 2)]))
    ensemble.run()
    ensemble.release(at, leader, 1)
    const kit = ensemble.kit(leader)
    const link = ensemble.linkOf(other, leader)
    const hear = (frame: PeerFrame): void =>
      kit.replica.step({ input: 'peerFrame', from: other, link, frame })
    const acked = ensemble.heldFrames(other, leader)
    for (const frame of acked) hear(frame)
    const read = requestOf({ ...getData('/a'), linearizable: true }, 1)
    const { connection } = reader
    kit.replica.step({ input: 'clientFrame', connection, frame: read, bytes: 100 })
    for (const effect of kit.replica.drain()) {
      if (effect.effect !== 'sendPeer' || effect.to !== other) continue
      for (const frame of effect.frames) {
        ensemble.kit(other).step({ input: 'peerFrame', from: leader, link, frame })
      }
    }
    ensemble.carry(other)
    for (const frame of ensemble.heldFrames(other, leader).slice(acked.length)) hear(frame)
    t.ok(kit.replica.status.zxid < kit.log.length, 'it has more to apply')
    kit.run()
    t.match(reader.take(), [{ xid: 1, zxid: kit.log.length, result: [bytesOf(`${count}`)] }])
  },
)

/** What is asked of leaders from here on, a list a turn. */
const asksOf = (kit: ReplicaKit): Ask[][] => {
  const turns: Ask[][] = []
  const drain = kit.replica.drain.bind(kit.replica)
  kit.replica.drain = () => {
    const effects = drain()
    const asks = effects.flatMap((effect) =>
      effect.effect !== 'sendPeer'
        ? []
        : effect.frames.flatMap((frame) => (frame.frame === 'ask' ? frame.asks : [])),
    )
    if (asks.length > 0) turns.push(asks)
    return effects
  }
  return turns
}

t.test('LIMIT-21 a new leader is told of many sessions in many turns', async (t) => {
  const { ensemble, leader, at } = following()
  const clients = Array.from({ length: limits.resumedPerTurnMax * 2 }, () => ensemble.client(at))
  const turns = asksOf(ensemble.kit(at))
  for (const client of clients) client.send({ op: 'sync', path: '/' })
  turns.length = 0
  ensemble.lose(leader)
  const claimed = turns.map((asks) => asks.filter(({ ask }) => ask === 'claim').length)
  const { resumedPerTurnMax } = limits
  t.strictSame(claimed, [resumedPerTurnMax, resumedPerTurnMax, 1], 'each once')
  for (const client of clients) t.same(told(client), ['reply 1'])
})

t.test('LIMIT-21 who asks before its turn has claimed its session first', async (t) => {
  const { ensemble, leader, at } = following()
  for (let made = 0; made < limits.resumedPerTurnMax; made++) ensemble.client(at)
  const late = ensemble.client(at)
  ensemble.lose(leader)
  late.send(create('/late'))
  ensemble.run()
  t.same(told(late), ['reply 1'])
  t.equal(late.closed, undefined, 'its session has not moved')
})
