import type { Mutation } from './mutation.js'

const comparison = 'bench/src/compare/comparison.ts'
const ofComparison = 'test/dist/bench/comparison.test.js'

/** What measures. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'BENCH-1',
    file: comparison,
    before: "measures[by].better === 'more' ? Math.max : Math.min",
    after: "measures[by].better === 'more' ? Math.min : Math.max",
    test: ofComparison,
  },
  {
    rule: 'BENCH-2',
    file: comparison,
    before: 'row.takes?.(entry) ?? true',
    after: 'row.takes?.(entry) !== null',
    test: ofComparison,
  },
  {
    rule: 'BENCH-3',
    file: 'bench/src/guard/fallen.ts',
    before: 'part > fallMax && lost > spreadsMax * spread',
    after: 'part > fallMax || lost > spreadsMax * spread',
    test: ofComparison,
  },
  {
    rule: 'BENCH-4',
    file: 'bench/src/load/generator.ts',
    before: 'while (lane.inFlight < this.#load.inFlight)',
    after: 'while (lane.inFlight <= this.#load.inFlight)',
    test: 'test/dist/bench/generator.test.js',
  },
  {
    rule: 'BENCH-5',
    file: 'bench/src/load/lane.ts',
    before: 'stamp !== null && stamp <= before',
    after: 'stamp !== null && stamp < before',
    test: 'test/dist/bench/generator.test.js',
  },
]
