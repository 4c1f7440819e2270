import t from 'tap'
import { longPlan } from '../support/kill-plan.js'
import { killRun } from '../support/kill-run.js'
import { differences, truthOf } from '../support/kill-truth.js'

t.setTimeout(3_500_000)

const roundsMin = 100
const unansweredMin = 1_000
const nearMs = 5
const nearShareMin = 0.3
const seed = Number(process.env['CONCLAVE_SEED'] ?? 1)

/** One run; each test looks at one side of it. */
const running = killRun(longPlan(seed))
running.catch(() => undefined)
t.teardown(async () => (await running.catch(() => null))?.end())

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

t.test('E2E-1 a hundred kills, over the life of a write and in the work of the disk', async (t) => {
  const { killed, writers, witness } = await running
  const near = killed.filter(({ sinceSyncMs }) => sinceSyncMs <= nearMs)
  const during = (kind: 'snapshot' | 'segment'): number =>
    killed.filter((each) => each.during.includes(kind)).length
  const hits = killed.filter((each) => each.during.length > 0 || each.sinceSyncMs <= nearMs)
  const unanswered = sum(killed.map((each) => sum(each.unanswered)))
  t.comment(`seed ${seed}: ${killed.length} kills, ${witness.txns.size} txns`)
  t.comment(`${near.length} kills at most ${nearMs} ms after an fsync had begun`)
  t.comment(`${hits.length} kills hit an fsync, a snapshot or a segment`)
  t.comment(`${during('snapshot')} during a snapshot, ${during('segment')} during a segment`)
  t.comment(`${unanswered} writes were unanswered when their server died`)
  t.comment(
    `${sum(killed.map(({ logged }) => logged))} of those that the dead server never answered ` +
      `were logged, ${sum(killed.map(({ unlogged }) => unlogged))} were not`,
  )
  t.ok(killed.length >= roundsMin, `${killed.length} kills`)
  t.ok(hits.length >= nearShareMin * killed.length, `${hits.length} hit an fsync or a new file`)
  t.ok(during('snapshot') > 0 && during('segment') > 0)
  t.ok(unanswered >= unansweredMin, `${unanswered} unanswered`)
  for (const { client, faults, spy, root } of writers) {
    t.strictSame(faults, [], root)
    t.strictSame(spy.faults, [], root)
    t.equal(client.state, 'connected', root)
  }
})

t.test('E2E-8 the log is the truth that every client was told', async (t) => {
  const run = await running
  t.strictSame(run.witness.faults, [])
  const { faults, counts, model } = truthOf(run)
  t.comment(counts)
  t.strictSame(faults.slice(0, 5), [])
  t.ok(counts.acknowledged > 0 && counts.refused > 0)
  t.ok(counts.ran > 0, 'some writes ran and were never answered')
  t.ok(counts.neverRan > 0, 'some writes never ran')
  t.strictSame(differences(model.znodes(), run.tree), [])
  t.equal(run.digests.recovered, run.digests.replayed)
})
