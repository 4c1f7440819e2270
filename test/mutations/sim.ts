import type { Mutation } from './mutation.js'

/** What the simulator must see, and what it rests on. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'SIM-1',
    file: 'server/src/core/zab/quorum.ts',
    before: 'Math.floor(voters / 2) + 1',
    after: 'Math.max(1, Math.floor(voters / 2))',
    test: 'test/dist/sim/sim.test.js',
  },
  {
    rule: 'SIM-2',
    file: 'test/sim/random.ts',
    before: 'this.#seed = seed >>> 0',
    after: 'this.#seed = (seed + Math.random() * 1e9) >>> 0',
    test: 'test/dist/sim/sim.test.js',
  },
  {
    rule: 'SIM-3',
    file: 'test/checker/wgl.ts',
    before: "if (last === undefined) return 'illegal'",
    after: "if (last === undefined) return 'unknown'",
    test: 'test/dist/checker/checker.test.js',
  },
  {
    rule: 'SIM-4',
    file: 'server/src/core/pipeline/watching.ts',
    before: 'this.#streams.forget(connection)',
    after: '',
    test: 'test/dist/sim/sim.test.js',
  },
  {
    rule: 'SIM-5',
    file: 'test/sim/invariants/moved.ts',
    before: 'if (under >= session.attach) return',
    after: 'if (under > 0) return',
    test: 'test/dist/sim/moved.test.js',
  },
]
