import { type Client, json } from '@conclave/client'
import { type ServiceResolver, ServiceRegistry, SharedValue } from '@conclave/client/recipes'
import { type Assignment, paths, serviceName, shardOf } from './cluster.js'
import { ask } from './http.js'
import type { NodeRequest } from './node.js'

const pauseMs = 20

/**
 * What an application uses. It follows who is to serve which shard and where everybody listens, so
 * that no request has to fail for it to learn that something has moved.
 */
export class Database {
  readonly #nodes: ServiceResolver<unknown>
  readonly #assignments: SharedValue<Assignment>
  /** Requests under way: given up when their shard goes to another node. */
  readonly #asking = new Set<{ readonly shard: number; readonly at: string; giveUp(): void }>()
  #assignment: Assignment = {}

  constructor(client: Client) {
    this.#nodes = new ServiceRegistry(client, paths.services).resolver(serviceName)
    this.#assignments = new SharedValue<Assignment>(client, paths.assignment, {
      initial: {},
      as: json<Assignment>(),
    })
  }

  /** Learns of every change; ends when the client does. */
  async follow(): Promise<void> {
    await this.#nodes.ready
    for await (const { value } of this.#assignments.values()) {
      this.#assignment = value
      for (const one of this.#asking) if (this.#addressOf(one.shard) !== one.at) one.giveUp()
    }
  }

  addressOfNode(id: string): string | null {
    return this.#nodes.instances().find((node) => node.id === id)?.address ?? null
  }

  /** Writes until it is acknowledged. */
  async put(key: string, value: number, signal: AbortSignal): Promise<void> {
    await this.#ask('/put', { key, value }, signal)
  }

  async get(key: string, signal: AbortSignal): Promise<number | null> {
    const body = await this.#ask('/get', { key, value: 0 }, signal)
    return (body as { readonly value: number | null }).value
  }

  #addressOf(shard: number): string | null {
    const id = this.#assignment[shard]
    return id === undefined ? null : this.addressOfNode(id)
  }

  async #ask(path: string, request: NodeRequest, signal: AbortSignal): Promise<unknown> {
    for (;;) {
      signal.throwIfAborted()
      const body = await this.#attempt(path, request, signal)
      if (body !== null) return body
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  /** Null when it is to be made again, at another node perhaps. */
  async #attempt(path: string, request: NodeRequest, signal: AbortSignal): Promise<unknown> {
    const shard = shardOf(request.key)
    const at = this.#addressOf(shard)
    if (at === null) return null
    const over = new AbortController()
    const asking = { shard, at, giveUp: () => over.abort() }
    this.#asking.add(asking)
    try {
      const { status, body } = await ask(at + path, request, AbortSignal.any([signal, over.signal]))
      return status === 200 ? body : null
    } catch {
      return null
    } finally {
      this.#asking.delete(asking)
    }
  }
}
