import { type Client, connect } from '#client/index.js'
import { type CacheEvent, SessionScope, TreeCache } from '#client/recipes/index.js'
import type { Txn } from '@conclave/protocol/peer'
import { Dice } from '../fuzz/dice.js'
import { EnsembleSegments } from './ensemble-segments.js'
import { EnsembleProcess, type ProcessStatus } from './ensemble-process.js'
import { readReplicaLogs } from './replica-logs.js'
import { startProxy, type TcpProxy } from './tcp-proxy.js'
import { TreeWriter } from './tree-writer.js'
import type { Owner } from './wire-socket.js'

export interface TreeCachePlan {
  readonly seed: number
  readonly writes: number
  /** How often all clients that read lose their connections. */
  readonly disconnects: number
  /** How often the leader is killed. */
  readonly kills: number
}

/** What one cache was told, from its start to the last write. */
export interface Followed {
  readonly name: string
  readonly events: readonly CacheEvent<Uint8Array>[]
}

export interface TreeCacheRun {
  readonly followed: readonly Followed[]
  /** The logs of the servers, by zxid. */
  readonly txns: ReadonlyMap<number, Txn>
  readonly faults: readonly string[]
  readonly killed: number
}

export const cachedPath = '/t'
const lastPath = `${cachedPath}/last`

/** Caches of a tree that is written at random, while connections are cut and leaders killed. */
export const treeCacheRun = async (t: Owner, plan: TreeCachePlan): Promise<TreeCacheRun> => {
  const run = new Run(t)
  await run.begin(plan.seed)
  let killed = 0
  for (let i = 1; i <= plan.disconnects; i += 1) {
    const writes = Math.ceil(plan.writes / plan.disconnects)
    const writing = run.write(writes / 2)
    const isKill = Math.floor((i * plan.kills) / plan.disconnects) > killed
    if (isKill) killed += 1
    await Promise.all([run.disturb(isKill), writing])
    await run.write(writes / 2)
  }
  return { ...(await run.end()), killed }
}

const sessions = { sessionTimeoutMs: 60_000, connectTimeoutMs: 60_000 }

class Run {
  readonly #t: Owner
  readonly #ensemble = new EnsembleProcess(3)
  readonly #segments: EnsembleSegments
  readonly #proxies: TcpProxy[] = []
  #writers!: Readonly<Record<'a' | 'b', TreeWriter>>
  readonly #following: Promise<Followed>[] = []
  #writer!: Client
  #reader!: Client
  #scope!: SessionScope
  #disturbed = 0

  constructor(t: Owner) {
    this.#t = t
    this.#segments = new EnsembleSegments(t, this.#ensemble)
    t.teardown(() => this.#ensemble[Symbol.asyncDispose]())
  }

  async begin(seed: number): Promise<void> {
    this.#ensemble.startAll()
    await this.#ensemble.until((all) => all.some(isLeading))
    for (const id of this.#ensemble.ids) {
      const { host, clientPort } = this.#ensemble.server(id)
      this.#proxies.push(await startProxy(this.#t, clientPort, host))
    }
    const readerUrl = `conclave://${this.#proxies.map(({ address }) => address).join(',')}`
    this.#writer = await this.#connect(this.#ensemble.url())
    this.#reader = await this.#connect(readerUrl)
    this.#scope = new SessionScope(() => connect(readerUrl, sessions))
    this.#t.teardown(() => this.#scope.close())
    await this.#writer.create('/elsewhere')
    await this.#writer.create(cachedPath)
    const writerOf = async (part: string): Promise<TreeWriter> => {
      const root = await this.#writer.create(`${cachedPath}/${part}`)
      return new TreeWriter(this.#writer, Dice.of(seed, part), root)
    }
    this.#writers = { a: await writerOf('a'), b: await writerOf('b') }
    this.#follow('of one session', this.#reader)
    this.#follow('of many sessions', this.#scope)
  }

  /** Some at a time, of which many are under way when a leader is killed. */
  async write(count: number): Promise<void> {
    for (let left = count; left > 0; left -= inFlight) {
      const writers = Array.from({ length: Math.min(left, inFlight) }, (_, i) =>
        i % 2 === 0 ? this.#writers.a : this.#writers.b,
      )
      await Promise.all(writers.map((writer) => writer.write()))
    }
  }

  async disturb(isKill: boolean): Promise<void> {
    const number = ++this.#disturbed
    for (const proxy of this.#proxies) proxy.cut()
    if (number % 5 === 0) void (await this.#scope.client()).close()
    this.#follow(`begun at disturbance ${number}`, this.#reader)
    if (isKill) await this.#killLeader()
  }

  async end(): Promise<Omit<TreeCacheRun, 'killed'>> {
    await this.#writer.create(lastPath)
    const followed = await Promise.all(this.#following)
    await Promise.all([this.#scope.close(), this.#writer.close(), this.#reader.close()])
    const { ids } = this.#ensemble
    await this.#ensemble.until((all) => new Set(all.map(({ lag, zxid }) => zxid + lag)).size === 1)
    await Promise.all(ids.map((id) => this.#ensemble.end(id, 'SIGTERM')))
    const { txns, faults } = await readReplicaLogs(this.#segments.keep())
    return { followed, txns, faults }
  }

  #follow(name: string, source: Client | SessionScope): void {
    const cache = new TreeCache(source, cachedPath)
    const follow = async (): Promise<Followed> => {
      const events: CacheEvent<Uint8Array>[] = []
      for await (const event of cache.events({ bufferEvents: 100_000 })) {
        events.push(event)
        if (event.path === lastPath) break
      }
      await cache.close()
      return { name, events }
    }
    this.#following.push(follow())
  }

  async #killLeader(): Promise<void> {
    const statuses = await this.#ensemble.until((all) => all.some(isLeading))
    const leader = statuses.find(isLeading)?.id ?? 0
    await this.#ensemble.end(leader, 'SIGKILL')
    this.#ensemble.start(leader)
  }

  async #connect(url: string): Promise<Client> {
    const client = await connect(url, sessions)
    this.#t.teardown(() => void client.close({ timeoutMs: 1 }))
    return client
  }
}

const inFlight = 50

const isLeading = ({ role }: ProcessStatus): boolean => role === 'leading'
