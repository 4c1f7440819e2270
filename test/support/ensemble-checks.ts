import type { Test } from 'tap'
import type { EnsemblePlan } from './ensemble-plan.js'
import { ensembleRun } from './ensemble-run.js'

/** One run; each test looks at one side of it. */
export const testEnsembleRun = async (t: Test, plan: EnsemblePlan): Promise<void> => {
  const { struck, writers, owners, logs, digests, truth } = await ensembleRun(t, plan)

  await t.test('E2E-9 after each fault clients of every server write again', async (t) => {
    for (const { round, victims, unanswered, epochs } of struck) {
      t.comment(JSON.stringify({ ...round, victims, unanswered, epochs }))
    }
    t.equal(struck.length, plan.rounds.length)
    t.ok(
      struck.some(({ unanswered }) => unanswered > 0),
      'writes were in flight',
    )
  })

  await t.test('E2E-10 no promise is broken and no session is lost', async (t) => {
    for (const { writer, home } of writers) {
      const { client, spy, root, faults, ephemerals, settled } = writer
      t.comment(`${root} at ${home ?? 'any'}: ${settled} calls settled, ${spy.attaches} attaches`)
      t.strictSame([...faults, ...spy.faults], [], root)
      for (const path of ephemerals) t.equal(owners.get(path), client.sessionId, path)
    }
  })

  await t.test('E2E-11 the logs of all servers are one history', async (t) => {
    const { txns, cut, begunAnew, purged } = logs
    t.comment({ txns: txns.size, cut, begunAnew, purged })
    t.strictSame(logs.faults.slice(0, 5), [])
    for (const recovered of digests.recovered) t.equal(recovered, digests.replayed)
  })

  if (plan.settings.snapshotTxns !== undefined) {
    await t.test(
      'E2E-20 logs were purged, and who needed more was taught by snapshot',
      async (t) => {
        t.ok(logs.purged > 0)
        t.ok(logs.begunAnew > 0)
      },
    )
  }

  await t.test('E2E-12 that history is what every client was told', async (t) => {
    t.comment(truth.counts)
    t.strictSame(truth.faults.slice(0, 5), [])
    t.ok(truth.counts.acknowledged > 0 && truth.counts.refused > 0)
  })
}
