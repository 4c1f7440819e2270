import type { LeaseHolder } from '@conclave/client/recipes'
import { paths, type Settings, shardOf } from '../cluster.js'
import { ask } from '../http.js'
import type { NodeRequest } from '../node.js'
import type { Narrator } from './narrator.js'
import type { Processes } from './processes.js'
import type { Stage } from './stage.js'
import { Traffic } from './traffic.js'

const three = ['db-1', 'db-2', 'db-3']
const four = [...three, 'db-4']

/** What happens to the database, act by act. Each throws when a promise is broken. */
export class Story {
  readonly traffic: Traffic
  readonly #stage: Stage
  readonly #narrator: Narrator
  readonly #processes: Processes

  constructor(stage: Stage, narrator: Narrator, processes: Processes) {
    this.traffic = new Traffic(stage.database)
    this.#stage = stage
    this.#narrator = narrator
    this.#processes = processes
  }

  async nodesStart(): Promise<void> {
    this.#narrator.act('Three database nodes share eight shards')
    for (const id of three) this.#stage.startNode(id)
    const owners = await this.#stage.untilServedBy(three)
    this.#narrator.say(
      `${await this.#stage.coordinator()} was elected coordinator, and assigned them`,
    )
    this.#narrator.table([
      ['shard', ...owners.map((owner) => String(shardIn(owner)))],
      ['leased by', ...owners.map(({ id }) => String(id))],
      ['token', ...owners.map(({ token }) => String(token))],
    ])
    this.traffic.start()
    await this.#goOn('four applications write all the time')
  }

  async nodeDies(): Promise<void> {
    const victim = (await this.#stage.coordinator()) === 'db-1' ? 'db-2' : 'db-1'
    this.#narrator.act(`kill -9 of the node ${victim}`)
    await this.#moving(async () => {
      await this.#processes.kill(victim)
      await this.#stage.untilServedBy(three.filter((id) => id !== victim))
    })
    this.#stage.startNode(victim)
    await this.#stage.untilServedBy(three)
    this.#narrator.say(
      `${victim} is back, as another generation of itself, and has its share again`,
    )
  }

  async coordinatorDies(): Promise<void> {
    const victim = await this.#stage.coordinator()
    this.#narrator.act(`kill -9 of ${victim}, the coordinator`)
    await this.#moving(async () => {
      await this.#processes.kill(victim)
      await this.#stage.untilServedBy(three.filter((id) => id !== victim))
    })
    this.#narrator.say(`${await this.#stage.coordinator()} was elected in its place`)
    this.#stage.startNode(victim)
  }

  async fourthNodeJoins(): Promise<void> {
    this.#narrator.act('A fourth node joins')
    await this.#moving(async () => {
      this.#stage.startNode('db-4', ['canary'])
      await this.#stage.untilServedBy(four)
    })
  }

  async conclaveLeaderDies(): Promise<void> {
    const { client, conclave } = this.#stage
    this.#narrator.act('kill -9 of the Conclave server that leads')
    const before = await this.#stage.owners()
    const id = await conclave.killLeader()
    const killedMs = performance.now()
    await this.#stage.patiently('a write to Conclave', (signal) =>
      client.set(paths.root, null, { signal }),
    )
    const waitedMs = Math.round(performance.now() - killedMs)
    this.#narrator.say(`server ${id} is gone; the next write to Conclave took ${waitedMs} ms`)
    const { length } = movedBetween(before, await this.#stage.owners())
    this.#narrator.say(`sessions live on: ${length === 0 ? 'no' : length} lease has changed hands`)
    await this.#goOn('the applications have noticed nothing')
  }

  async ownerStandsStill(): Promise<void> {
    const { database } = this.#stage
    const coordinator = await this.#stage.coordinator()
    const owner = (await this.#stage.owners()).find(({ id }) => id !== coordinator) as LeaseHolder
    const [victim, shard] = [String(owner.id), shardIn(owner)]
    this.#narrator.act(`SIGSTOP of ${victim}, in the middle of a write to shard ${shard}`)
    const key = keyIn(shard)
    const put = (value: number): Promise<void> =>
      this.#stage.patiently(`a write of ${key}`, (signal) => database.put(key, value, signal))
    await put(1)
    const request: NodeRequest = { key, value: 2, standStill: true }
    const stale = ask(`${database.addressOfNode(victim)}/put`, request)
    this.#narrator.say(
      `it has seen that it owns the shard, by token ${owner.token}, and stands still`,
    )
    const others = four.filter((id) => id !== victim)
    const owners = await this.#stage.untilServedBy(others)
    const next = owners.find((one) => shardIn(one) === shard) as LeaseHolder
    await put(3)
    this.#narrator.say(`${next.id} has the shard by token ${next.token}, and writes a newer value`)
    this.#processes.goOn(victim)
    const { body } = await this.#stage.patiently('the answer to the stale write', () => stale)
    const { error } = body as { readonly error: string }
    if (error !== 'fenced') throw new Error(`the stale write ended with ${error}, not with fenced`)
    this.#narrator.good(
      `${victim} goes on, writes at once by token ${owner.token}: refused as fenced`,
    )
    const value = await this.#stage.patiently('a read', (signal) => database.get(key, signal))
    if (value !== 3) throw new Error(`the newer value was overwritten by ${value}`)
    await this.#stage.untilServedBy(four)
    await this.#goOn(`${victim} has joined anew`)
  }

  async settingsChange(): Promise<void> {
    this.#narrator.act(
      'New settings, first for the canary, then for half of the nodes, then for all',
    )
    await this.#rollOut({ valueBytesMax: 16 }, 'at most 16 bytes a value')
    await this.#rollOut({ valueBytesMax: 4_096 }, 'at most 4,096 bytes a value')
    const drift = await this.#stage.until('all nodes to run the settings', async () => {
      const nodes = await this.#stage.settings.drift()
      return nodes.every(({ behindMs }) => behindMs === 0) ? nodes : null
    })
    this.#narrator.table([
      ['node', ...drift.map(({ id }) => id)],
      ['settings', ...drift.map(({ version }) => `version ${version}`)],
    ])
  }

  async #rollOut(next: Settings, note: string): Promise<void> {
    const probe: NodeRequest = { key: 'probe', value: 0, bytes: 100 }
    this.#narrator.say(`${note}:`)
    const { outcome, version } = await this.#stage.settings.rollout(next, {
      stages: [{ label: 'canary' }, { percent: 50 }, { percent: 100 }],
      note,
      settleMs: 200,
      healthy: async ({ nodes }) => {
        const places = nodes.map(({ id }) => `${this.#stage.database.addressOfNode(id)}/put`)
        const answers = await Promise.all(places.map((place) => ask(place, probe)))
        const isWell = answers.every(({ status }) => status !== 413)
        const names = nodes.map(({ id }) => id).join(', ')
        this.#narrator.say(
          `  asked ${names}: ${isWell ? 'all is well' : 'a value of 100 bytes is refused'}`,
        )
        return isWell
      },
    })
    const end = outcome === 'finished' ? 'it is for all now' : 'it was rolled back'
    this.#narrator.say(`  ${end}: version ${version} counts`)
  }

  /** Says which shards have gone from whom to whom while it ran. */
  async #moving(run: () => Promise<void>): Promise<void> {
    const before = await this.#stage.owners()
    await run()
    const moved = movedBetween(before, await this.#stage.owners())
    this.#narrator.table([
      ['shard', ...moved.map(([from]) => String(shardIn(from)))],
      ['from', ...moved.map(([{ id, token }]) => `${id} (${token})`)],
      ['to', ...moved.map(([, { id, token }]) => `${id} (${token})`)],
    ])
    if (moved.some(([from, to]) => to.token <= from.token)) {
      throw new Error('a later owner has no higher token')
    }
    await this.#goOn('traffic has moved')
  }

  async #goOn(why: string): Promise<void> {
    await this.#stage.patiently('the writes to go on', () => this.traffic.more(100))
    const { accepted } = this.traffic
    const pauseMs = Math.round(this.traffic.takeLongestMs())
    this.#narrator.say(`${why}: ${accepted} writes accepted, longest pause ${pauseMs} ms`)
  }
}

const movedBetween = (
  before: readonly LeaseHolder[],
  after: readonly LeaseHolder[],
): readonly (readonly [LeaseHolder, LeaseHolder])[] =>
  after.flatMap((to) => {
    const from = before.find(({ path }) => path === to.path)
    return from === undefined || from.token === to.token ? [] : [[from, to] as const]
  })

const shardIn = ({ path }: LeaseHolder): number => Number(path.slice(path.lastIndexOf('/') + 1))

const keyIn = (shard: number): string => {
  for (let i = 0; ; i += 1) if (shardOf(`sum-${i}`) === shard) return `sum-${i}`
}
