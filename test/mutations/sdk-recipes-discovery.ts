import type { Mutation } from './mutation.js'
import { faultedRecipe, recipe } from './recipe-mutation.js'

/** Who is there: membership and services. */
export const mutations: readonly Mutation[] = [
  recipe('RECIPE-130', 'member-znode', {
    before: '.set(path, data, { version })',
    after: '.set(path, data, { version: version === -2 ? version : -1 })',
    test: 'membership',
  }),
  recipe('RECIPE-131', 'member-znode', {
    before: '} else if (entry.isSuperseding) {',
    after: '} else if (!entry.isSuperseding) {',
    test: 'membership',
  }),
  recipe('RECIPE-132', 'membership', {
    before: 'client.transaction().add(guard).delete(guard.path)',
    after: 'client.transaction().delete(guard.path)',
    test: 'membership',
  }),
  recipe('RECIPE-133', 'membership-views', {
    before: "if (last === undefined || last.state === 'left') return",
    after: 'if (last === undefined) return',
    test: 'membership',
  }),
  recipe('RECIPE-134', 'membership-views', {
    before: "return type !== 'dataChanged'",
    after: 'return type.length > 0',
    test: 'membership-views',
  }),
  recipe('RECIPE-135', 'draining', {
    before: 'decodeEpoch(data) < epoch',
    after: 'decodeEpoch(data) > epoch',
    test: 'membership-views',
  }),
  recipe('RECIPE-136', 'membership', {
    before: 'membership.#grant.lose(error)',
    after: '',
    test: 'membership',
  }),
  recipe('RECIPE-137', 'membership-views', {
    before: 'for await (const event of stream) if (roster.take(event)) yield roster.view()',
    after: `for await (const event of stream) {
      await client.sync()
      if (roster.take(event)) yield roster.view()
    }`,
    test: 'membership-herd',
  }),
  faultedRecipe('RECIPE-7', 'member-znode', {
    before: "kind: 'ephemeral', withStat",
    after: "kind: 'persistent', withStat",
  }),
  recipe('RECIPE-139', 'session-scope', {
    before: 'if (!(error instanceof SessionExpiredError)) throw error',
    after: 'if (error instanceof SessionExpiredError) throw error',
    test: 'membership',
  }),
  recipe('RECIPE-140', 'service-resolver', {
    before: 'all.filter((instance) => instance.healthy)',
    after: 'all',
    test: 'service-registry',
  }),
  recipe('RECIPE-141', 'service-resolver', {
    before: '(byId.get(value.id)?.czxid ?? 0) > czxid',
    after: '(byId.get(value.id)?.czxid ?? czxid) < czxid',
    test: 'service-registry',
  }),
  recipe('RECIPE-142', 'persistent-ephemeral', {
    before: '    this.#data = copyOf(data)\n    const kept',
    after: '    if (data === null) this.#data = null\n    const kept',
    test: 'service-registry',
  }),
  recipe('RECIPE-143', 'balancing', {
    before: 'next.set(chosen.id, most - sum)',
    after: 'next.set(chosen.id, most - chosen.weight)',
    test: 'service-registry',
  }),
  recipe('RECIPE-144', 'balancing', {
    before: ' ?? anywhere(healthy)',
    after: ' ?? (healthy.length < 0 ? anywhere(healthy) : null)',
    test: 'service-registry',
  }),
  recipe('RECIPE-145', 'service-resolver', {
    before: 'return this.#cache.staleMs',
    after: 'return Math.min(this.#cache.staleMs, 0)',
    test: 'service-registry',
  }),
  faultedRecipe('RECIPE-6', 'persistent-ephemeral', {
    before: 'if (own !== null) await removeGuarded(client, own)',
    after: 'if (own === null) await removeGuarded(client, guardOf(this.#path, 0))',
  }),
]
