import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect } from '@conclave/client'
import type { Op, Zxid } from '@conclave/protocol'
import { directoryAt } from '../data-directory.js'
import { Phases } from '../phases.js'
import { PipelinedWriter } from '../pipelined-writer.js'
import { ReaderProcess } from '../reader-process.js'
import type { Phase, Report } from '../report.js'
import type { Bench, Scenario } from '../scenario.js'
import { ServerProcess } from '../server-process.js'

/** A million children of one znode, 100 bytes each, at zxids beyond 32 bits. */
export const millionZnodes: Scenario = {
  name: 'million-znodes',
  summary: 'a million znodes of 100 bytes: memory, restart, and whom long work holds up',
  run: (bench) => run(bench, bench.quick ? 100_000 : 1_000_000),
}

const run = async (bench: Bench, znodes: number): Promise<Report> => {
  const data = join(bench.directory, 'data')
  await directoryAt(data, firstZxid)
  const first = await withServer(bench, data, (run) => grow(run, data, znodes))
  const second = await withServer(bench, data, (run) => use(run, data, znodes))
  const phases = [...first.phases, ...second.phases]
  const stalls = phases.map(({ server }) => server.ownStallMs)
  return {
    scenario: `million-znodes: ${znodes} znodes`,
    figures: [
      { name: 'memory of an empty server', value: first.rss / 1e6, unit: 'MB' },
      perZnode('memory when filled', first.phases.at(-1), znodes),
      perZnode('memory after the restart', second.phases[0], znodes),
      { name: 'restart', value: second.startMs / 1_000, unit: 's', goal: 15 },
      { name: 'longest stall of its own', value: Math.max(...stalls), unit: 'ms', goal: 20 },
    ],
    phases,
  }
}

/** Everything the server holds, itself included, shared by the znodes. */
const perZnode = (name: string, phase: Phase | undefined, znodes: number) => ({
  name,
  value: (phase?.server.rss ?? 0) / znodes,
  unit: 'bytes a znode',
  goal: 600,
})

interface Run {
  readonly phases: Phases
  readonly url: string
  readonly client: Client
}

const withServer = async (
  bench: Bench,
  data: string,
  work: (run: Run) => Promise<void>,
): Promise<{ phases: readonly Phase[]; rss: number; startMs: number }> => {
  const [server, reader] = [new ServerProcess(), new ReaderProcess()]
  try {
    bench.progress('start')
    const beganMs = performance.now()
    await server.start({ data, clientPort: 0 })
    const client = await connect(server.url, { sessionTimeoutMs: 60_000 })
    if ((await client.exists(quiet)) === null) await client.create(quiet, payload)
    const startMs = performance.now() - beganMs
    await reader.read(server.url, quiet)
    const { rss } = await server.measure()
    const phases = new Phases(bench, server, reader)
    await work({ phases, url: server.url, client })
    await client.close()
    return { phases: phases.done, rss, startMs }
  } finally {
    await reader.stop()
    await server.stop()
  }
}

const grow = async ({ phases, url, client }: Run, data: string, znodes: number): Promise<void> => {
  await client.create(parent)
  const writer = await PipelinedWriter.open(url)
  await phases.run('fill', () => writer.write(creates(znodes)))
  await phases.run('idle after the fill', async () => {
    await untilSnapshot(data, 0)
    await sleep(idleMs)
    return null
  })
  await writer.close()
}

const use = async ({ phases, url, client }: Run, data: string, znodes: number): Promise<void> => {
  await phases.run('idle after the restart', async () => {
    await sleep(idleMs)
    return null
  })
  const writer = await PipelinedWriter.open(url)
  await phases.run('snapshot under writes', async () => {
    let isOver = false
    const saved = untilSnapshot(data, newestSnapshot(data)).finally(() => (isOver = true))
    const [count] = await Promise.all([writer.write(sets(znodes, () => isOver)), saved])
    return count
  })
  await writer.close()
  await phases.run('countDescendants', () => client.countDescendants(parent))
  await phases.run('pages of children', async () => {
    let count = 0
    for await (const _ of client.list(parent)) count += 1
    return count
  })
  await phases.run('deleteRecursive', () => client.deleteRecursive(parent))
  await phases.run('idle after the delete', async () => {
    await sleep(idleMs)
    return null
  })
}

const nameOf = (index: number): string => `${parent}/n${String(index).padStart(9, '0')}`

function* creates(count: number): Generator<Op> {
  const fixed = { op: 'create', data: payload, kind: 'persistent', acl: null, ttlMs: 0 } as const
  for (let i = 0; i < count; i++) yield { ...fixed, path: nameOf(i) }
}

/** Sets data all over the tree until it is told to stop. */
function* sets(znodes: number, isOver: () => boolean): Generator<Op> {
  for (let i = 0; !isOver() && i < setsMax; i++) {
    yield { op: 'setData', path: nameOf((i * 7_919) % znodes), data: payload, version: -1 }
  }
}

/** The zxid of the newest finished snapshot; 0 when there is none. */
const newestSnapshot = (data: string): number =>
  Math.max(
    0,
    ...readdirSync(data).map((name) => Number(/^snapshot-g1-(\d+)$/.exec(name)?.[1] ?? 0)),
  )

const isSaving = (data: string): boolean =>
  readdirSync(data).some((name) => /^snapshot-.*\.tmp$/.test(name))

/** A snapshot later than `zxid` is finished and none is being written. */
const untilSnapshot = async (data: string, zxid: number): Promise<void> => {
  for (let left = snapshotWaitMs; left > 0; left -= pollMs) {
    if (newestSnapshot(data) > zxid && !isSaving(data)) return
    await sleep(pollMs)
  }
  throw new Error('no snapshot was finished in time')
}

/** Above 2^32, so that neither a signed nor an unsigned word holds one. */
const firstZxid = (2 ** 32 + 1_000) as Zxid
const parent = '/million'
const quiet = '/quiet'
const payload = Buffer.alloc(100, 'conclave ')
const idleMs = 3_000
const pollMs = 20
const snapshotWaitMs = 300_000
const setsMax = 10_000_000
