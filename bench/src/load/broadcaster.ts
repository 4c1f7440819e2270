import type { Lane } from './lane.js'
import { LatencyRecorder } from './latencies.js'
import type { Broadcast, BroadcastResult } from './load.js'

/** The first connection writes its znode again and again; all others watch it. */
export class Broadcaster {
  readonly #writer: Lane
  readonly #watchers: readonly Lane[]
  #left = 0
  #isWatched = false
  #onAllTold: () => void = () => undefined

  constructor([writer, ...watchers]: readonly Lane[]) {
    this.#writer = writer as Lane
    this.#watchers = watchers
  }

  /** The next write is sent when all watchers have seen the one before. */
  async run({ seconds, valueBytes }: Broadcast): Promise<BroadcastResult> {
    await this.#writer.prepare(valueBytes)
    await this.#watch()
    const cpu = process.cpuUsage()
    const latencies = new LatencyRecorder()
    const startMs = performance.now()
    const untilMs = startMs + seconds * 1_000
    while (performance.now() < untilMs) latencies.record(await this.#once())
    const { user, system } = process.cpuUsage(cpu)
    const told = latencies.count * this.#watchers.length
    return {
      latencies: latencies.latencies,
      perSecond: (told * 1_000) / (performance.now() - startMs),
      operations: told,
      throttled: 0,
      unsent: 0,
      intervals: [],
      clientCpuMs: (user + system) / 1_000,
    }
  }

  async #watch(): Promise<void> {
    if (this.#isWatched) return
    this.#isWatched = true
    await Promise.all(this.#watchers.map((watcher) => watcher.watch(this.#writer, this.#onEvent)))
  }

  readonly #onEvent = (): void => {
    this.#left -= 1
    if (this.#left === 0) this.#onAllTold()
  }

  /** @returns how long it took until the last was told, in ms */
  #once(): Promise<number> {
    const startMs = performance.now()
    return new Promise((resolve) => {
      let isAnswered = false
      let toldMs: number | null = null
      const look = (): void => {
        if (isAnswered && toldMs !== null) resolve(toldMs)
      }
      this.#left = this.#watchers.length
      this.#onAllTold = () => {
        toldMs = performance.now() - startMs
        look()
      }
      this.#writer.set(() => {
        isAnswered = true
        look()
      })
    })
  }
}
