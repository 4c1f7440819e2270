import { type Epoch, limits, type ServerId, type Xid, type Zxid } from '@conclave/protocol'
import type { PeerFrameOf } from '@conclave/protocol/peer'
import t from 'tap'
import { Ensemble, following, ids } from '../../../support/ensemble-kit.js'
import { bytesOf, type ClientKit, create, getData, setData } from '../../../support/replica-kit.js'
import { ack, ping, requestOf, together, told } from '../../../support/session-kit.js'
import { auth, closeSession, exists, multi } from '../../../support/tree-kit.js'

/** The leader is told of its followers' space with their heartbeats, and by its own disk last. */
const spaceEverywhere = (ensemble: Ensemble, ok: boolean): void => {
  for (const id of [...ensemble.followers, ensemble.leader]) {
    ensemble.kit(id).step({ input: 'diskSpace', ok })
    ensemble.tick(4)
  }
}

const asksOf = (ensemble: Ensemble, from: ServerId, to: ServerId): PeerFrameOf<'ask'>[] =>
  ensemble
    .heldFrames(from, to)
    .filter((frame): frame is PeerFrameOf<'ask'> => frame.frame === 'ask')

t.test(
  'ENSEMBLE-1 a client of any server writes and reads, in the order of its requests',
  async (t) => {
    const ensemble = new Ensemble()
    for (const id of ids) {
      const client = ensemble.client(id)
      client.send(create(`/of-${id}`, { data: bytesOf('x') }))
      client.send(getData(`/of-${id}`))
      client.send(create(`/of-${id}`))
      client.send(exists('/', true))
      ensemble.run()
      t.same(told(client), ['reply 1', 'reply 2', 'reply 3 nodeExists', 'reply 4'], `server ${id}`)
    }
    const digests = ids.map((id) => ensemble.kit(id).replica.status.digest)
    t.equal(new Set(digests).size, 1)
  },
)

t.test('ENSEMBLE-1 a follower tells events before the replies that show them', async (t) => {
  const { ensemble, leader, client } = following()
  client.send(create('/a'))
  client.send(getData('/a', true))
  ensemble.run()
  client.take()
  const writer = ensemble.client(leader)
  writer.send(setData('/a', bytesOf('x')))
  client.send(getData('/a'))
  client.send(exists('/a', true))
  ensemble.run()
  t.same(told(client), ['reply 3', '5 data dataChanged /a', 'reply 4'])
})

t.test('ENSEMBLE-2 what a turn asks of the leader leaves in one frame, in its order', async (t) => {
  const { ensemble, leader, at, client } = following()
  const other = ensemble.client(at)
  ensemble.hold(at, leader)
  together([
    [client, requestOf(create('/a'), 1)],
    [other, requestOf(create('/b'), 1)],
    [client, requestOf(create('/c'), 2)],
    [other, ping(7)],
  ])
  ensemble.run()
  const asks = asksOf(ensemble, at, leader).map((frame) => frame.asks.map(({ ask }) => ask))
  t.same(asks, [['write', 'write', 'write', 'touch', 'round']])
  ensemble.release(at, leader)
  t.same(told(client), ['reply 1', 'reply 2'])
  t.same(told(other), ['reply 1', 'pong 7'])
})

t.test(
  'ENSEMBLE-2 neither asks nor bytes of a frame are more than a link should carry',
  async (t) => {
    const { ensemble, leader, at, client } = following()
    ensemble.hold(at, leader)
    const large = { data: new Uint8Array(600_000) }
    const frames = [1, 2, 3].map((xid) => requestOf(create(`/${xid}`, large), xid))
    for (const frame of frames) {
      const { connection } = client
      ensemble
        .kit(at)
        .replica.step({ input: 'clientFrame', connection, frame, bytes: large.data.length })
    }
    ensemble.kit(at).run()
    ensemble.run()
    t.same(
      asksOf(ensemble, at, leader).map(({ asks }) => asks.length),
      [2, 1],
    )
    ensemble.release(at, leader)
    t.same(told(client), ['reply 1', 'reply 2', 'reply 3'])
  },
)

