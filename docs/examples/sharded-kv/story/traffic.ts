import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../database.js'
import type { ShardWrite } from '../storage.js'

const writers = 4
const keysOfWriter = 16

/** Applications that write all the time, and remember what was acknowledged. */
export class Traffic {
  readonly #database: Database
  readonly #over = new AbortController()
  #running: readonly Promise<void>[] = []
  /** key -> the last value that was acknowledged. */
  readonly acknowledged = new Map<string, number>()
  accepted = 0
  #lastMs = performance.now()
  #longestMs = 0
  #told: (() => void)[] = []

  constructor(database: Database) {
    this.#database = database
  }

  start(): void {
    this.#lastMs = performance.now()
    this.#running = Array.from({ length: writers }, (_, i) => this.#write(i))
  }

  /** The longest time without an accepted write since it was last asked for. */
  takeLongestMs(): number {
    const longest = Math.max(this.#longestMs, performance.now() - this.#lastMs)
    this.#longestMs = 0
    return longest
  }

  /** Resolves when so many more writes were accepted. */
  async more(count: number): Promise<void> {
    for (const goal = this.accepted + count; this.accepted < goal;) {
      await new Promise<void>((resolve) => this.#told.push(resolve))
    }
  }

  async stop(): Promise<void> {
    this.#over.abort()
    await Promise.all(this.#running)
  }

  /** Each key has one writer, which counts up: an old value in place of a new one is seen. */
  async #write(writer: number): Promise<void> {
    const { signal } = this.#over
    for (let value = 1; !signal.aborted; value += 1) {
      const key = `account-${writer}-${value % keysOfWriter}`
      try {
        await this.#database.put(key, value, signal)
      } catch {
        return
      }
      this.#accept(key, value)
      await pause(10)
    }
  }

  #accept(key: string, value: number): void {
    this.acknowledged.set(key, value)
    this.accepted += 1
    const nowMs = performance.now()
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    const told = this.#told
    this.#told = []
    for (const tell of told) tell()
  }
}

export interface Findings {
  /** Acknowledged, and not there at the end. */
  readonly lost: number
  /** Accepted by the storage although a later owner, or a later write, had been there. */
  readonly stale: number
}

/** Judges by what the storage has written down and what the database says, and nothing else. */
export const audit = async (
  traffic: Traffic,
  database: Database,
  journal: string,
): Promise<Findings> => {
  let lost = 0
  for (const [key, value] of traffic.acknowledged) {
    const found = await database.get(key, AbortSignal.timeout(10_000))
    if (found === null || found < value) lost += 1
  }
  let stale = 0
  const tokens = new Map<number, number>()
  const values = new Map<string, number>()
  for (const line of readFileSync(journal, 'utf8').trim().split('\n')) {
    const { shard, token, key, value } = JSON.parse(line) as ShardWrite
    if (token < (tokens.get(shard) ?? 0) || value < (values.get(key) ?? 0)) stale += 1
    tokens.set(shard, token)
    values.set(key, value)
  }
  return { lost, stale }
}
