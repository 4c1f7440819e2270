import { serverPlace } from './ensemble.js'
import type { Strike } from './scene.js'
import type { FaultKind } from './swarm.js'

/** What happens to processes and to the clocks of their machines. */
export const processFaults = {
  kill: ({ server, down }) => down(server, () => server.kill()),
  killLeader: ({ ensemble: { leader }, down }) =>
    leader !== undefined && down(leader, () => leader.kill()),
  /** As an operator does: it hands over and ends when it owes nothing any more. */
  stop: ({ server }) => {
    if (!server.isUp) return false
    server.stop()
    return true
  },
  restartAll: ({ ensemble: { servers }, down }) =>
    servers.map((server) => down(server, () => server.kill(), 300)).some(Boolean),
  /** Three times within a second or so. */
  crashLoop: ({ server, random, until, down }) => {
    for (let times = 0; times < 3; times++) {
      until(random.between(0, 1_000), () => down(server, () => server.kill(), 100))
    }
    return true
  },
  /** Longer than sessions live, in part. */
  pause: ({ server, random, until }) => {
    server.pause()
    return until(random.exponential(random.chance(0.3) ? 15_000 : 2_000), () => server.goOn())
  },
  /** Stands still, cut off from its peers, and wakes up as the leader that it no longer is. */
  freezeLeader: ({ ensemble, random, until }) => {
    const { leader, network, servers } = ensemble
    if (leader === undefined || servers.length < 3) return false
    const place = serverPlace(leader.id)
    const others = servers.filter((each) => each !== leader).map(({ id }) => serverPlace(id))
    for (const other of others) {
      network.block(place, other)
      network.block(other, place)
    }
    leader.pause()
    until(random.between(900, 1_500), () => leader.goOn())
    return until(random.between(2_000, 5_000), () => network.heal(0.3))
  },
  /** A collection of garbage, or one long turn of the event loop. */
  stall: ({ server, random, until }) => {
    server.pause()
    return until(random.between(10, 1_000), () => server.goOn())
  },
  clockJump: ({ server, random }) => {
    server.clock.jump(random.between(-1, 1) * 10 ** random.between(2, 10))
    return true
  },
  killClient: ({ clients, random }) => clients.kill(random),
  pauseClient: ({ clients, random, until }) =>
    clients.pause(random, (resume) => until(random.exponential(5_000), resume)),
} as const satisfies Partial<Record<FaultKind, Strike>>
