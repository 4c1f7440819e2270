import { serverPlace } from './ensemble.js'
import type { Scene, Strike } from './scene.js'
import type { SimServer } from './sim-server.js'
import type { FaultKind } from './swarm.js'

/** What happens between the servers. */
export const networkFaults = {
  reset: ({ ensemble, random }) => {
    ensemble.network.reset(() => random.chance(0.3))
    return true
  },
  slowNetwork: ({ ensemble: { network }, random, until }) => {
    network.slow(random.between(3, 30))
    return until(random.exponential(2_000), () => network.slow(1))
  },
  clog: (scene) => {
    const [way] = scene.random.shuffled(allWays(scene, () => true))
    return way !== undefined && clog(scene, way, scene.random.exponential(2_000))
  },
  /** Ways are stopped one by one and let go in another order. */
  swizzleClog: (scene) => {
    const { random, until } = scene
    const ways = random.shuffled(allWays(scene, () => random.chance(0.5)))
    for (const way of ways) {
      until(random.between(0, 3_000), () => clog(scene, way, random.exponential(3_000)))
    }
    return ways.length > 0
  },
  isolate: (scene) => isolate(scene, scene.server),
  isolateLeader: (scene) => {
    const { leader } = scene.ensemble
    return leader !== undefined && isolate(scene, leader)
  },
  halves: (scene) => {
    const { servers } = scene.ensemble
    const half = new Set(scene.random.shuffled(servers).slice(0, Math.ceil(servers.length / 2)))
    return cutWhere(scene, (a, b) => half.has(a) !== half.has(b))
  },
  oneLink: (scene) => {
    const other = otherThan(scene)
    return other !== undefined && cutWhere(scene, (a, b) => isPair([a, b], [scene.server, other]))
  },
  oneWay: (scene) => {
    const other = otherThan(scene)
    return other !== undefined && cutWhere(scene, (a, b) => a === scene.server && b === other)
  },
  /** Two groups that only one server can talk to both of. */
  bridge: (scene) => {
    const { server } = scene
    return cutWhere(scene, (a, b) => a !== server && b !== server && a.id % 2 !== b.id % 2)
  },
  /** Everybody reaches a majority, and no two reach the same. */
  ring: (scene) => {
    const { length } = scene.ensemble.servers
    return cutWhere(scene, (a, b) => {
      const apart = Math.abs(a.id - b.id)
      return apart !== 1 && apart !== length - 1
    })
  },
} as const satisfies Partial<Record<FaultKind, Strike>>

type Way = readonly [from: SimServer, to: SimServer]

const allWays = (
  { ensemble: { servers } }: Scene,
  fits: (from: SimServer, to: SimServer) => boolean,
): readonly Way[] =>
  servers.flatMap((from) =>
    servers.filter((to) => from !== to && fits(from, to)).map((to): Way => [from, to]),
  )

const otherThan = ({ ensemble: { servers }, server, random }: Scene): SimServer | undefined =>
  random.shuffled(servers).find((each) => each !== server)

const isPair = (ways: Way, pair: Way): boolean => pair.includes(ways[0]) && pair.includes(ways[1])

const isolate = (scene: Scene, server: SimServer): boolean =>
  cutWhere(scene, (a, b) => a === server || b === server)

const clog = ({ ensemble: { network }, until }: Scene, [from, to]: Way, ms: number): true => {
  network.block(serverPlace(from.id), serverPlace(to.id))
  return until(ms, () => network.unblock(serverPlace(from.id), serverPlace(to.id)))
}

const cutWhere = (scene: Scene, parts: (a: SimServer, b: SimServer) => boolean): boolean => {
  const { ensemble, random, until } = scene
  const ways = allWays(scene, parts)
  if (ways.length === 0) return false
  for (const [from, to] of ways) ensemble.network.block(serverPlace(from.id), serverPlace(to.id))
  return until(random.between(500, 10_000), () => ensemble.network.heal(0.3))
}
