import { type Client, connect, json } from '@conclave/client'
import { ConfigStore, Election, Lease, type LeaseHolder } from '@conclave/client/recipes'
import { paths, type Settings, settingsSchema, shards } from '../cluster.js'
import { Database } from '../database.js'
import { Storage } from '../storage.js'
import { ConclaveServers } from './conclave-servers.js'
import type { Processes } from './processes.js'

const patienceMs = 30_000

/** Everything that the story is played with: it sees the database as an operator would. */
export class Stage {
  readonly client: Client
  readonly conclave: ConclaveServers
  readonly database: Database
  readonly settings: ConfigStore<Settings>
  readonly storage: Storage
  readonly #processes: Processes

  private constructor(
    client: Client,
    conclave: ConclaveServers,
    storage: Storage,
    processes: Processes,
  ) {
    this.client = client
    this.conclave = conclave
    this.database = new Database(client)
    const options = { schema: settingsSchema, id: 'operator' }
    this.settings = new ConfigStore(client, paths.settings, options)
    this.storage = storage
    this.#processes = processes
  }

  static async open(processes: Processes): Promise<Stage> {
    const conclave = await ConclaveServers.start(processes, 3)
    const url = await processes.fork('storage', { run: 'storage', journal: processes.journal })
    const client = await connect(conclave.url, { connectTimeoutMs: patienceMs })
    const stage = new Stage(client, conclave, new Storage(url), processes)
    await client.create(paths.root)
    await client.create(paths.assignment, {}, { as: json })
    await stage.settings.update(() => ({ valueBytesMax: 256 }), { note: 'the first' })
    stage.database.follow().catch((error: unknown) => processes.fail(error))
    return stage
  }

  startNode(id: string, labels: readonly string[] = []): void {
    const places = { conclave: this.conclave.url, storage: this.storage.url }
    void this.#processes.fork(id, { run: 'node', id, labels, ...places })
  }

  async coordinator(): Promise<string> {
    return (await new Election(this.client, paths.coordinator).leader())?.id ?? 'nobody'
  }

  /** Who serves which shard, by the leases. */
  async owners(): Promise<readonly LeaseHolder[]> {
    const holders = await Lease.holders(this.client, paths.leases)
    return holders.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** Resolves once these nodes, and no others, serve all shards, each its share of them. */
  untilServedBy(nodes: readonly string[]): Promise<readonly LeaseHolder[]> {
    const share = Math.floor(shards.length / nodes.length)
    return this.until(`${nodes.join(', ')} to serve all shards`, async () => {
      const owners = await this.owners()
      const counts = nodes.map((node) => owners.filter(({ id }) => id === node).length)
      const all = counts.reduce((sum, count) => sum + count, 0)
      return all === shards.length && Math.min(...counts) >= share ? owners : null
    })
  }

  /** Asks again with every change of the database's part of the tree, until there is an answer. */
  until<T>(what: string, answer: () => Promise<T | null>): Promise<T> {
    return this.patiently(what, async (signal) => {
      for await (const _change of this.client.watch(paths.root, { recursive: true, signal })) {
        const found = await answer()
        if (found !== null) return found
      }
      throw new Error('the client was closed')
    })
  }

  /** @throws when it takes too long: that breaks a promise too */
  patiently<T>(what: string, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.timeout(patienceMs)
    const late = new Promise<never>((_resolve, reject) => {
      const error = new Error(`waited ${patienceMs / 1_000} s for ${what}`)
      signal.addEventListener('abort', () => reject(error))
    })
    return Promise.race([late, run(signal)])
  }
}
