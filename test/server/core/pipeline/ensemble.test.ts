import t from 'tap'
import { limits, type Op, type ServerId } from '@conclave/protocol'
import type { LinkId } from '#server/core/input.js'
import {
  bytesOf,
  type ClientKit,
  create,
  getData,
  ReplicaKit,
} from '../../../support/replica-kit.js'
import { setData } from '../../../support/replica-kit.js'
import { reconnect, told } from '../../../support/session-kit.js'
import { closeSession } from '../../../support/tree-kit.js'

const ids = [1, 2, 3] as ServerId[]

/** Three replicas; what one sends to another arrives at once, unless one of them is cut off. */
class Ensemble {
  readonly kits = new Map(
    ids.map((serverId) => [serverId, new ReplicaKit({ serverId, voters: ids })]),
  )
  readonly #cut = new Set<ServerId>()
  #links = 0

  constructor() {
    for (const a of ids) for (const b of ids) if (a < b) this.#connect(a, b)
    this.#tickUntilLed(ids)
  }

  kit(id: ServerId): ReplicaKit {
    return this.kits.get(id) as ReplicaKit
  }

  leaderAmong(some: readonly ServerId[]): ServerId {
    const leader = some.find((id) => this.kit(id).replica.status.role === 'leading')
    if (leader === undefined) throw new Error('nobody leads')
    return leader
  }

  /** Stands still and hears nothing, while the others lose their links to it and go on. */
  cutOff(id: ServerId): readonly ServerId[] {
    this.#cut.add(id)
    const others = ids.filter((other) => other !== id)
    for (const other of others) {
      this.kit(other).step({ input: 'peerLost', from: id, link: this.#linkOf(other, id) })
    }
    this.#tickUntilLed(others)
    return others
  }

  /** Hears nothing and knows it; the others stand still until {@link heal}. */
  isolate(id: ServerId): void {
    this.#cut.add(id)
    for (const other of ids) {
      if (other === id) continue
      this.kit(id).step({ input: 'peerLost', from: other, link: this.#linkOf(id, other) })
      this.kit(other).step({ input: 'peerLost', from: id, link: this.#linkOf(id, other) })
    }
    this.kit(id).effects.length = 0
  }

  heal(id: ServerId): void {
    this.#cut.delete(id)
    this.#links += 100
    for (const other of ids) if (other !== id) this.#connect(id, other)
    this.#tickUntilLed(ids)
  }

  join(id: ServerId): void {
    this.#cut.delete(id)
    this.run()
  }

  /** Carries frames to and fro until there are none. */
  run(): void {
    for (let again = true; again;) {
      again = false
      for (const id of ids) again = this.carry(id) || again
    }
  }

  /** Carries what one of them has sent by now. */
  carry(from: ServerId): boolean {
    if (this.#cut.has(from)) return false
    let carried = false
    for (const effect of this.kit(from).effects.splice(0)) {
      if (effect.effect !== 'sendPeer' || this.#cut.has(effect.to)) continue
      carried = true
      const { link, frames, to } = effect
      for (const frame of frames) this.kit(to).step({ input: 'peerFrame', from, link, frame })
    }
    return carried
  }

  client(id: ServerId): ClientKit {
    const client = this.kit(id).open()
    client.connect()
    this.run()
    const [answer] = client.take()
    if (answer?.frame === 'connected') client.sessionId = answer.sessionId
    return client
  }

  #connect(a: ServerId, b: ServerId): void {
    const link = this.#linkOf(a, b)
    this.kit(a).step({ input: 'peerOpened', from: b, link })
    this.kit(b).step({ input: 'peerOpened', from: a, link })
  }

  #linkOf(a: ServerId, b: ServerId): LinkId {
    return (this.#links + Math.min(a, b) * 10 + Math.max(a, b)) as LinkId
  }

  #tickUntilLed(some: readonly ServerId[]): void {
    const isLed = (): boolean =>
      some.some((id) => {
        const { role, ensembleId } = this.kit(id).replica.status
        return role === 'leading' && ensembleId !== null
      })
    for (let i = 0; i < 200 && !isLed(); i++) {
      for (const id of some) this.kit(id).tick()
      this.run()
    }
  }
}

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
