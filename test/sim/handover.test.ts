import t, { type Test } from 'tap'
import { type Ensemble, serverPlace } from './ensemble.js'
import type { SimServer } from './sim-server.js'
import { stagedWithClients } from './stage.js'

const seeds = Array.from({ length: 10 }, (_, index) => index + 1)

const leaderOf = ({ leader }: Ensemble): SimServer => {
  if (leader === undefined) throw new Error('nobody leads')
  return leader
}

t.test('ZAB-38 a leader that is shut down hands over: no write waits for 300 ms', async (t) => {
  for (const seed of seeds) {
    const stage = await stagedWithClients(seed)
    const { ensemble } = stage
    const old = leaderOf(ensemble)
    old.stop()
    const isHandedOver = (): boolean => ensemble.leader !== undefined && ensemble.leader !== old
    // Until it leaves it answers; what counts is the time that nobody leads.
    await stage.until(() => old.replica?.status.role !== 'leading', 1_000)
    const pauseMs = await stage.until(isHandedOver, 1_000)
    t.ok(pauseMs < 300, `seed ${seed}: ${pauseMs} ms`)
    await stage.until(() => old.starts >= 2 && old.replica?.status.role === 'following', 5_000)
  }
})

type IsCut = (from: SimServer, to: SimServer, leader: SimServer) => boolean

/** So many places further on in the circle of five. */
const after = ({ id }: SimServer, places: number): number => ((id - 1 + places) % 5) + 1

/** Of two pairs, the leader in the first; the fifth server reaches all. */
const sideOf = (server: SimServer, leader: SimServer): number => {
  if (server.id === after(leader, 2)) return 0
  return server === leader || server.id === after(leader, 1) ? 1 : 2
}

const cuts: Readonly<Record<string, IsCut>> = {
  'from the leader to one': (from, to, leader) => from === leader && to.id === after(leader, 1),
  'from one to the leader': (from, to, leader) => to === leader && from.id === after(leader, 1),
  'between the leader and one': (from, to, leader) =>
    (from === leader && to.id === after(leader, 1)) ||
    (to === leader && from.id === after(leader, 1)),
  'all but a bridge': (from, to, leader) => sideOf(from, leader) * sideOf(to, leader) === 2,
  'all but a ring': (from, to) => to.id !== after(from, 1) && to.id !== after(from, 4),
}

/** Five servers, some of whose links are cut for 20 s. */
const cutFor = async (t: Test, what: string, isCut: IsCut, seed: number): Promise<void> => {
  const stage = await stagedWithClients(seed, { servers: 5 })
  const { ensemble } = stage
  const leader = leaderOf(ensemble)
  const before = { changes: ensemble.roleChanges, committed: ensemble.ledger.committed.length }
  for (const from of ensemble.servers) {
    for (const to of ensemble.servers) {
      if (from === to || !isCut(from, to, leader)) continue
      ensemble.network.block(serverPlace(from.id), serverPlace(to.id))
    }
  }
  await stage.run(20_000)
  t.equal(ensemble.leader, leader, `${what}, seed ${seed}: the same server leads`)
  const changes = ensemble.roleChanges - before.changes
  t.ok(changes <= 2, `${changes} servers have left`)
  t.ok(ensemble.ledger.committed.length > before.committed, 'writes go on')
  ensemble.network.heal(1)
  const roles = (): unknown[] => ensemble.servers.map(({ replica }) => replica?.status.role)
  await stage.until(() => !roles().includes('looking'), 5_000)
  t.equal(ensemble.leader, leader, 'nor do those who come back disturb it')
}

t.test('ZAB-39 a leader that hears a quorum is not disturbed by who cannot hear it', async (t) => {
  for (const [what, isCut] of Object.entries(cuts)) {
    for (const seed of seeds.slice(0, 3)) await cutFor(t, what, isCut, seed)
  }
})
