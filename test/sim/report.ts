import { type Occasion, occasions } from './sometimes.js'
import { type FaultKind, faultKinds } from './swarm.js'
import type { Outcome } from './world.js'

/** An outcome with its violation in words, or null. */
export type Summary = Omit<Outcome, 'violation'> & { readonly violation: string | null }

/** What many worlds have shown together. */
export class Report {
  readonly #failed: number[] = []
  readonly #faults = new Map<string, number>()
  readonly #recipes = new Map<string, number>()
  readonly #occasions = new Map<Occasion, number>(occasions.map((occasion) => [occasion, 0]))
  #worlds = 0
  #simulatedMs = 0
  #operations = 0
  #acknowledged = 0
  #partitions = 0
  #checkedOperations = 0
  #unknown = 0

  add(outcome: Summary): void {
    this.#worlds += 1
    this.#simulatedMs += outcome.simulatedMs
    this.#operations += outcome.operations
    this.#acknowledged += outcome.acknowledged
    const { partitions, operations, unknown } = outcome.linearizability
    this.#partitions += partitions
    this.#checkedOperations += operations
    this.#unknown += unknown
    addUp(this.#faults, outcome.faults)
    addUp(this.#occasions, outcome.occasions)
    addUp(this.#recipes, outcome.recipes)
    if (outcome.violation !== null) this.#failed.push(outcome.seed)
  }

  /**
   * Why the run proves less than it should: broken promises, histories that could not be judged,
   * and occasions that came up fewer than `occasionsMin` times.
   */
  shortcomings(occasionsMin: number): readonly string[] {
    const rare = [...this.#occasions].filter(([, times]) => times < occasionsMin)
    return [
      ...this.#failed.map((seed) => `seed ${seed} broke a promise`),
      ...(this.#unknown === 0 ? [] : [`${this.#unknown} histories could not be judged`]),
      ...rare.map(([occasion, times]) => `${occasion} happened ${times} times`),
    ]
  }

  /** Fault classes that never struck. */
  get absentFaults(): readonly FaultKind[] {
    return faultKinds.filter((kind) => !this.#faults.has(kind))
  }

  /** What became of what programs did by recipes. */
  get recipes(): ReadonlyMap<string, number> {
    return this.#recipes
  }

  get acknowledgedPerSecond(): number {
    return rounded((this.#acknowledged / this.#simulatedMs) * 1_000)
  }

  /** @param seconds that the run has taken, of real time and of one processor's */
  toJSON(seconds: Seconds): object {
    const simulatedSeconds = this.#simulatedMs / 1_000
    const strikes = [...this.#faults].filter(([name]) => !name.includes(' '))
    const faults = strikes.reduce((sum, [, times]) => sum + times, 0)
    return {
      worlds: this.#worlds,
      failed: this.#failed,
      simulatedHours: rounded(simulatedSeconds / 3_600),
      seconds: rounded(seconds.real),
      cpuSeconds: rounded(seconds.cpu),
      timesReal: rounded(simulatedSeconds / seconds.real),
      timesCpu: rounded(simulatedSeconds / seconds.cpu),
      operations: this.#operations,
      acknowledged: this.#acknowledged,
      acknowledgedPerSecond: this.acknowledgedPerSecond,
      histories: this.#worlds,
      linearizability: {
        partitions: this.#partitions,
        operations: this.#checkedOperations,
        unknown: this.#unknown,
      },
      faults,
      secondsPerFault: rounded(simulatedSeconds / Math.max(1, faults)),
      faultsByClass: Object.fromEntries([...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1))),
      occasions: Object.fromEntries(this.#occasions),
      recipes: Object.fromEntries(this.#recipes),
    }
  }

  summary(seconds: Seconds): string {
    const simulatedSeconds = this.#simulatedMs / 1_000
    return [
      `${this.#worlds} worlds, ${this.#failed.length} failed`,
      `${rounded(simulatedSeconds / 3_600)} simulated hours`,
      `${Math.round(simulatedSeconds / seconds.real)} times real time`,
      `${this.#acknowledged} of ${this.#operations} operations`,
      `${this.#partitions} linearizable partitions`,
    ].join(', ')
  }
}

export interface Seconds {
  readonly real: number
  readonly cpu: number
}

const addUp = <K>(sums: Map<K, number>, more: ReadonlyMap<K, number>): void => {
  for (const [key, times] of more) sums.set(key, (sums.get(key) ?? 0) + times)
}

const rounded = (value: number): number => Math.round(value * 100) / 100