t.test('ENSEMBLE-3 a server that lags asks the leader, and calls no session unknown', async (t) => {
  const ensemble = new Ensemble()
  const { leader, followers } = ensemble
  const [late] = followers
  ensemble.hold(leader, late)
  const client = ensemble.client(leader)
  const moved = ensemble.reconnect(client, late)
  t.same(told(moved), [], 'it knows nothing of the session yet')
  t.notOk(ensemble.kit(late).replica.status.zxid >= client.sessionId)
  ensemble.release(leader, late)
  t.same(told(moved), [`connected ${client.sessionId} resumed`])
})

t.test('ENSEMBLE-3 what ends a claim is told from the table of the server', async (t) => {
  const { ensemble, leader, client } = following()
  const [, elsewhere] = ensemble.followers
  const wrong = ensemble.reconnect(client, elsewhere, { nonce: new Uint8Array(32).fill(9) })
  wrong.frame(ping(1))
  ensemble.run()
  t.same(told(wrong), ['sessionExpired wrongNonce incomplete []', 'closing sessionEnded'])
  t.same(told(client), [], 'who does not know the nonce moves nothing')
  const lost = ensemble.reconnect(client, elsewhere, { lastZxidSeen: 1_000 as Zxid })
  t.same(told(lost), ['sessionExpired historyLost incomplete []', 'closing sessionEnded'])
  client.send(create('/a'))
  client.send(closeSession)
  ensemble.run()
  t.same(told(client), ['reply 1', 'reply 2', 'closing sessionEnded'])
  const after = ensemble.reconnect(client, leader, { ackedXid: 1 as Xid })
  t.same(told(after), ['sessionExpired closed complete [2:ok]', 'closing sessionEnded'])
})

t.test('ENSEMBLE-4 a session moves between servers, and the old connection is told', async (t) => {
  const { ensemble, at, client } = following()
  const [, elsewhere] = ensemble.followers
  const next = ensemble.reconnect(client, elsewhere)
  t.same(told(next), [`connected ${client.sessionId} resumed`])
  t.same(told(client), ['closing sessionMoved'])
  const late = ensemble.reconnect(client, at, { attach: 1 })
  t.same(told(late), ['closing sessionMoved'], 'an older connection comes too late')
  next.send(create('/a'))
  ensemble.run()
  t.same(told(next), ['reply 1'])
})

t.test('ENSEMBLE-4 a write of a connection that the client has left is not proposed', async (t) => {
  const { ensemble, leader, at, client } = following()
  const [, elsewhere] = ensemble.followers
  ensemble.hold(leader, at)
  const next = ensemble.reconnect(client, elsewhere)
  t.same(told(next), [`connected ${client.sessionId} resumed`])
  const { zxid } = ensemble.kit(leader).replica.status
  client.send(create('/a'))
  ensemble.run()
  t.equal(ensemble.kit(leader).replica.status.zxid, zxid)
  ensemble.release(leader, at)
  t.same(told(client), ['closing sessionMoved'])
})

t.test('ENSEMBLE-4 a claim that is overtaken before it is confirmed is not granted', async (t) => {
  const { ensemble, leader, client } = following()
  const [, elsewhere] = ensemble.followers
  ensemble.hold(elsewhere, leader)
  const second = ensemble.reconnect(client, leader)
  const third = ensemble.reconnect(client, elsewhere, { attach: 3 })
  ensemble.release(elsewhere, leader)
  t.notOk(told(second).some((line) => line.startsWith('reply')))
  t.same(told(third), [`connected ${client.sessionId} resumed`])
  t.equal(second.closed, 'sessionMoved')
})

/** Sends so many writes that the last ones wait for an acknowledgement. */
const overfilled = (client: ClientKit, more: number): void => {
  client.send(create('/a'))
  for (let i = 1; i < limits.resultsPerSessionMax + more; i++) client.send(setData('/a', null))
}

