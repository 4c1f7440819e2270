import t from 'tap'
import type { Txn } from '@conclave/protocol/peer'
import { hitsMin, killRun, roundsMin } from '../support/kill-run.js'
import { sessionsMin, unansweredMin } from '../support/kill-rounds.js'
import { differences, truthOf } from '../support/kill-truth.js'
import type { SeenWrite, WireSpy } from '../support/wire-spy.js'

t.setTimeout(110_000)

/** One run; each test looks at one side of it. */
const running = killRun()
running.catch(() => undefined)
t.teardown(async () => (await running.catch(() => null))?.end())

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

t.test('E2E-1 a server killed under pipelined writes starts again', async (t) => {
  const { killed, writers, witness } = await running
  for (const [i, { aim, unanswered, logged, unlogged, during }] of killed.entries()) {
    const hit = during.length === 0 ? '' : `, during a ${during.join(' and a ')}`
    t.comment(
      `kill ${i + 1} (${aim}): unanswered ${unanswered.join(' ')}${hit}; ` +
        `of those lost ${logged} were logged, ${unlogged} were not`,
    )
    const busy = unanswered.filter((count) => count >= unansweredMin)
    t.ok(busy.length >= sessionsMin, `${busy.length} sessions had ${unansweredMin} unanswered`)
  }
  const hits = killed.filter(({ during }) => during.length > 0)
  t.ok(killed.length >= roundsMin, `${killed.length} kills`)
  t.ok(hits.length >= hitsMin, `${hits.length} kills hit a snapshot or a segment being made`)
  t.ok(sum(killed.map(({ logged }) => logged)) > 0, 'writes were logged and their replies lost')
  t.ok(sum(killed.map(({ unlogged }) => unlogged)) > 0, 'writes were lost before they were logged')
  t.comment(`${witness.txns.size} txns, ${sum(writers.map(({ settled }) => settled))} calls`)
})

t.test('E2E-2 the clients keep going and reject nothing', async (t) => {
  const { killed, writers } = await running
  for (const { client, faults, refusals, settled, spy, root } of writers) {
    t.strictSame(faults, [], root)
    t.equal(client.state, 'connected')
    t.ok(spy.attaches >= killed.length + 2, 'attached once for each life of the server')
    t.comment(`${root}: ${settled} calls settled, ${refusals} of them with the refusal foreseen`)
    t.ok(refusals > 0, 'some calls were refused for the state')
  }
})

t.test('E2E-3 what was acknowledged is in the log once, and in the tree', async (t) => {
  const { writers, witness, client } = await running
  t.strictSame(witness.faults, [])
  for (const { root, spy, client: own, children, chain, multis } of writers) {
    const logged = witness.writesOf(own.sessionId)
    t.strictSame(
      [...logged.keys()].sort((a, b) => a - b),
      [...spy.writes.keys()].sort((a, b) => a - b),
      `${root}: the xids in the log are those that were sent`,
    )
    const faults = [...spy.writes].flatMap(([xid, write]) => faultOf(write, logged.get(xid)) ?? [])
    t.strictSame(faults, [], `${root}: ${spy.writes.size} writes`)
    const names = await client.list(root).toArray()
    t.strictSame(names.sort(), [...children].sort())
    t.equal((await client.exists(`${root}/chain`))?.version, chain)
    t.equal((await client.exists(`${root}/multis`))?.version, multis)
  }
  const versions = writers.flatMap(({ sharedVersions }) => sharedVersions).sort((a, b) => a - b)
  t.strictSame(
    versions,
    versions.map((_, i) => i + 1),
  )
  t.equal((await client.exists('/shared'))?.version, versions.length)
})

