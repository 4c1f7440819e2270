import { anyOf, checked, type Checks, isFunction, isText } from '../checked.js'
import type { Client } from '../client.js'
import { BadArgumentsError } from '../errors.js'
import { type Balancer, balancerOf, strategies, type ResolverStrategy } from './balancing.js'
import { type ServiceInstance, instanceCodec } from './service-instance.js'
import type { SessionScope } from './session-scope.js'
import { TreeCache } from './tree-cache.js'

export type { ResolverStrategy } from './balancing.js'

export interface ServiceResolverOptions {
  /** How the next instance is chosen; `roundRobin` by default. */
  readonly strategy?: ResolverStrategy | undefined
  /** The own zone; `zoneAware` needs it. */
  readonly zone?: string | undefined
  /** Gives numbers from 0 to below 1; `Math.random` by default. */
  readonly random?: (() => number) | undefined
}

const resolverChecks: Checks<ServiceResolverOptions> = {
  strategy: anyOf(...strategies),
  zone: isText,
  random: isFunction,
}

/**
 * Knows the instances of one service and chooses among them, without asking any server. Made by
 * `ServiceRegistry.resolver`.
 *
 * The danger: what it knows may be out of date, by `staleMs` at most; an instance that has just
 * died is among the healthy until its session has ended.
 */
export class ServiceResolver<M> implements AsyncDisposable {
  /** Resolves once all instances are known; rejects with what ended the resolver before. */
  readonly ready: Promise<void>
  /**
   * Resolves once the resolver, its client or its scope is closed; rejects with what else ended it:
   * without a scope, the end of the session. It goes on answering, ever older. Not awaiting it is
   * fine.
   */
  readonly ended: Promise<void>
  readonly #cache: TreeCache<ServiceInstance<M>>
  readonly #balance: Balancer<M>
  #known: Known<M> | null = null

  /** @internal */
  constructor(source: Client | SessionScope, directory: string, options?: ServiceResolverOptions) {
    const given = checked(options, resolverChecks)
    const { strategy = 'roundRobin', zone = null, random = Math.random } = given
    if (strategy === 'zoneAware' && zone === null) {
      throw new BadArgumentsError({ message: 'the strategy zoneAware needs the option zone' })
    }
    this.#balance = balancerOf<M>(strategy, { zone, random })
    this.#cache = new TreeCache(source, directory, { as: instanceCodec<M>() })
    this.ready = this.#cache.ready
    this.ended = this.#cache.ended
  }

  /**
   * How long ago it certainly knew all that its server did, in ms: small while all is well, growing
   * while there is no server, Infinity before it is ready.
   */
  get staleMs(): number {
    return this.#cache.staleMs
  }

  /**
   * The next instance, by the strategy; null when none is healthy.
   *
   * @throws `BadArgumentsError` before it is ready: nothing would be a wrong answer
   */
  pick(): ServiceInstance<M> | null {
    return this.#balance(this.#now().healthy)
  }

  /** All instances in the order of their ids, also those that are not healthy. */
  instances(): readonly ServiceInstance<M>[] {
    return this.#now().all
  }

  /** Stops following; what it knows can still be asked. */
  async close(): Promise<void> {
    await this.#cache.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #now(): Known<M> {
    const { revision } = this.#cache
    if (this.#known?.revision === revision) return this.#known
    const byId = new Map<
      string,
      { readonly instance: ServiceInstance<M>; readonly czxid: number }
    >()
    for (const { value, czxid } of this.#cache.entries()) {
      if (value === null || (byId.get(value.id)?.czxid ?? 0) > czxid) continue
      byId.set(value.id, { instance: value, czxid })
    }
    const all = Array.from(byId.values(), ({ instance }) => instance).toSorted(byIds)
    const healthy = all.filter((instance) => instance.healthy)
    this.#known = { revision, all, healthy }
    return this.#known
  }
}

/** What was made of the entries of the cache. */
interface Known<M> {
  readonly revision: number
  readonly all: readonly ServiceInstance<M>[]
  readonly healthy: readonly ServiceInstance<M>[]
}

const byIds = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : Number(a.id > b.id)
