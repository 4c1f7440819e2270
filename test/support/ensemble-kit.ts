import type { ServerId } from '@conclave/protocol'
import type { PeerFrame } from '@conclave/protocol/peer'
import type { LinkId } from '#server/core/input.js'
import { type ClientKit, type ConnectOptions, ReplicaKit } from './replica-kit.js'
import { connectOf } from './session-kit.js'

export const ids = [1, 2, 3] as ServerId[]

/** Three replicas; what one sends to another arrives at once, unless one of them is cut off. */
export class Ensemble {
  readonly kits = new Map(
    ids.map((serverId) => [serverId, new ReplicaKit({ serverId, voters: ids })]),
  )
  readonly #cut = new Set<ServerId>()
  /** What has not arrived, for each direction that is held, in its order. */
  readonly #held = new Map<string, { readonly from: ServerId; readonly frame: PeerFrame }[]>()
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
    const others = this.lose(id)
    this.#tickUntilLed(others)
    return others
  }

  /** As {@link cutOff}, in no time. */
  lose(id: ServerId): readonly ServerId[] {
    this.#cut.add(id)
    const others = ids.filter((other) => other !== id)
    for (const other of others) {
      this.kit(other).step({ input: 'peerLost', from: id, link: this.linkOf(other, id) })
    }
    this.run()
    return others
  }

  /** Hears nothing and knows it; the others stand still until {@link heal}. */
  isolate(id: ServerId): void {
    this.#cut.add(id)
    for (const other of ids) {
      if (other === id) continue
      this.kit(id).step({ input: 'peerLost', from: other, link: this.linkOf(id, other) })
      this.kit(other).step({ input: 'peerLost', from: id, link: this.linkOf(id, other) })
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
      for (const frame of frames) {
        const held = this.#held.get(`${from}>${to}`)
        if (held === undefined) this.kit(to).step({ input: 'peerFrame', from, link, frame })
        else held.push({ from, frame })
      }
    }
    return carried
  }

  get leader(): ServerId {
    return this.leaderAmong(ids)
  }

  get followers(): readonly [ServerId, ServerId] {
    const [a, b] = ids.filter((id) => id !== this.leader)
    return [a as ServerId, b as ServerId]
  }

  /** What one sends to the other waits from now on. */
  hold(from: ServerId, to: ServerId): void {
    this.#held.set(`${from}>${to}`, [])
  }

  /** The first `count` of what waits arrive; the others too, and what comes, without a count. */
  release(from: ServerId, to: ServerId, count?: number): void {
    const held = this.#held.get(`${from}>${to}`) ?? []
    const link = this.linkOf(from, to)
    for (const { frame } of held.splice(0, count ?? held.length)) {
      this.kit(to).step({ input: 'peerFrame', from, link, frame })
    }
    if (count === undefined) this.#held.delete(`${from}>${to}`)
    this.run()
  }

  heldFrames(from: ServerId, to: ServerId): readonly PeerFrame[] {
    return (this.#held.get(`${from}>${to}`) ?? []).map(({ frame }) => frame)
  }

  tick(count = 1): void {
    for (let i = 0; i < count; i++) {
      for (const id of ids) if (!this.#cut.has(id)) this.kit(id).tick()
      this.run()
    }
  }

  client(id: ServerId, options: ConnectOptions = {}): ClientKit {
    const client = this.kit(id).open()
    client.connect(options)
    this.run()
    const [answer] = client.take()
    if (answer?.frame === 'connected') client.sessionId = answer.sessionId
    return client
  }

  /** Another connection of the client's session, at this server; its frames are not taken. */
  reconnect(client: ClientKit, at: ServerId, options: ConnectOptions = {}): ClientKit {
    const next = this.kit(at).open()
    next.nonce = client.nonce
    next.sessionId = client.sessionId
    next.xid = client.xid
    next.frame(connectOf(client, options))
    this.run()
    return next
  }

  #connect(a: ServerId, b: ServerId): void {
    const link = this.linkOf(a, b)
    this.kit(a).step({ input: 'peerOpened', from: b, link })
    this.kit(b).step({ input: 'peerOpened', from: a, link })
  }

  linkOf(a: ServerId, b: ServerId): LinkId {
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

/** An ensemble, and a client at the first of its followers. */
export const following = (): {
  readonly ensemble: Ensemble
  readonly leader: ServerId
  readonly at: ServerId
  readonly client: ClientKit
} => {
  const ensemble = new Ensemble()
  const { leader, followers } = ensemble
  const [at] = followers
  return { ensemble, leader, at, client: ensemble.client(at) }
}