t.test('E2E-4 what was unanswered at a kill is executed once and answered', async (t) => {
  const { writers } = await running
  for (const { root, spy } of writers) {
    const again = [...spy.writes.values()].filter(({ connections }) => connections > 1)
    t.comment(`${root}: ${again.length} writes were sent on several connections`)
    t.ok(again.length >= unansweredMin)
    t.strictSame(spy.faults, [], `${root}: under the same xid`)
    t.ok(
      again.every(({ replies }) => replies.length === 1),
      `${root}: each has one answer`,
    )
  }
  for (const { root, spy } of writers) {
    t.equal(timesSentAgain(spy), spy.losses, `${root}: exactly what had no answer was sent again`)
  }
})

t.test('E2E-5 the names of sequential creates are unique and without gaps', async (t) => {
  const { writers, client } = await running
  const jobs = writers.flatMap((writer) => writer.jobs).sort()
  const wanted = jobs.map((_, i) => `/jobs/job-${String(i).padStart(10, '0')}`)
  t.strictSame(jobs, wanted, `${jobs.length} names`)
  const names = await client.list('/jobs').toArray()
  t.strictSame(
    names.map((name) => `/jobs/${name}`),
    wanted,
  )
})

t.test('E2E-6 ephemerals live as long as their session', async (t) => {
  const { writers, witness, mortal, client } = await running
  for (const { ephemerals, client: own } of writers) {
    for (const path of ephemerals) {
      t.equal((await client.exists(path))?.ephemeralOwner, own.sessionId, path)
    }
  }
  t.ok(mortal.wasThere, 'while its client lived it was there')
  const { lingeredMs, sessionTimeoutMs } = mortal
  t.ok(lingeredMs >= sessionTimeoutMs, `it went after ${Math.round(lingeredMs)} ms`)
  const ends = [...witness.txns.values()].flatMap(({ body }) =>
    body.body === 'closeSession' ? [[body.closedSession, body.expired, body.changes.length]] : [],
  )
  t.strictSame(ends, [[mortal.sessionId, true, 1]], 'one session has ended, by expiry')
})

t.test('E2E-7 snapshot and log give the state that all of the log gives', async (t) => {
  const { digests } = await running
  t.equal(digests.recovered, digests.replayed)
})

t.test('E2E-8 a model of the rules, run over the log, tells each client the same', async (t) => {
  const run = await running
  const { faults, counts, model } = truthOf(run)
  t.strictSame(faults.slice(0, 5), [])
  t.ok(counts.acknowledged > 1_000 && counts.refused > 100, JSON.stringify(counts))
  t.strictSame(differences(model.znodes(), run.tree), [])
})

/** How often a write went out on another connection than its first. */
const timesSentAgain = ({ writes }: WireSpy): number =>
  sum([...writes.values()].map(({ connections }) => connections - 1))

/** An answer tells the zxid of its txn in the stat that it carries. */
const faultOf = ({ op, replies }: SeenWrite, txns: readonly Txn[] = []): string | null => {
  const [txn, ...others] = txns
  const [reply] = replies
  if (txn === undefined || others.length > 0) return `${op.op}: ${txns.length} txns`
  if (reply === undefined || replies.length > 1) return `${op.op}: ${replies.length} replies`
  if (reply.zxid < txn.zxid) return `${op.op} at ${txn.zxid}: answered at ${reply.zxid}`
  const { body, zxid } = txn
  const refused = body.body === 'error' ? body.code : null
  if (refused !== (reply.failure?.code ?? null)) return `${op.op} at ${zxid}: logged as ${refused}`
  const named = reply.failure === null ? mzxidsOf(op.op, reply.result) : []
  return named.every((mzxid) => mzxid === zxid) ? null : `${op.op} at ${zxid}: ${named.join()}`
}

const mzxidsOf = (op: SeenWrite['op']['op'], result: unknown): readonly unknown[] => {
  const fields = result as readonly unknown[]
  const stats =
    op === 'multi'
      ? (fields[1] as readonly (readonly unknown[])[]).map(([, stat]) => stat)
      : [fields.at(-1)]
  return stats.flatMap((stat) => (Array.isArray(stat) ? [stat[1] as unknown] : []))
}
