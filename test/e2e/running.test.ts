import { connect } from '#client/index.js'
import { type Ensemble, startEnsemble } from '#server/main.js'
import t, { type Test } from 'tap'
import { EnsembleProcess, type ProcessStatus } from '../support/ensemble-process.js'

const start = async (t: Test): Promise<Ensemble> => {
  const ensemble = await startEnsemble()
  t.teardown(() => ensemble.stop())
  return ensemble
}

/** A server that the others have made the leader; elections take a moment. */
const leaderOf = async (ensemble: Ensemble) => {
  for (;;) {
    const { leader } = ensemble
    if (leader !== null) return leader
    await new Promise((resolve) => setImmediate(resolve))
  }
}

t.test('RUN-1 three servers elect one, and agree on what is written', async (t) => {
  const ensemble = await start(t)
  const leader = await leaderOf(ensemble)
  const roles = ensemble.servers.map(({ status }) => status?.role ?? '')
  t.strictSame(
    roles.toSorted((a, b) => (a < b ? -1 : 1)),
    ['following', 'following', 'leading'],
  )
  const client = await connect(leader.url)
  await client.create('/a', new TextEncoder().encode('kept'))
  const zxid = leader.status?.zxid ?? 0
  await client.close()
  for (const server of ensemble.servers) {
    while ((server.status?.zxid ?? 0) < zxid) await new Promise((resolve) => setImmediate(resolve))
    t.equal(server.status?.ensembleId, leader.status?.ensembleId)
  }
})

t.test('RUN-2 when the leader stops another leads, and all is there', async (t) => {
  const ensemble = await start(t)
  const first = await leaderOf(ensemble)
  const writer = await connect(first.url)
  await writer.create('/a', new TextEncoder().encode('kept'))
  await writer.close()
  await first.stop()
  t.equal(first.status, null)
  const second = await leaderOf(ensemble)
  t.not(second.id, first.id)
  const reader = await connect(second.url)
  t.equal(new TextDecoder().decode((await reader.get('/a')).data ?? undefined), 'kept')
  await reader.create('/b')
  await reader.close()
  await first.start()
  const zxid = second.status?.zxid ?? 0
  while ((first.status?.zxid ?? 0) < zxid) await new Promise((resolve) => setImmediate(resolve))
  t.match(first.status, { role: 'following', leader: second.id })
})

t.test('RUN-3 what startEnsemble began is gone at its end', async (t) => {
  const ensemble = await startEnsemble({ servers: 1 })
  const [server] = ensemble.servers
  await ensemble.stop()
  await t.rejects(fetch(`${server?.adminUrl}/healthz`))
  await t.rejects(connect(ensemble.url, { connectTimeoutMs: 1 }))
})

t.test('RUN-4 three processes lose their leader by kill -9, and no data', async (t) => {
  const ensemble = new EnsembleProcess(3)
  t.teardown(() => ensemble[Symbol.asyncDispose]())
  ensemble.startAll()
  const isLed = (statuses: readonly ProcessStatus[]): boolean =>
    statuses.every(({ role }) => role !== 'looking') &&
    statuses.filter(({ role }) => role === 'leading').length === 1
  const leading = (statuses: readonly ProcessStatus[]): number =>
    statuses.find(({ role }) => role === 'leading')?.id ?? 0
  const first = leading(await ensemble.until(isLed))
  const writer = await connect(ensemble.url(first))
  await writer.create('/a', new TextEncoder().encode('kept'))
  await ensemble.end(first, 'SIGKILL')
  void writer.close()
  const second = leading(await ensemble.until(isLed))
  t.not(second, first)
  const reader = await connect(ensemble.url(second))
  t.equal(new TextDecoder().decode((await reader.get('/a')).data ?? undefined), 'kept')
  await reader.close()
  ensemble.start(first)
  const all = await ensemble.until(
    (statuses) => isLed(statuses) && new Set(statuses.map(({ zxid }) => zxid)).size === 1,
  )
  t.equal(all.length, 3)
  t.equal(new Set(all.map(({ ensembleId }) => ensembleId)).size, 1)
})
