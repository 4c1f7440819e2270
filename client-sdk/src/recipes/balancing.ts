import type { ServiceInstance } from './service-instance.js'

/**
 * How the next instance is chosen.
 * - `roundRobin`: one after the other, in the order of their ids.
 * - `random`: each as likely as any other.
 * - `weighted`: in the ratio of the weights, evenly spread.
 * - `zoneAware`: as `weighted` among those of the own zone; among all while it has none.
 */
export type ResolverStrategy = 'roundRobin' | 'random' | 'weighted' | 'zoneAware'

export const strategies: readonly ResolverStrategy[] = [
  'roundRobin',
  'random',
  'weighted',
  'zoneAware',
]

/** What is chosen from: the healthy ones in the order of their ids. Null: there is none. */
export type Balancer<M> = (healthy: readonly ServiceInstance<M>[]) => ServiceInstance<M> | null

export interface BalancerOptions {
  readonly zone: string | null
  /** A number from 0 to below 1. */
  readonly random: () => number
}

export const balancerOf = <M>(
  strategy: ResolverStrategy,
  { zone, random }: BalancerOptions,
): Balancer<M> => {
  switch (strategy) {
    case 'roundRobin':
      return roundRobin()
    case 'random':
      return (healthy) => healthy[Math.floor(random() * healthy.length)] ?? null
    case 'weighted':
      return smoothlyWeighted()
    case 'zoneAware':
      return zoneAware(zone)
  }
}

/** After the last one, also when that is gone: nobody is left out because another comes or goes. */
const roundRobin = <M>(): Balancer<M> => {
  let last = ''
  return (healthy) => {
    const next = healthy.find(({ id }) => id > last) ?? healthy[0] ?? null
    last = next?.id ?? last
    return next
  }
}

/**
 * Smooth weighted round robin (nginx, ngx_http_upstream_round_robin.c): each gains its weight in
 * each round, and the one that has most is chosen and pays the sum. Of weights 5, 1 and 1 that is
 * a a b a c a a, never five of one in a row.
 */
const smoothlyWeighted = <M>(): Balancer<M> => {
  let credits = new Map<string, number>()
  return (healthy) => {
    const next = new Map<string, number>()
    let chosen: ServiceInstance<M> | null = null
    let most = -Infinity
    let sum = 0
    for (const instance of healthy) {
      const { id, weight } = instance
      if (weight === 0) continue
      const credit = (credits.get(id) ?? 0) + weight
      next.set(id, credit)
      sum += weight
      if (credit > most) [chosen, most] = [instance, credit]
    }
    if (chosen !== null) next.set(chosen.id, most - sum)
    // Who is not there any more is forgotten.
    credits = next
    return chosen
  }
}

const zoneAware = <M>(zone: string | null): Balancer<M> => {
  const nearby = smoothlyWeighted<M>()
  const anywhere = smoothlyWeighted<M>()
  return (healthy) => nearby(healthy.filter((one) => one.zone === zone)) ?? anywhere(healthy)
}
