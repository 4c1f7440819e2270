import { type Client, json } from '@conclave/client'
import { Lease, SharedValue } from '@conclave/client/recipes'
import { type Assignment, paths, shards } from './cluster.js'
import type { Storage } from './storage.js'

/** A shard that this node serves, as long as its lease is held. */
interface OpenShard {
  readonly lease: Lease
  readonly values: Map<string, number>
  readonly writing: Set<Promise<unknown>>
}

export type WriteOutcome = 'written' | 'notOwner' | 'fenced'

/** The shards of one node. What is assigned to it is a wish; what it has a lease for is a fact. */
export class OwnShards {
  readonly #storage: Storage
  readonly #open = new Map<number, OpenShard>()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /** Takes and gives back shards as the coordinator decides, until the signal aborts. */
  async follow(client: Client, id: string, signal: AbortSignal): Promise<void> {
    const options = { initial: {}, as: json<Assignment>() }
    const assignment = new SharedValue<Assignment>(client, paths.assignment, options)
    const failed = new AbortController()
    const serving = new Map<number, AbortController>()
    const all = new Set<Promise<void>>()
    const serve = (shard: number): AbortController => {
      const over = new AbortController()
      const both = AbortSignal.any([signal, failed.signal, over.signal])
      const one = this.#serve(client, { shard, id, signal: both })
        .catch((error: unknown) => {
          if (!both.aborted) failed.abort(error)
        })
        .finally(() => all.delete(one))
      all.add(one)
      return over
    }
    try {
      const either = AbortSignal.any([signal, failed.signal])
      for await (const { value } of assignment.values({ signal: either })) {
        for (const shard of shards) {
          const isMine = value[shard] === id
          if (isMine && !serving.has(shard)) serving.set(shard, serve(shard))
          if (isMine) continue
          serving.get(shard)?.abort()
          serving.delete(shard)
        }
      }
    } finally {
      await Promise.all(all)
    }
  }

  get(shard: number, key: string): number | 'notOwner' | null {
    const open = this.#open.get(shard)
    return open?.lease.isHeld === true ? (open.values.get(key) ?? null) : 'notOwner'
  }

  /**
   * @param beforeWrite called at the worst of all moments: after the node has seen that it owns the
   *   shard, before it writes
   */
  async write(
    shard: number,
    { key, value }: { readonly key: string; readonly value: number },
    beforeWrite: () => void,
  ): Promise<WriteOutcome> {
    const open = this.#open.get(shard)
    if (open?.lease.isHeld !== true) return 'notOwner'
    beforeWrite()
    const writing = this.#storage.write({ shard, token: open.lease.token, key, value })
    open.writing.add(writing)
    try {
      if (!(await writing)) return 'fenced'
      open.values.set(key, value)
      return 'written'
    } finally {
      open.writing.delete(writing)
    }
  }

  /** Waits for the lease of a shard, and serves it until told to stop. */
  async #serve(
    client: Client,
    {
      shard,
      id,
      signal,
    }: { readonly shard: number; readonly id: string; readonly signal: AbortSignal },
  ): Promise<void> {
    while (!signal.aborted) {
      // Whoever had the shard before gives it back, or its session ends: until then this waits.
      await using lease = await Lease.acquire(client, paths.lease(shard), { id, signal })
      const content = await this.#storage.open(shard, lease.token)
      if (content === null) continue
      const open: OpenShard = { lease, values: new Map(content), writing: new Set() }
      this.#open.set(shard, open)
      await aborted(AbortSignal.any([signal, lease.signal]))
      this.#open.delete(shard)
      // What is under way is finished under this lease, before the next node gets it.
      await Promise.allSettled(open.writing)
    }
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
