import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '#client/index.js'
import type { ClientMessage } from './client-child.js'
import { ExactlyOnceWriter, sharedPaths } from './exactly-once-writer.js'
import { Forked } from './forked.js'
import type { DiskMoment } from './disk-trace.js'
import type { ReplicatedState } from '#server/core/pipeline/replicated-state.js'
import { LeavingWriter } from './leaving-writer.js'
import { LogModel, type ModelZnode } from './log-model.js'
import { type Aim, type Killed, KillRounds } from './kill-rounds.js'
import { LogWitness, recoverState } from './log-witness.js'
import { ServerProcess } from './server-process.js'
import { WireSpy } from './wire-spy.js'

export const roundsMin = 10
export const hitsMin = 3

/** A client that dies while the server is dead, and what became of its ephemeral. */
export interface Mortal {
  readonly sessionId: number
  readonly sessionTimeoutMs: number
  /** While it lived. */
  readonly wasThere: boolean
  /** From the start of the server after its death to the deletion. */
  readonly lingeredMs: number
}

export interface KillRun {
  readonly killed: readonly Killed[]
  readonly writers: readonly ExactlyOnceWriter[]
  readonly witness: LogWitness
  readonly mortal: Mortal
  /** Of the state that a restart recovers, and of the one that all of the log gives. */
  readonly digests: { readonly recovered: string; readonly replayed: string }
  /** All znodes that a restart recovers, by path. */
  readonly tree: ReadonlyMap<string, ModelZnode>
  readonly leavers: readonly LeavingWriter[]
  readonly client: Client
  end(): Promise<void>
}

export interface KillPlan {
  readonly aims: readonly Aim[]
  /** Starts of the server that die too, each after the kill of its round. */
  readonly dyingStarts: ReadonlyMap<number, DiskMoment>
  /** In each round one more client writes, and leaves for good when the server dies. */
  readonly hasLeavers: boolean
}

/**
 * Writers of real clients, and a server that is killed and started again under them. All of them
 * are idle in the end, and the server runs.
 */
export const killRun = async (plan: KillPlan = shortPlan): Promise<KillRun> => {
  const root = mkdtempSync(join(tmpdir(), 'conclave-kill-'))
  const directory = join(root, 'data')
  const server = new ServerProcess(
    { data: directory, snapshotTxns: 1_500, segmentBytes },
    join(root, 'trace'),
  )
  await server.start()
  const witness = new LogWitness(directory, join(root, 'witness'))
  const rounds = new KillRounds(server, witness, { directory, segmentBytes })
  const end = async (timeoutMs = 5_000): Promise<void> => {
    await Promise.all(rounds.writers.map(({ client }) => client.close({ timeoutMs })))
    rounds.close()
    await server.stop()
    rmSync(root, { recursive: true })
  }
  const run = async (): Promise<KillRun> => {
    const client = await prepare(rounds, server.url)
    const leavers: LeavingWriter[] = []
    const killing = killAll(rounds, client, { url: server.url, plan, leavers })
    const { killed, mortal } = await Promise.race([killing, expiry(rounds.writers)])
    await server.kill()
    await witness.readAll()
    const replayed = witness.replay().digest
    const state = await recoverState(directory)
    const tree = treeOf(state)
    await server.start()
    await Promise.all(rounds.writers.map((writer) => writer.client.sync()))
    const digests = { recovered: state.digest, replayed }
    const { writers } = rounds
    return { killed, writers, witness, mortal, digests, tree, leavers, client, end }
  }
  try {
    return await Promise.race([run(), server.fault])
  } catch (error) {
    await end(1)
    throw error
  }
}

const prepare = async (rounds: KillRounds, url: string): Promise<Client> => {
  for (const name of ['a', 'b', 'c', 'd']) {
    const spy = new WireSpy(rounds)
    const client = await spy.connect(url, 20_000)
    rounds.writers.push(new ExactlyOnceWriter(client, spy, name, () => rounds.inFlightMax()))
  }
  const [{ client }] = rounds.writers as [ExactlyOnceWriter]
  for (const path of sharedPaths) await client.create(path)
  await makeBallast(client)
  for (const writer of rounds.writers) await writer.prepare()
  return client
}

