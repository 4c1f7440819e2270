import type { Mutation } from './mutation.js'

const discovery = (
  rule: string,
  file: string,
  change: { readonly before: string; readonly after: string; readonly test: string },
): Mutation => ({
  rule,
  file: `client-sdk/src/recipes/${file}.ts`,
  before: change.before,
  after: change.after,
  test: `test/dist/client-sdk/recipes/${change.test}.test.js`,
})

/** Who is there: membership and services. */
export const mutations: readonly Mutation[] = [
  discovery('RECIPE-130', 'member-znode', {
    before: '.set(path, data, { version })',
    after: '.set(path, data, { version: version === -2 ? version : -1 })',
    test: 'membership',
  }),
  discovery('RECIPE-131', 'member-znode', {
    before: '} else if (entry.isSuperseding) {',
    after: '} else if (!entry.isSuperseding) {',
    test: 'membership',
  }),
  discovery('RECIPE-132', 'membership', {
    before: 'client.transaction().add(guard).delete(guard.path)',
    after: 'client.transaction().delete(guard.path)',
    test: 'membership',
  }),
  discovery('RECIPE-133', 'membership-views', {
    before: "if (last === undefined || last.state === 'left') return",
    after: 'if (last === undefined) return',
    test: 'membership',
  }),
  discovery('RECIPE-134', 'membership-views', {
    before: "return type !== 'dataChanged'",
    after: 'return type.length > 0',
    test: 'membership-views',
  }),
  discovery('RECIPE-135', 'draining', {
    before: 'decodeEpoch(data) < epoch',
    after: 'decodeEpoch(data) > epoch',
    test: 'membership-views',
  }),
  discovery('RECIPE-136', 'membership', {
    before: 'membership.#grant.lose(error)',
    after: '',
    test: 'membership',
  }),
  discovery('RECIPE-137', 'membership-views', {
    before: 'for await (const event of stream) if (roster.take(event)) yield roster.view()',
    after: `for await (const event of stream) {
      await client.sync()
      if (roster.take(event)) yield roster.view()
    }`,
    test: 'membership-herd',
  }),
  discovery('RECIPE-138', 'member-znode', {
    before: "kind: 'ephemeral', withStat",
    after: "kind: 'persistent', withStat",
    test: 'membership-faults',
  }),
  discovery('RECIPE-139', 'session-scope', {
    before: 'if (!(error instanceof SessionExpiredError)) throw error',
    after: 'if (error instanceof SessionExpiredError) throw error',
    test: 'membership',
  }),
  discovery('RECIPE-140', 'service-resolver', {
    before: 'all.filter((instance) => instance.healthy)',
    after: 'all',
    test: 'service-registry',
  }),
  discovery('RECIPE-141', 'service-resolver', {
    before: '(byId.get(value.id)?.czxid ?? 0) > czxid',
    after: '(byId.get(value.id)?.czxid ?? czxid) < czxid',
    test: 'service-registry',
  }),
  discovery('RECIPE-142', 'persistent-ephemeral', {
    before: '    this.#data = copyOf(data)\n    const kept',
    after: '    if (data === null) this.#data = null\n    const kept',
    test: 'service-registry',
  }),
  discovery('RECIPE-143', 'balancing', {
    before: 'next.set(chosen.id, most - sum)',
    after: 'next.set(chosen.id, most - chosen.weight)',
    test: 'service-registry',
  }),
  discovery('RECIPE-144', 'balancing', {
    before: ' ?? anywhere(healthy)',
    after: ' ?? (healthy.length < 0 ? anywhere(healthy) : null)',
    test: 'service-registry',
  }),
  discovery('RECIPE-145', 'service-resolver', {
    before: 'return this.#cache.staleMs',
    after: 'return Math.min(this.#cache.staleMs, 0)',
    test: 'service-registry',
  }),
  discovery('RECIPE-146', 'persistent-ephemeral', {
    before: 'if (own !== null) await removeGuarded(client, own)',
    after: 'if (own === null) await removeGuarded(client, guardOf(this.#path, 0))',
    test: 'service-faults',
  }),
]
