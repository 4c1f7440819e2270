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
  #turn: Turn = { atMs: performance.now(), ranMs: 0, waitedMs: 0 }
  #turns = 0
  #longest = { ...nothing }

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
    this.#longest = { ...nothing }
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
    longest.cpuMs = Math.max(longest.cpuMs, now.ranMs - this.#turn.ranMs)
    this.#turns += 1
    if (this.#turns % turnsPerLookAtMemory === 0) {
      longest.rssMax = Math.max(longest.rssMax, process.memoryUsage.rss())
    }
    this.#turn = now
  }

  #look(): Turn {
    return { atMs: performance.now(), ...accountOf(this.#scheduler) }
  }
}

/** When a turn began, and what the main thread had run and waited until then. */
interface Turn {
  readonly atMs: number
  readonly ranMs: number
  readonly waitedMs: number
}

const nothing = { stallMs: 0, ownStallMs: 0, cpuMs: 0, gcMs: 0, rssMax: 0 }

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

/** Nanoseconds in which the thread had a CPU, and in which it could have run and had none. */
const accountOf = (scheduler: number | null): Omit<Turn, 'atMs'> => {
  if (scheduler === null) return { ranMs: 0, waitedMs: 0 }
  const length = readSync(scheduler, line, 0, line.length, 0)
  const [ran, waited] = line.toString('latin1', 0, length).split(' ')
  return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 }
}