/** Rejects when a session has ended: its writer would be waited for in vain. */
const expiry = (writers: readonly ExactlyOnceWriter[]): Promise<never> =>
  new Promise((_resolve, reject) => {
    for (const { client, root } of writers) {
      client.on('state', ({ state, reason }) => {
        if (state === 'expired') reject(new Error(`${root}: ${reason}`))
      })
    }
  })

/** So much that a snapshot takes many slices. */
const makeBallast = async (client: Client): Promise<void> => {
  await client.create('/ballast')
  for (let piece = 0; piece < 10; piece++) {
    const transaction = client.transaction()
    for (let i = 0; i < 100; i++) {
      transaction.create(`/ballast/${piece}-${i}`, new Uint8Array(8_192))
    }
    await transaction.commit()
  }
}

const killAll = async (
  rounds: KillRounds,
  client: Client,
  {
    url,
    plan,
    leavers,
  }: { readonly url: string; readonly plan: KillPlan; readonly leavers: LeavingWriter[] },
): Promise<{ killed: readonly Killed[]; mortal: Mortal }> => {
  rounds.start()
  const killed: Killed[] = []
  for (const [i, aim] of plan.aims.entries()) {
    const leaver = plan.hasLeavers ? await LeavingWriter.join(url, `leaver-${i}`) : null
    if (leaver !== null) leavers.push(leaver)
    const dyingStart = plan.dyingStarts.get(i) ?? null
    killed.push(await rounds.round(aim, { whileDead: () => leaver?.leave(), dyingStart }))
  }
  const hits = (): number => killed.filter(({ during }) => during.length > 0).length
  while (hits() < hitsMin && killed.length < roundsMax) {
    killed.push(await rounds.round({ aim: 'snapshot' }))
  }
  const mortal = await outlive(rounds, client, url, killed)
  return { killed, mortal }
}

/** A client in a process of its own dies together with the server, which comes back. */
const outlive = async (
  rounds: KillRounds,
  client: Client,
  url: string,
  killed: Killed[],
): Promise<Mortal> => {
  const path = '/mortal'
  const sessionTimeoutMs = 4_000
  const dying = new Forked<ClientMessage>('client-child')
  try {
    const { sessionId } = await dying.ask({ url, path, sessionTimeoutMs })
    const { stat, changed } = await client.exists(path, { watch: true })
    const deleted = changed.then(() => performance.now())
    deleted.catch(() => undefined)
    // The server gives every session its full timeout again when it starts.
    const whileDead = (): Promise<void> => dying.kill()
    killed.push(await rounds.round({ aim: 'replies', count: 500 }, { whileDead }))
    await Promise.all(rounds.writers.map((writer) => writer.stop()))
    const lingeredMs = (await deleted) - rounds.restartedMs
    return { sessionId, sessionTimeoutMs, wasThere: stat !== null, lingeredMs }
  } finally {
    await dying.kill()
  }
}

const aims: readonly Aim[] = [
  { aim: 'replies', count: 1_000 },
  { aim: 'snapshot' },
  { aim: 'replies', count: 300 },
  { aim: 'segment' },
  { aim: 'snapshot' },
  { aim: 'replies', count: 1 },
  { aim: 'segment' },
  { aim: 'snapshot' },
  { aim: 'replies', count: 1_500 },
]
const shortPlan: KillPlan = { aims, dyingStarts: new Map(), hasLeavers: false }

const treeOf = (state: ReplicatedState): ReadonlyMap<string, ModelZnode> => {
  const view = state.snapshot([])
  const tree = new Map<string, ModelZnode>()
  for (;;) {
    const entries = view.next(1_000)
    if (entries.length === 0) break
    for (const entry of entries) {
      if (entry.entry === 'znode') tree.set(entry.path, LogModel.plainOf(entry))
    }
  }
  view.close()
  return tree
}

const roundsMax = 20
const segmentBytes = 1_048_576
