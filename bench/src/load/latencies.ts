import { build } from 'hdr-histogram-js'

/** Milliseconds. */
export interface Latencies {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

/** An HDR histogram: three digits from a microsecond to an hour, in constant memory. */
export class LatencyRecorder {
  readonly #histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 3_600_000_000,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
    useWebAssembly: false,
  })

  record(ms: number): void {
    this.#histogram.recordValue(Math.max(1, Math.round(ms * 1_000)))
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  get latencies(): Latencies {
    const at = (percentile: number): number =>
      this.#histogram.getValueAtPercentile(percentile) / 1_000
    return {
      p50Ms: at(50),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: this.count === 0 ? 0 : this.#histogram.maxValue / 1_000,
    }
  }
}
