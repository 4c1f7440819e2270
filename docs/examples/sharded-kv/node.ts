import { type Client, connect } from '@conclave/client'
import {
  ConfigStore,
  Election,
  Membership,
  ServiceRegistry,
  SessionScope,
} from '@conclave/client/recipes'
import {
  paths,
  serviceName,
  sessionTimeoutMs,
  type Settings,
  settingsSchema,
  shardOf,
} from './cluster.js'
import { coordinate } from './coordinator.js'
import { type Answer, listen } from './http.js'
import { OwnShards } from './shards.js'
import { Storage } from './storage.js'

/** What a client asks of a node. */
export interface NodeRequest {
  readonly key: string
  readonly value: number
  /** How large it is said to be, for the limit in the settings. */
  readonly bytes?: number
  /** For the story: the process stops itself between its check and its write. */
  readonly standStill?: boolean
}

/** A database node. */
export interface NodeOptions {
  readonly id: string
  readonly labels: readonly string[]
  readonly conclave: string
  readonly storage: string
}

/** Serves until the process ends. */
export const runNode = async ({ id, labels, conclave, storage }: NodeOptions): Promise<void> => {
  const own = new OwnShards(new Storage(storage))
  let settings: Settings | null = null

  const handle = async (path: string, body: unknown): Promise<Answer> => {
    const { key, value, bytes = 0, standStill = false } = body as NodeRequest
    const shard = shardOf(key)
    if (path === '/get') {
      const found = own.get(shard, key)
      return found === 'notOwner' ? notOwner : { status: 200, body: { value: found } }
    }
    if (bytes > (settings?.valueBytesMax ?? 0)) return { status: 413, body: { error: 'tooLarge' } }
    const stop = (): void => void (standStill && process.kill(process.pid, 'SIGSTOP'))
    const outcome = await own.write(shard, { key, value }, stop)
    return { status: outcome === 'written' ? 200 : 409, body: { error: outcome } }
  }

  const address = await listen(handle)

  /** Everything that is to be there in every session; a session that ends begins it anew. */
  const takePart = async (client: Client, signal: AbortSignal): Promise<void> => {
    const me = await Membership.join(client, paths.nodes, { id, signal })
    const election = new Election(client, paths.coordinator, { id })
    const config = new ConfigStore(client, paths.settings, { schema: settingsSchema, id })
    const runBy = async (both: AbortSignal): Promise<void> => {
      for await (const version of config.subscribe({ node: { id, labels }, signal: both })) {
        settings = version.document
      }
    }
    await together(AbortSignal.any([signal, me.signal]), [
      (both) => own.follow(client, id, both),
      (both) => election.lead((leadership) => coordinate(client, me, leadership), { signal: both }),
      runBy,
    ])
  }

  const scope = new SessionScope(() => connect(conclave, { sessionTimeoutMs }))
  await new ServiceRegistry(scope, paths.services).register(serviceName, { id, address })
  await scope.run(takePart)
}

const notOwner: Answer = { status: 409, body: { error: 'notOwner' } }

/** What ends one of them ends all, and all have ended when this does. */
const together = async (
  signal: AbortSignal,
  runs: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> => {
  const over = new AbortController()
  const both = AbortSignal.any([signal, over.signal])
  const all = runs.map((run) =>
    run(both).catch((error: unknown) => {
      over.abort(error)
      throw error
    }),
  )
  await Promise.allSettled(all)
  await Promise.all(all)
}
