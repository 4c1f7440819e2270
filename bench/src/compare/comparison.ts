import type { Contender, Entry } from './contender.js'
import { type Measure, measures, median, medianSample, type Sample } from './sample.js'

/** One row of the table: the same thing done by each contender, round after round. */
export interface Row {
  readonly name: string
  /** What contenders are held against each other by. */
  readonly by: Measure
  /** The ratio to the better peer: at least this where more is better, at most where less is. */
  readonly goal: number | null
  /** A bound for the server CPU of an operation, in microseconds. */
  readonly cpuGoalUs?: number
  /** False for those that have no such thing. */
  takes?(entry: Entry): boolean
  /** @returns how the contender is driven from now on, such as its window */
  prepare(contender: Contender): Promise<string>
  measure(contender: Contender): Promise<Sample>
  /** Gives back what `prepare` took. */
  clean(contender: Contender): Promise<void>
}

export interface Comparison {
  readonly row: string
  readonly by: Measure
  readonly goal: number | null
  readonly cpuGoalUs: number | null
  readonly contenders: readonly Standing[]
}

/** How one contender did. */
export interface Standing {
  readonly name: string
  readonly isPeer: boolean
  readonly how: string
  /** One a round. */
  readonly samples: readonly Sample[]
  readonly median: Sample
  /** To the better peer of the same round; null for peers, and where there is none. */
  readonly ratio: Ratio | null
}

export interface Ratio {
  readonly median: number
  readonly min: number
  readonly max: number
  /** The median distance of a round from the median (MAD). */
  readonly spread: number
}

export interface RunOptions {
  readonly rounds: number
  progress(text: string): void
}

/**
 * Interleaved, A B C A B C: what the machine does meanwhile falls on all of them.
 * @throws LoadFault when a contender's answer was wrong, or its connection ended
 */
export const compare = async (
  row: Row,
  contenders: readonly Contender[],
  options: RunOptions,
): Promise<Comparison> => {
  const { rounds } = options
  const taking = contenders.filter(({ entry }) => row.takes?.(entry) ?? true)
  const samples = new Map(taking.map((contender) => [contender, [] as Sample[]]))
  const how = new Map<Contender, string>()
  for (const contender of taking) how.set(contender, await row.prepare(contender))
  for (let round = 1; round <= rounds; round++) {
    for (const contender of taking) {
      const sample = await row.measure(contender)
      samples.get(contender)?.push(sample)
      const { name } = contender.entry
      const value = formatMeasure(row.by, sample[row.by])
      options.progress(`${row.name}, round ${round} of ${rounds}: ${name} ${value}`)
    }
  }
  for (const contender of taking) await row.clean(contender)
  const ofPeers = taking.flatMap((contender) =>
    contender.entry.isPeer ? [samples.get(contender) as Sample[]] : [],
  )
  const { name, by, goal, cpuGoalUs = null } = row
  return {
    row: name,
    by,
    goal,
    cpuGoalUs,
    contenders: taking.map((contender) => {
      const own = samples.get(contender) as Sample[]
      const { isPeer, name: who } = contender.entry
      return {
        name: who,
        isPeer,
        how: how.get(contender) as string,
        samples: own,
        median: medianSample(own),
        ratio: isPeer ? null : ratioOf(by, own, ofPeers),
      }
    }),
  }
}

/** Round by round to the better peer of that round. */
export const ratioOf = (
  by: Measure,
  own: readonly Sample[],
  peers: readonly (readonly Sample[])[],
): Ratio | null => {
  if (peers.length === 0) return null
  const best = measures[by].better === 'more' ? Math.max : Math.min
  const ratios = own.map((sample, round) => {
    const theirs = best(...peers.map((samples) => samples[round]?.[by] as number))
    return (sample[by] as number) / theirs
  })
  const middle = median(ratios)
  const spread = median(ratios.map((ratio) => Math.abs(ratio - middle)))
  return { median: middle, min: Math.min(...ratios), max: Math.max(...ratios), spread }
}

export const isReached = ({ by, goal }: Comparison, { ratio }: Standing): boolean | null => {
  if (goal === null || ratio === null) return null
  return measures[by].better === 'more' ? ratio.median >= goal : ratio.median <= goal
}

/** For people, with its unit. */
export const formatMeasure = (measure: Measure, value: number | null | undefined): string => {
  if (value === null || value === undefined) return ''
  if (measure === 'rss') return `${(value / 1e6).toFixed(0)} MB`
  if (measure === 'perSecond') return `${shortened(value)}/s`
  if (measure === 'bytes') return `${shortened(value)}B`
  const unit = measure.endsWith('Us') ? 'us' : 'ms'
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`
}

const shortened = (value: number): string =>
  value >= 10_000 ? `${(value / 1_000).toFixed(1)}k` : value.toFixed(0)