t.test('ENSEMBLE-5 writes behind a held one are held too, and run in their order', async (t) => {
  const { ensemble, leader, at, client } = following()
  const full = limits.resultsPerSessionMax
  overfilled(client, 0)
  ensemble.run()
  t.equal(told(client).length, full)
  // The first is held, and the second would fit when it comes: it must not overtake.
  ensemble.hold(leader, at)
  client.send(setData('/a', bytesOf('first')), full + 1)
  client.ackedXid = 10 as Xid
  client.send(setData('/a', bytesOf('second')), full + 2)
  ensemble.run()
  t.same(told(client), [])
  ensemble.release(leader, at)
  t.same(told(client), [`reply ${full + 1}`, `reply ${full + 2}`])
  client.send(getData('/a'))
  const [reply] = client.take()
  t.match(reply, { result: [bytesOf('second')] })
  const { zxid } = ensemble.kit(leader).replica.status
  const [first, second] = [zxid - 1, zxid].map(
    (at) => ensemble.kit(leader).log.find((txn) => txn.zxid === at)?.xid,
  )
  t.same([first, second], [full + 1, full + 2])
})

t.test(
  'ENSEMBLE-5 a held write of a follower waits for an ack, and pings are answered',
  async (t) => {
    const { ensemble, client } = following()
    overfilled(client, 3)
    ensemble.run()
    t.equal(told(client).length, limits.resultsPerSessionMax)
    client.frame(ping(1))
    ensemble.run()
    t.same(told(client), ['pong 1'])
    client.frame(ack(2))
    ensemble.run()
    t.same(
      told(client),
      [1, 2].map((i) => `reply ${limits.resultsPerSessionMax + i}`),
    )
    client.frame(ack(3))
    ensemble.run()
    t.same(told(client), [`reply ${limits.resultsPerSessionMax + 3}`])
  },
)

t.test('ENSEMBLE-6 what follows a passing refusal is refused until it is seen', async (t) => {
  const { ensemble, client } = following()
  const full = (ok: boolean): void => spaceEverywhere(ensemble, ok)
  full(false)
  client.send(create('/a'))
  ensemble.run()
  full(true)
  client.send(create('/b'))
  ensemble.run()
  t.same(told(client), ['reply 1 noSpace', 'reply 2 throttled'])
  client.refusedSeen = 2 as Xid
  client.send(create('/c'))
  ensemble.run()
  t.same(told(client), ['reply 3'])
})

t.test('ENSEMBLE-6 also by the next leader', async (t) => {
  const { ensemble, leader, at, client } = following()
  spaceEverywhere(ensemble, false)
  client.send(create('/a'))
  ensemble.run()
  t.same(told(client), ['reply 1 noSpace'])
  ensemble.cutOff(leader)
  client.send(create('/b'))
  ensemble.run()
  t.same(told(client), ['reply 2 throttled'], `server ${at}`)
})

t.test(
  'ENSEMBLE-7 a ping of a follower is answered by the leader, and keeps the session',
  async (t) => {
    const { ensemble, leader, at, client } = following()
    ensemble.hold(at, leader)
    client.frame(ping(1))
    ensemble.run()
    t.same(told(client), [], 'nobody but the leader can say so')
    ensemble.release(at, leader)
    t.same(told(client), ['pong 1'])
    for (let i = 2; i < 20; i++) {
      ensemble.tick(40)
      client.frame(ping(i))
      ensemble.run()
      t.same(told(client), [`pong ${i}`], 'the session is ten seconds old at the fifth')
    }
  },
)

t.test('ENSEMBLE-7 the reads of a client keep its session alive, too', async (t) => {
  const { ensemble, client } = following()
  for (let i = 1; i < 8; i++) {
    ensemble.tick(100)
    client.send(exists('/'))
  }
  t.same(told(client).length, 7)
  ensemble.tick(1)
  t.equal(ensemble.kit(ensemble.leader).replica.status.sessions, 1)
  ensemble.tick(300)
  t.same(told(client), ['sessionExpired expired complete []', 'closing sessionEnded'])
})

t.test('ENSEMBLE-7 no ping is answered while the session ends', async (t) => {
  const { ensemble, leader, at, client } = following()
  const [other] = ensemble.followers.filter((id) => id !== at) as [ServerId]
  ensemble.kit(leader).isDiskHeld = true
  ensemble.hold(leader, other)
  client.send(closeSession)
  client.frame(ping(1))
  ensemble.run()
  t.same(told(client), [], 'the closeSession is not committed')
  const late = ensemble.reconnect(client, at)
  t.same(told(late), [])
  ensemble.kit(leader).releaseDisk()
  ensemble.release(leader, other)
  t.same(told(client), ['reply 1', 'closing sessionEnded'])
  t.same(told(late), ['sessionExpired closed complete [1:ok]', 'closing sessionEnded'])
})

