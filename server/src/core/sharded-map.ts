/**
 * A map from strings that never stalls. One JavaScript Map stops the world for tens of milliseconds
 * when it grows past 2^20 entries and fails at 2^24; many small ones grow one at a time.
 */
export class ShardedMap<V> {
  readonly #shards: readonly Map<string, V>[]
  readonly #mask: number
  #size = 0

  /** @param shards a power of two */
  constructor(shards = 256) {
    this.#shards = Array.from({ length: shards }, () => new Map<string, V>())
    this.#mask = shards - 1
  }

  get size(): number {
    return this.#size
  }

  get(key: string): V | undefined {
    return this.#shard(key).get(key)
  }

  set(key: string, value: V): void {
    const shard = this.#shard(key)
    const before = shard.size
    shard.set(key, value)
    this.#size += shard.size - before
  }

  delete(key: string): boolean {
    const deleted = this.#shard(key).delete(key)
    if (deleted) this.#size -= 1
    return deleted
  }

  /** Live, as an iterator of Map: what is deleted before it is reached is not given. */
  *values(): IterableIterator<V> {
    for (const shard of this.#shards) yield* shard.values()
  }

  #shard(key: string): Map<string, V> {
    // FNV-1a over the whole key: sibling names differ in their last characters, cousins in others.
    let hash = 0x811c9dc5
    for (let i = 0; i < key.length; i++) {
      hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
    }
    return this.#shards[(hash ^ (hash >>> 15)) & this.#mask] as Map<string, V>
  }
}
