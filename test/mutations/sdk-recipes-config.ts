import type { Mutation } from './mutation.js'
import { faultedRecipe, recipe } from './recipe-mutation.js'

/** The configuration store. */
export const mutations: readonly Mutation[] = [
  recipe('RECIPE-160', 'config/versions', {
    before: 'head, { as: headCodec, version: seen.znodeVersion })',
    after: 'head, { as: headCodec })',
    test: 'config',
  }),
  recipe('RECIPE-161', 'config-store', {
    before: 'this.#schema.parse(json.decode(json.encode(document)))',
    after: 'json.encode(document)',
    test: 'config',
  }),
  recipe('RECIPE-162', 'config/versions', {
    before: 'Math.max(seen.version, kept.at(-1)?.version ?? 0) + 1',
    after: 'seen.version + 1',
    test: 'config',
  }),
  recipe('RECIPE-163', 'config/difference', {
    before: "name.replaceAll('~', '~0').replaceAll('/', '~1')",
    after: "name.replaceAll('/', '~1')",
    test: 'config',
  }),
  recipe('RECIPE-164', 'config-store', {
    before: 'restores: version, abandons: null',
    after: 'restores: null, abandons: null',
    test: 'config',
  }),
  recipe('RECIPE-165', 'config/subscription', {
    before: 'version = Math.max(judged, targetOf(head, node))',
    after: 'version = targetOf(head, node)',
    test: 'config',
  }),
  recipe('RECIPE-166', 'config/subscription', {
    before: '        options.onInvalid(seen.error)\n',
    after: '        options.onInvalid(seen.error)\n        return\n',
    test: 'config',
  }),
  recipe('RECIPE-167', 'config/subscription', {
    before: '        yield seen.found\n        await mark?.runs(judged)\n',
    after: '        await mark?.runs(judged)\n        yield seen.found\n',
    test: 'config-nodes',
  }),
  recipe('RECIPE-168', 'config/drift', {
    before: 'const missedMs = isForAll ? head.atMs : missed.atMs',
    after: 'const missedMs = isForAll ? missed.atMs : missed.atMs',
    test: 'config-nodes',
  }),
  recipe('RECIPE-169', 'config/drift', {
    before: 'stages: stages.slice(0, stage + 1)',
    after: 'stages: stages.slice(0, stage + 2)',
    test: 'config-nodes',
  }),
  recipe('RECIPE-170', 'config/rollout', {
    before: 'const lost = nodes.find(({ id }) => !running.has(id))',
    after: "const lost = nodes.find(({ id }) => id === '' && !running.has(id))",
    test: 'config-nodes',
  }),
  recipe('RECIPE-171', 'config-store', {
    before: 'if (head.rollout === null) return head\n',
    after: 'if (head.rollout === null || head.version > 0) return head\n',
    test: 'config-nodes',
  }),
  faultedRecipe('RECIPE-7', 'config/nodes', {
    before: "{ as: stateCodec, kind: 'ephemeral' }",
    after: '{ as: stateCodec }',
  }),
]
