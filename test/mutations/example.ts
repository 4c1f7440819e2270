import type { Mutation } from './mutation.js'

/** The database of docs/examples. */
export const mutations: readonly Mutation[] = [
  {
    rule: 'EXAMPLE-1',
    file: 'docs/examples/sharded-kv/storage.ts',
    before: 'if (token < (tokens.get(shard) ?? 0)) {',
    after: 'if (token < 0) {',
    test: 'test/dist/long/example.test.js',
  },
  {
    rule: 'EXAMPLE-2',
    file: 'docs/examples/sharded-kv/story/processes.ts',
    before: "      child.kill('SIGKILL')\n    }\n",
    after: "      child.kill('SIGTERM')\n    }\n",
    test: 'test/dist/e2e/example.test.js',
  },
  {
    rule: 'EXAMPLE-3',
    file: 'docs/examples/sharded-kv/coordinator.ts',
    before: 'if (id !== undefined && (counts.get(id) ?? share) < share) give(shard, id)',
    after: 'if (id !== undefined && (counts.get(id) ?? share) < 2 * share) give(shard, id)',
    test: 'test/dist/e2e/example.test.js',
  },
]
