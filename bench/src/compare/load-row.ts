import { LoadFault } from '../load/load-process.js'
import type { Load, Operation } from '../load/load.js'
import type { Row } from './comparison.js'
import type { RowsHow } from './rows-scenario.js'
import type { Contender, Placement, Window } from './contender.js'
import type { Measure, Sample } from './sample.js'

export interface LoadRowOptions {
  readonly name: string
  readonly operation: Operation
  readonly connections: number
  readonly inFlight: number
  /** Where this project's connections go; `spread` by default. */
  readonly placement?: Placement
  readonly by?: Measure
  readonly goal: number | null
  readonly cpuGoalUs?: number
  /** False where the shape is the thing that is measured: peers get no other one. */
  readonly isShapeFree?: boolean
  readonly valueBytes?: number
}

/**
 * Connections that do one operation as fast as answers come. This project is measured with the
 * row's shape; a peer with the one of several shapes and placements that it is best with. At a
 * fixed rate all have the row's shape, and the p99 of latencies is what counts.
 */
export const loadRow = (options: LoadRowOptions, { seconds, perSecond }: RowsHow): Row => {
  const { name, connections, inFlight, placement = 'spread', isShapeFree = true } = options
  const { operation, goal, cpuGoalUs } = options
  const isRated = perSecond !== null
  const by = isRated ? 'p99Ms' : (options.by ?? 'perSecond')
  const given: Window = { connections, inFlight, placement }
  const chosen = new Map<Contender, Trial>()
  return {
    name: isRated ? `${name}, ${perSecond} a second` : name,
    by,
    goal: isRated ? null : goal,
    ...(cpuGoalUs === undefined ? {} : { cpuGoalUs }),
    takes: ({ lacks }) => !lacks.includes(operation),
    async prepare(contender) {
      const isFree = contender.entry.isPeer && isShapeFree && !isRated
      const trials = (isFree ? candidates(given) : [given]).map(
        (window) => new Trial(options, window, perSecond),
      )
      const trial = await bestOf(trials, contender, seconds / 4)
      chosen.set(contender, trial)
      await trial.open(contender)
      return trial.name
    },
    measure: (contender) => (chosen.get(contender) as Trial).run(contender, seconds),
    clean: (contender) => contender.close(),
  }
}

/** A row's operation with one shape. */
class Trial {
  readonly #operation: Operation
  readonly #valueBytes: number
  readonly #window: Window
  readonly #perSecond: number | null

  constructor(
    { operation, valueBytes = 100 }: LoadRowOptions,
    window: Window,
    perSecond: number | null,
  ) {
    this.#operation = operation
    this.#valueBytes = valueBytes
    this.#window = window
    this.#perSecond = perSecond
  }

  get name(): string {
    const { connections, inFlight, placement } = this.#window
    return `${connections}x${inFlight} ${placement}`
  }

  open(contender: Contender): Promise<void> {
    return contender.open(this.#window)
  }

  run(contender: Contender, seconds: number): Promise<Sample> {
    const { inFlight } = this.#window
    const load: Load = {
      operation: this.#operation,
      inFlight,
      until: { seconds },
      valueBytes: this.#valueBytes,
      perSecond: this.#perSecond,
    }
    return contender.run(load)
  }
}

/** Also warms up a single one. Those that a system refuses are out. */
const bestOf = async (
  trials: readonly Trial[],
  contender: Contender,
  seconds: number,
): Promise<Trial> => {
  let best: { readonly trial: Trial; readonly perSecond: number } | null = null
  let last: unknown = null
  for (const trial of trials) {
    try {
      await trial.open(contender)
      const { perSecond = 0 } = await trial.run(contender, seconds)
      if (best === null || perSecond > best.perSecond) best = { trial, perSecond }
    } catch (error) {
      if (!(error instanceof LoadFault)) throw error
      last = error
    }
  }
  if (best === null) throw last
  return best.trial
}

/** The row's own shape, a third of it and twice as much; by turns at all servers, or at one. */
const candidates = ({ connections, inFlight, placement }: Window): readonly Window[] => {
  const placements: readonly Placement[] =
    placement === 'spread' ? ['spread', 'leader'] : [placement]
  const depths = [inFlight, Math.ceil(inFlight / 3), inFlight * 2]
  return placements.flatMap((where) =>
    depths.map((depth) => ({ connections, inFlight: depth, placement: where })),
  )
}
