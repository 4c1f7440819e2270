/** What one run of one contender gave; what does not apply to it is left out. */
export interface Sample {
  readonly perSecond?: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly p999Ms?: number
  readonly maxMs?: number
  /** CPU time of all servers for an operation, in microseconds. */
  readonly serverCpuUs?: number
  /** The same of the generator. */
  readonly clientCpuUs?: number
  /** Of all servers, in bytes. */
  readonly rss?: number
  /** How late the event loop of the latest server was; null for other runtimes. */
  readonly loopP99Ms?: number | null
  /** A time that is not one of an operation, such as that of a restart. */
  readonly ms?: number
  /** Memory for one thing, such as a znode. */
  readonly bytes?: number
}

export type Measure = keyof Sample

export const measures = {
  perSecond: { title: 'ops/s', better: 'more' },
  p50Ms: { title: 'p50 ms', better: 'less' },
  p99Ms: { title: 'p99 ms', better: 'less' },
  p999Ms: { title: 'p99.9 ms', better: 'less' },
  maxMs: { title: 'max ms', better: 'less' },
  serverCpuUs: { title: 'server us/op', better: 'less' },
  clientCpuUs: { title: 'client us/op', better: 'less' },
  rss: { title: 'RSS', better: 'less' },
  loopP99Ms: { title: 'loop p99 ms', better: 'less' },
  ms: { title: 'ms', better: 'less' },
  bytes: { title: 'bytes', better: 'less' },
} as const satisfies Record<Measure, { readonly title: string; readonly better: 'more' | 'less' }>

/** Of each measure by itself. */
export const medianSample = (samples: readonly Sample[]): Sample => {
  const keys = Object.keys(measures) as Measure[]
  const medians = keys.flatMap((key) => {
    const values = samples.map((sample) => sample[key]).filter((value) => typeof value === 'number')
    return values.length === 0 ? [] : [[key, median(values)] as const]
  })
  return Object.fromEntries(medians)
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length % 2 === 1) return sorted[middle] as number
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}
