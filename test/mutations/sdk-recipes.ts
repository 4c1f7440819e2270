import type { Mutation } from './mutation.js'
import { faultedRecipe, recipe } from './recipe-mutation.js'

/** What is built on the public client. */
export const mutations: readonly Mutation[] = [
  recipe('RECIPE-1', 'contenders', {
    before: 'return lower.at(-1) ?? null',
    after: 'return lower[0] ?? null',
    test: 'herd',
  }),
  recipe('RECIPE-2', 'contenders', {
    before: 'const guard: Guard = { path, czxid: stat.czxid }',
    after: 'const guard: Guard = { path, czxid: stat.pzxid - stat.numChildren - 1 }',
    test: 'locks',
  }),
  recipe('RECIPE-3', 'grant', {
    before: 'return !this.signal.aborted && this.#tie.isSafe()',
    after: 'return !this.signal.aborted',
    test: 'locks',
  }),
  recipe('RECIPE-4', 'grant', {
    before: 'stat?.czxid === this.token && stat.ephemeralOwner === this.#tie.ephemeralOwner',
    after: 'stat !== null',
    test: 'locks',
  }),
  recipe('RECIPE-5', 'contenders', {
    before: 'removeLater(client, guard)',
    after: 'if (!signal.aborted) removeLater(client, guard)',
    test: 'locks',
  }),
  faultedRecipe('RECIPE-7', 'contenders', {
    before: "kind: 'ephemeralSequential', withStat",
    after: "kind: 'persistentSequential', withStat",
  }),
  recipe('RECIPE-8', 'contenders', {
    before: '      present.push(self)\n',
    after: '',
    test: 'locks',
  }),
  recipe('RECIPE-9', 'lock', {
    before: 'if (this.#count === 0) await grant.release()',
    after: 'await grant.release()',
    test: 'locks',
  }),
  recipe('RECIPE-10', 'contenders', {
    before:
      "if (kind === 'read') return lower.findLast((before) => before.kind === 'write') ?? null",
    after: "if (kind === 'read') return null",
    test: 'locks',
  }),
  recipe('RECIPE-11', 'contenders', {
    before: "if (kind.startsWith('permit-')) {",
    after: "if (kind.startsWith('permits-')) {",
    test: 'locks',
  }),
  recipe('RECIPE-12', 'multi-lock', {
    before: 'for (const grant of taken.values()) void grant.release().catch(() => {})',
    after: '',
    test: 'locks',
  }),
  recipe('RECIPE-13', 'election', {
    before: 'resign: () => resign(),',
    after: 'resign: () => undefined,',
    test: 'election',
  }),
  recipe('RECIPE-14', 'election', {
    before: 'if (!(error instanceof ClosedError)) throw error',
    after: 'if (error instanceof ClosedError) throw error',
    test: 'election',
  }),
  recipe('RECIPE-15', 'lease-znode', {
    before: 'if (held !== null || !isPatient) return held',
    after: 'if (held !== null || isPatient) return held',
    test: 'lease',
  }),
  recipe('RECIPE-16', 'lease', {
    before: 'this.#deadlineMs = sentMs + ttlMs * deadlineFraction',
    after: 'this.#deadlineMs = sentMs + 3 * ttlMs * deadlineFraction',
    test: 'lease',
  }),
  recipe('RECIPE-17', 'lease-znode', {
    before: '    .add(from)\n',
    after: '',
    test: 'lease',
  }),
  recipe('RECIPE-18', 'lease', {
    before: 'stat.mtime + stat.ttlMs',
    after: 'stat.mtime - stat.ttlMs',
    test: 'lease',
  }),
  recipe('RECIPE-19', 'barrier', {
    before: "const kind = whileAlive ? 'ephemeral' : 'persistent'",
    after: "const kind = whileAlive ? 'persistent' : 'ephemeral'",
    test: 'coordination',
  }),
  recipe('RECIPE-20', 'double-barrier', {
    before: 'members.length >= this.#membersMin',
    after: 'members.length >= Math.min(1, this.#membersMin)',
    test: 'coordination',
  }),
  recipe('RECIPE-21', 'shared-value', {
    before: '{ ...writing, version })',
    after: '{ ...writing })',
    test: 'coordination',
  }),
  recipe('RECIPE-22', 'counter', {
    before: 'return { before: value - step, after: value }',
    after: 'return { before: value, after: value + step }',
    test: 'coordination',
  }),
  recipe('RECIPE-23', 'persistent-ephemeral', {
    before: 'if (stat === null || stat.czxid !== own?.czxid) {',
    after: 'if (own === null) {',
    test: 'coordination',
  }),
  recipe('RECIPE-24', 'timestamp-oracle', {
    before: 'if (data !== this.#end) this.#next = data',
    after: '',
    test: 'coordination',
  }),
  recipe('RECIPE-25', 'session-scope', {
    before: "client.state === 'expired' || client.state === 'closed'",
    after: "client.state === 'closed'",
    test: 'coordination',
  }),
  recipe('RECIPE-26', 'znodes', {
    before: "kind: path === lowest ? kind : 'container'",
    after: "kind: path === lowest ? 'persistent' : 'container'",
    test: 'locks',
  }),
  recipe('RECIPE-27', 'lock', {
    before: 'return all.filter(({ isHolder }) => isHolder)',
    after: 'return all.filter(({ isHolder }) => !isHolder)',
    test: 'page',
  }),
  faultedRecipe('RECIPE-60', 'znodes', {
    before: "if (kind === 'container') making",
    after: "if (kind !== 'container') making",
  }),
  {
    rule: 'RECIPE-61',
    file: 'client-sdk/src/recipes/grant.ts',
    before: 'isSafe: () => client.isSafe,',
    after: "isSafe: () => client.state !== 'closed',",
    test: 'test/dist/e2e/paused-holder.test.js',
  },
  {
    rule: 'RECIPE-62',
    file: 'client-sdk/src/recipes/grant.ts',
    before: 'isSafe: () => client.isSafe,',
    after: "isSafe: () => client.state !== 'closed',",
    test: 'test/dist/sim/pinned-recipes.js',
    seeds: [1],
  },
  {
    rule: 'RECIPE-62',
    file: 'client-sdk/src/recipes/lease.ts',
    before: 'this.#client.clock.nowMs() < this.#deadlineMs',
    after: 'this.#client.clock.nowMs() < Infinity',
    test: 'test/dist/sim/pinned-recipes.js',
    seeds: [2],
  },
  {
    rule: 'RECIPE-63',
    file: 'server/src/core/pipeline/prepare.ts',
    before: 'for (const fence of op.fences) {',
    after: 'for (const fence of op.fences.slice(1)) {',
    test: 'test/dist/sim/pinned-recipes.js',
    seeds: [1],
  },
  {
    rule: 'RECIPE-64',
    file: 'client-sdk/src/recipes/contenders.ts',
    before: 'removeLater(client, guard)\n    throw error',
    after: 'if (isPatient) throw error\n    removeLater(client, guard)\n    throw error',
    test: 'test/dist/sim/pinned-recipes.js',
    seeds: [1],
  },
  {
    rule: 'RECIPE-65',
    file: 'client-sdk/src/recipes/lease.ts',
    before: 'const sentMs = this.#client.clock.nowMs()',
    after: 'const sentMs = performance.now()',
    test: 'test/dist/client-sdk/recipes/clock.test.js',
  },
  {
    rule: 'RECIPE-67',
    file: 'client-sdk/src/recipes/membership-views.ts',
    before: 'Math.max(counted.pzxid, counted.mzxid)',
    after: 'counted.pzxid',
    test: 'test/dist/sim/pinned-recipes.js',
    seeds: [7],
  },
  {
    rule: 'RECIPE-68',
    file: 'client-sdk/src/recipes/timestamp-oracle.ts',
    before: 'await oracle.#reserve(1)',
    after: 'oracle.#end = (await kept.get()).value + 5',
    test: 'test/dist/sim/pinned-recipes.js',
    seeds: [1],
  },
  recipe('RECIPE-21', 'shared-value', {
    before: 'if (mzxid !== last)',
    after: 'if (last === null || (mzxid !== last && version > 0))',
    test: 'coordination',
  }),
]
