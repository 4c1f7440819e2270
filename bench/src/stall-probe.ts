import { closeSync, openSync, readSync } from 'node:fs'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import type { ServerMeasure } from './report.js'

/**
 * Watches the process that it runs in. A timer of one millisecond says how long the event loop
 * took no turn; what the scheduler reports as waiting for a CPU is told apart from that, because
 * it says something about the machine and nothing about the server.
 */
export class StallProbe {
  readonly #loop = monitorEventLoopDelay({ resolution: 1 })
  readonly #scheduler = openScheduler()
  readonly #collections: PerformanceObserver
  readonly #timer: NodeJS.Timeout
  #turn = { atMs: performance.now(), waitedMs: 0 }
  #turns = 0
  #longest = { stallMs: 0, ownStallMs: 0, gcMs: 0, rssMax: 0 }

  constructor() {
    this.#collections = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        this.#longest.gcMs = Math.max(this.#longest.gcMs, duration)
      }
    })
    this.#collections.observe({ entryTypes: ['gc'] })
    this.#loop.enable()
    this.#turn = this.#look()
    this.#timer = setInterval(() => this.#onTurn(), intervalMs)
  }

  /** What was since the last time this was asked. */
  take(): ServerMeasure {
    this.#onTurn()
    const { rss, heapUsed: heap, external } = process.memoryUsage()
    const loopP99Ms = this.#loop.percentile(99) / 1e6
    const { rssMax, ...longest } = this.#longest
    this.#longest = { stallMs: 0, ownStallMs: 0, gcMs: 0, rssMax: 0 }
    this.#loop.reset()
    return { ...longest, loopP99Ms, rss, rssMax: Math.max(rss, rssMax), heap, external }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#collections.disconnect()
    this.#loop.disable()
    if (this.#scheduler !== null) closeSync(this.#scheduler)
  }

  #onTurn(): void {
    const now = this.#look()
    const longest = this.#longest
    const stallMs = now.atMs - this.#turn.atMs - intervalMs
    const ownStallMs = stallMs - (now.waitedMs - this.#turn.waitedMs)
    longest.stallMs = Math.max(longest.stallMs, stallMs)
    longest.ownStallMs = Math.max(longest.ownStallMs, ownStallMs)
    this.#turns += 1
    if (this.#turns % turnsPerLookAtMemory === 0) {
      longest.rssMax = Math.max(longest.rssMax, process.memoryUsage.rss())
    }
    this.#turn = now
  }

  #look(): { readonly atMs: number; readonly waitedMs: number } {
    return { atMs: performance.now(), waitedMs: waitedMs(this.#scheduler) }
  }
}

const intervalMs = 1
const turnsPerLookAtMemory = 200

/** The main thread's own account, where the system keeps one. */
const openScheduler = (): number | null => {
  try {
    return openSync('/proc/self/schedstat', 'r')
  } catch {
    return null
  }
}

const line = Buffer.alloc(128)

/** Its second number: nanoseconds in which the thread could have run and had no CPU. */
const waitedMs = (scheduler: number | null): number => {
  if (scheduler === null) return 0
  const length = readSync(scheduler, line, 0, line.length, 0)
  return Number(line.toString('latin1', 0, length).split(' ')[1]) / 1e6
}
