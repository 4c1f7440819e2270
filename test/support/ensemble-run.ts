import { EnsembleFaults } from './ensemble-faults.js'
import type { EnsemblePlan } from './ensemble-plan.js'
import { EnsembleProcess } from './ensemble-process.js'
import { EnsembleRounds, type PlacedWriter, type Struck } from './ensemble-rounds.js'
import { EnsembleSegments } from './ensemble-segments.js'
import { ExactlyOnceWriter, sharedPaths } from './exactly-once-writer.js'
import { groundTruth, type GroundTruth } from './ground-truth.js'
import { recoverState, replayed } from './log-witness.js'
import { PeerNetwork } from './peer-network.js'
import { readReplicaLogs, type ReplicaLogs } from './replica-logs.js'
import type { Owner } from './wire-socket.js'
import { WireSpy } from './wire-spy.js'

export interface EnsembleRun {
  readonly struck: readonly Struck[]
  readonly writers: readonly PlacedWriter[]
  /** Of each writer's session, after the last round. */
  readonly owners: ReadonlyMap<string, number | null>
  readonly logs: ReplicaLogs
  readonly truth: GroundTruth
  /** Of the states that all servers would restart from, and of the one that the whole log gives. */
  readonly digests: { readonly recovered: readonly string[]; readonly replayed: string }
}

/**
 * Writers of real clients, and servers that are struck and healed under them. In the end all have
 * ended in order, and their logs are read.
 */
export const ensembleRun = async (t: Owner, plan: EnsemblePlan): Promise<EnsembleRun> => {
  const ensemble = new EnsembleProcess(plan.servers, plan.settings)
  t.teardown(() => ensemble[Symbol.asyncDispose]())
  const segments = new EnsembleSegments(t, ensemble)
  const network = await PeerNetwork.between(t, ensemble)
  const rounds = new EnsembleRounds(ensemble, new EnsembleFaults(ensemble, network, segments))
  ensemble.startAll()
  await join(t, rounds, ensemble)
  rounds.start()
  const struck: Struck[] = []
  for (const [i, round] of plan.rounds.entries()) struck.push(await rounds.round(round, i))
  await rounds.finish()
  const { writers, leavers, visitors } = rounds
  const owners = await ownersOf(writers)
  await Promise.all(ensemble.ids.map((id) => ensemble.end(id, 'SIGTERM')))
  const logs = await readReplicaLogs(segments.keep())
  const truth = groundTruth(logs.txns, [
    ...writers.map(({ writer: { client, spy, told, prepared } }) => {
      return { sessionId: client.sessionId, spy, told, prepared }
    }),
    ...leavers.map(({ sessionId, spy, told }) => ({ sessionId, spy, told, prepared: 0 })),
    ...visitors,
  ])
  const recovered: string[] = []
  for (const id of ensemble.ids) {
    recovered.push((await recoverState(ensemble.dataOf(id))).digest)
  }
  const digests = { recovered, replayed: replayed(logs.txns).digest }
  return { struck, writers, owners, logs, truth, digests }
}

/** One client at home at each server, with a session that outlasts all faults, and some more. */
const join = async (t: Owner, rounds: EnsembleRounds, ensemble: EnsembleProcess): Promise<void> => {
  const homes = [...ensemble.ids, ...Array.from({ length: roamers }, () => null)]
  for (const [i, home] of homes.entries()) {
    const spy = new WireSpy(rounds)
    const url = home === null ? ensemble.url() : ensemble.url(home)
    const client = await spy.connect(url, home === null ? 10_000 : 60_000)
    t.teardown(() => void client.close({ timeoutMs: 1 }))
    const writer = new ExactlyOnceWriter(client, spy, `w${i}`, () => rounds.inFlightMax())
    rounds.writers.push({ writer, home })
    if (i === 0) for (const path of sharedPaths) await client.create(path)
    await writer.prepare()
  }
}

const ownersOf = async (
  writers: readonly PlacedWriter[],
): Promise<ReadonlyMap<string, number | null>> => {
  const owners = new Map<string, number | null>()
  for (const { writer } of writers) {
    for (const path of writer.ephemerals) {
      owners.set(path, (await writer.client.exists(path))?.ephemeralOwner ?? null)
    }
  }
  return owners
}

const roamers = 2
