import t from 'tap'
import type { SimServer } from './sim-server.js'
import { stagedWithClients } from './stage.js'

t.setTimeout(120_000)

for (const who of ['leading', 'following'] as const) {
  t.test(
    `ZAB-41 a server whose memory fails while ${who} learns anew from the others`,
    async (t) => {
      for (const seed of [1, 2, 3]) {
        const stage = await stagedWithClients(seed, { clients: 4 })
        const { ensemble, schedule } = stage
        const isIt = ({ replica }: SimServer): boolean => replica?.status.role === who
        const victim = ensemble.servers.find(isIt) as SimServer
        victim.corrupt()
        await stage.until(() => victim.starts === 2, 120_000)
        const isBack = (): boolean => {
          const role = victim.replica?.status.role ?? 'looking'
          return (
            role !== 'looking' && victim.replica?.status.zxid === ensemble.ledger.committed.length
          )
        }
        await stage.until(isBack, 10_000)
        t.equal(victim.replica?.status.digest, ensemble.ledger.digests.at(-1), `seed ${seed}`)
        t.comment(`${schedule.nowMs} ms, ${ensemble.ledger.committed.length} txns`)
      }
    },
  )
}
