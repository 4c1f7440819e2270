import { LatencyRecorder } from './latencies.js'

/** What came back in one interval of a run. */
export interface Interval {
  /** Its end, since the beginning of the run, in ms. */
  readonly atMs: number
  readonly perSecond: number
  readonly throttledPerSecond: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Tells the parts of a run apart. */
export class Timeline {
  readonly #intervalMs: number
  readonly #startMs: number
  readonly #intervals: Collected[] = []

  constructor(intervalMs: number, startMs: number) {
    this.#intervalMs = intervalMs
    this.#startMs = startMs
  }

  answered(nowMs: number, latencyMs: number): void {
    this.#at(nowMs).latencies.record(latencyMs)
  }

  throttled(nowMs: number): void {
    this.#at(nowMs).throttled += 1
  }

  get intervals(): readonly Interval[] {
    const perSecond = 1_000 / this.#intervalMs
    return this.#intervals.map(({ latencies, throttled }, index) => ({
      atMs: (index + 1) * this.#intervalMs,
      perSecond: latencies.count * perSecond,
      throttledPerSecond: throttled * perSecond,
      p99Ms: latencies.latencies.p99Ms,
      maxMs: latencies.latencies.maxMs,
    }))
  }

  #at(nowMs: number): Collected {
    const index = Math.floor((nowMs - this.#startMs) / this.#intervalMs)
    while (this.#intervals.length <= index) {
      this.#intervals.push({ latencies: new LatencyRecorder(), throttled: 0 })
    }
    return this.#intervals[index] as Collected
  }
}

interface Collected {
  readonly latencies: LatencyRecorder
  throttled: number
}
