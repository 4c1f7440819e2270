import type { Client } from '../../client.js'
import { type Codec, json } from '../../codecs.js'
import { BadVersionError, NodeExistsError, NoNodeError } from '../../errors.js'
import type { ReadOptions, WaitOptions } from '../../options.js'
import { ref } from '../../transaction.js'
import { listNames } from '../contenders.js'
import { TreeCache } from '../tree-cache.js'
import { childPath, inDirectory, removeOwn } from '../znodes.js'
import type { ConfigNode } from './stages.js'

/** What a node says of itself, in an ephemeral. */
export interface NodeState extends Required<ConfigNode> {
  /** What it runs; null while it runs none. */
  readonly version: number | null
  /** A later one that it could not read, and so does not run. */
  readonly refused: number | null
}

/** A node as others see it. */
export interface NodeSeen extends NodeState {
  /** Since when it takes part in this session, by the servers' clock. */
  readonly sinceMs: number
}

const attemptsMax = 16
const readsMax = 128

/** What this process says about the version it runs. */
export class NodeMark implements AsyncDisposable {
  readonly node: Required<ConfigNode>
  readonly #client: Client
  readonly #path: string
  readonly #wait: WaitOptions
  #version: number | null = null

  constructor(
    client: Client,
    path: string,
    about: { node: Required<ConfigNode>; wait: WaitOptions },
  ) {
    this.node = about.node
    this.#client = client
    this.#path = childPath(nodesPath(path), about.node.id)
    this.#wait = about.wait
  }

  /** It is there, and runs nothing yet. */
  announce(): Promise<void> {
    return this.#say(null)
  }

  runs(version: number): Promise<void> {
    this.#version = version
    return this.#say(null)
  }

  refuses(version: number): Promise<void> {
    return this.#say(version)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeOwn(this.#client, this.#path)
  }

  async #say(refused: number | null): Promise<void> {
    const { id, labels } = this.node
    const state: NodeState = { id, labels, version: this.#version, refused }
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#write(state)
      } catch (error) {
        const isOutrun = error instanceof BadVersionError || error instanceof NodeExistsError
        const isGone = error instanceof NoNodeError
        if (!(isOutrun || isGone) || attempt === attemptsMax) throw error
      }
    }
  }

  /** What a former session of this node has left goes. */
  async #write(state: NodeState): Promise<void> {
    const path = this.#path
    const stat = await this.#client.exists(path, this.#wait)
    if (stat?.ephemeralOwner === this.#client.sessionId) {
      const options = { ...this.#wait, as: stateCodec, version: stat.version }
      await this.#client.set(path, state, options)
      return
    }
    const transaction = this.#client.transaction()
    if (stat !== null) transaction.delete(path, { version: stat.version })
    transaction.create(path, state, { as: stateCodec, kind: 'ephemeral' })
    const parent = path.slice(0, path.lastIndexOf('/'))
    await inDirectory(this.#client, { path: parent, wait: this.#wait }, () =>
      transaction.commit(this.#wait),
    )
  }
}

const nodesPath = (path: string): string => childPath(path, 'nodes')

/** All that take part now, by id. What cannot be read is left out. */
export const listNodes = async (
  client: Client,
  path: string,
  options: ReadOptions,
): Promise<readonly NodeSeen[]> => {
  const names = [...(await listNames(client, nodesPath(path), options))].sort()
  const nodes: NodeSeen[] = []
  for (let from = 0; from < names.length; from += readsMax) {
    const some = names.slice(from, from + readsMax)
    const reads = some.map((name) => ({ get: childPath(nodesPath(path), name), as: stateCodec }))
    for (const outcome of await client.multiRead(reads, options)) {
      if (!outcome.ok) continue
      const { data, stat } = outcome.value
      nodes.push({ ...data, sinceMs: stat.ctime })
    }
  }
  return nodes
}

/** All that take part, from now on. */
export const watchNodes = (client: Client, path: string): TreeCache<NodeState> =>
  new TreeCache(client, nodesPath(path), { as: stateCodec })

/** What time it is for the servers: only a write says that, and this one leaves nothing behind. */
export const serverTimeMs = async (
  client: Client,
  path: string,
  wait: WaitOptions,
): Promise<number> => {
  const at = childPath(path, 'clock-')
  const [, stat] = await inDirectory(client, { path, wait }, () =>
    client
      .transaction()
      .create(at, null, { kind: 'sequential' })
      .set(ref(0), null)
      .delete(ref(0))
      .commit(wait),
  )
  return stat.mtime
}

const stateCodec: Codec<NodeState> = {
  encode: (state) => json.encode(state),
  decode(data) {
    const { id, labels, version, refused } = json.decode(data) as NodeState
    if (typeof id !== 'string' || !Array.isArray(labels)) throw new TypeError('this is no node')
    return {
      id,
      labels: labels.map(String),
      version: numberOf(version),
      refused: numberOf(refused),
    }
  },
}

const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null)