t.test('ENSEMBLE-13 writes are judged by who the connection is, from its auth on', async (t) => {
  const { ensemble, at, client } = following()
  client.send(auth('me', 'secret'))
  client.send(create('/mine', { acl: [{ scheme: 'auth', id: '', permissions: 31 }] }))
  client.send(setData('/mine', null))
  ensemble.run()
  t.same(told(client), ['reply 1', 'reply 2', 'reply 3'])
  const other = ensemble.client(at)
  other.send(setData('/mine', null))
  ensemble.run()
  t.same(told(other), ['reply 1 noAuth'])
})

/** A leader that has been asked for more heavy writes than its turn can afford. */
const burdened = (): {
  readonly ensemble: Ensemble
  readonly leader: ServerId
  readonly count: number
} => {
  const { ensemble, leader, at, client } = following()
  const heavy = multi(Array.from({ length: limits.multiOpsMax }, () => setData('/a', null)))
  client.send(create('/a'))
  ensemble.run()
  ensemble.hold(at, leader)
  const count = 2 * Math.ceil(limits.looksPerTurnMax / (8 * limits.multiOpsMax))
  const heavies = Array.from({ length: count }, (_, i) => requestOf(heavy, i + 2))
  together([...heavies, requestOf(setData('/a', null), count + 2)].map((frame) => [client, frame]))
  ensemble.run()
  const [link, from] = [ensemble.linkOf(at, leader), at] as const
  for (const frame of ensemble.heldFrames(at, leader)) {
    ensemble.kit(leader).replica.step({ input: 'peerFrame', from, link, frame })
  }
  return { ensemble, leader, count }
}

t.test('ENSEMBLE-12 a heavy write of a follower waits for a turn that can afford it', async (t) => {
  const { ensemble, leader, count } = burdened()
  const { replica } = ensemble.kit(leader)
  t.equal(replica.status.zxid, 3)
  const logged: number[] = []
  for (let turn = 0; turn < 3; turn++) {
    const persists = replica.drain().filter((effect) => effect.effect === 'persist')
    logged.push(persists.reduce((sum, { txns }) => sum + txns.length, 0))
  }
  t.same(logged, [count / 2, count / 2 + 1, 0])
})

t.test('ENSEMBLE-14 a deposed leader forgets what it was asked and has not done', async (t) => {
  const { ensemble, leader, count } = burdened()
  const kit = ensemble.kit(leader)
  const before = kit.log.length
  const [, from] = ensemble.followers
  const promise = { epoch: (kit.replica.status.epoch + 1) as Epoch, acceptedFrom: from, join: 9 }
  const frame = { frame: 'followerInfo', ...promise } as const
  kit.replica.step({ input: 'peerFrame', from, link: ensemble.linkOf(from, leader), frame })
  t.equal(kit.replica.status.role, 'looking')
  kit.run()
  kit.tick()
  t.equal(kit.log.length - before, count / 2)
})

t.test('READ-19 linearizable reads that stand together wait for one round', async (t) => {
  const { ensemble, leader, at, client } = following()
  ensemble.hold(at, leader)
  together([
    [client, requestOf(create('/a'), 1)],
    [client, requestOf(exists('/a', true), 2)],
    [client, requestOf(exists('bad path', true), 3)],
    [client, requestOf(exists('/a', true), 4)],
    [client, requestOf(create('/b'), 5)],
    [client, requestOf(exists('/b', true), 6)],
  ])
  ensemble.run()
  const asks = asksOf(ensemble, at, leader).map((frame) => frame.asks.map(({ ask }) => ask))
  t.same(asks, [['write', 'touch', 'round']], 'the write behind them waits')
  ensemble.hold(leader, at)
  ensemble.release(at, leader)
  ensemble.hold(at, leader)
  ensemble.release(leader, at)
  const inOneRound = ['reply 1', 'reply 2', 'reply 3 badArguments', 'reply 4']
  t.same(told(client), inOneRound, 'though nothing more was asked')
  ensemble.release(at, leader)
  t.same(told(client), ['reply 5', 'reply 6'])
})
