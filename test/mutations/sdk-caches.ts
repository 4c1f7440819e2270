import type { Mutation } from './mutation.js'
import { faultedRecipe, recipe } from './recipe-mutation.js'

/** Caches of znodes, and the queue that is fed by them. */
export const mutations: readonly Mutation[] = [
  recipe('RECIPE-100', 'tree-cache', {
    before: 'if (this.#currentAtMs !== null) return this.#store',
    after: 'if (this.#currentAtMs !== undefined) return this.#store',
    test: 'tree-cache',
  }),
  recipe('RECIPE-101', 'tree-cache', {
    before: 'const from = this.#isWhole ? this.#position : null',
    after: 'const from = this.#isWhole ? null : this.#position',
    test: 'tree-cache',
  }),
  recipe('RECIPE-102', 'tree-entry', {
    before: 'deleted.sort(byPath).reverse()',
    after: 'deleted.sort(byPath)',
    test: 'tree-cache',
  }),
  recipe('RECIPE-103', 'keyed-index', {
    before: '    this.delete(path)\n',
    after: '',
    test: 'tree-cache',
  }),
  recipe('RECIPE-104', 'tree-cache', {
    before: 'this.#isWhole ? this.#stream?.currentAtMs : null',
    after: 'this.#stream === null ? null : performance.now()',
    test: 'tree-cache',
  }),
  recipe('RECIPE-105', 'cache-reader', {
    before: 'known.set(path, previous)',
    after: 'known.set(path, previous === null ? null : entry)',
    test: 'tree-cache',
  }),
  recipe('RECIPE-106', 'tree-store', {
    before: 'this.size >= entriesMax &&',
    after: 'this.size > entriesMax &&',
    test: 'tree-cache-ends',
  }),
  recipe('RECIPE-107', 'tree-entry', {
    before: 'return { ...about, value: null, error }',
    after: 'return { ...about, value: null }',
    test: 'tree-cache-ends',
  }),
  {
    rule: 'RECIPE-66',
    file: 'client-sdk/src/recipes/near-cache.ts',
    before: 'answer.asOf < zxid)',
    after: 'answer.asOf > zxid)',
    test: 'test/dist/sim/pinned-recipes.js',
    seeds: [1],
  },
  {
    rule: 'RECIPE-108',
    file: 'client-sdk/src/recipes/tree-listing.ts',
    before: 'while (!stream.isCaughtUp) {',
    after: 'while (stream.position === null) {',
    test: 'test/dist/e2e/tree-cache.test.js',
  },
  faultedRecipe('RECIPE-6', 'tree-cache', {
    before: '      this.#position = stream.position\n',
    after: '',
  }),
  recipe('RECIPE-110', 'work-queue', {
    before: 'while (this.#running < this.#concurrency) {',
    after: 'while (this.#running <= this.#concurrency) {',
    test: 'work-queue',
  }),
  recipe('RECIPE-111', 'work-queue', {
    before: 'item.failures += 1',
    after: 'item.failures = 1',
    test: 'work-queue',
  }),
  recipe('RECIPE-112', 'retry-delays', {
    before: '2 ** (failures - 1)',
    after: '2 ** failures',
    test: 'work-queue',
  }),
  recipe('RECIPE-113', 'work-queue', {
    before: 'if (this.size >= this.#keysMax) {',
    after: 'if (this.size > this.#keysMax) {',
    test: 'work-queue',
  }),
  recipe('RECIPE-114', 'work-queue', {
    before: 'if (this.#over.signal.aborted) this.#remove(item)\n    else if',
    after: 'if',
    test: 'work-queue',
  }),
  recipe('RECIPE-115', 'tree-listing', {
    before: 'const pathsMax = 64',
    after: 'const pathsMax = 8',
    test: 'herd',
  }),
  recipe('RECIPE-120', 'near-cache', {
    before: "return this.#stream.isCaughtUp || this.#client.state === 'suspended'",
    after: "return this.#client.state !== 'closed'",
    test: 'near-cache',
  }),
  recipe('RECIPE-121', 'near-cache', {
    before: 'if (hasHeardAll) return load.promise',
    after: 'if (hasHeardAll) return this.#begin(path)',
    test: 'near-cache',
  }),
  recipe('RECIPE-122', 'near-cache', {
    before: 'if (answer.asOf < load.changedAt) continue',
    after: '',
    test: 'near-cache',
  }),
  recipe('RECIPE-123', 'near-cache', {
    before: 'max: entriesMax,',
    after: 'max: entriesMax + 1,',
    test: 'near-cache',
  }),
  recipe('RECIPE-124', 'near-cache', {
    before: 'if (this.#staleMsMax === null) return this.#client.isSafe',
    after: 'if (this.#staleMsMax === null) return true',
    test: 'near-cache',
  }),
  recipe('RECIPE-125', 'near-cache', {
    before: '    this.#answers.clear()\n  }\n\n  #forget(',
    after: '  }\n\n  #forget(',
    test: 'near-cache',
  }),
]
