import type { Mutation } from './mutation.js'

/** How many writes are on their way, and whose turn it is. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'LIMIT-22',
    file: 'server/src/core/pipeline/write-window.ts',
    before: 'startedWrites - countedWrites < limits.writesInFlightMax',
    after: 'startedWrites - countedWrites < 2 * limits.writesInFlightMax',
    test: 'test/dist/server/core/pipeline/write-window.test.js',
  },
  {
    rule: 'LIMIT-22',
    file: 'server/src/core/pipeline/write-window.ts',
    before: 'left: writesPerTurn',
    after: 'left: 100 * writesPerTurn',
    test: 'test/dist/server/core/pipeline/write-window.test.js',
  },
  {
    rule: 'LIMIT-22',
    file: 'server/src/core/pipeline/write-window.ts',
    before: 'isOpen ? connection.startedWrites : 0',
    after: 'isOpen ? connection.startedWrites : connection.countedWrites',
    test: 'test/dist/server/core/pipeline/write-window.test.js',
  },
  {
    rule: 'LIMIT-22',
    file: 'server/src/core/pipeline/write-window.ts',
    before: 'if (this.#awaited === connection) {',
    after: 'if (this.#awaited === connection && hasRoom) {',
    test: 'test/dist/server/core/pipeline/write-window.test.js',
  },
]
