import type { Client } from '../client.js'
import { ClosedError } from '../errors.js'
import type { WaitOptions } from '../options.js'
import { PersistentEphemeral } from './persistent-ephemeral.js'
import {
  type ServiceInstance,
  instanceCodec,
  instanceOf,
  type ServiceInstanceOptions,
} from './service-instance.js'
import { ServiceResolver, type ServiceResolverOptions } from './service-resolver.js'
import { SessionScope } from './session-scope.js'
import { orAborted, within } from './waiting.js'
import { childPath, nameOf } from './znodes.js'

export type { ServiceInstance, ServiceInstanceOptions } from './service-instance.js'
export type {
  ServiceResolver,
  ServiceResolverOptions,
  ResolverStrategy,
} from './service-resolver.js'

/**
 * Which services there are, and where.
 *
 * Usage:
 *
 *     const services = new ServiceRegistry(scope, '/services')
 *     await using me = await services.register('query', {
 *       id: 'q-1',
 *       address: '10.0.0.5:9000',
 *       zone: 'a',
 *     })
 *     await using storage = services.resolver('storage', { strategy: 'zoneAware', zone: 'a' })
 *     await storage.ready
 *     const target = storage.pick()
 *
 * Given a `SessionScope` in place of a client, it registers again in each next session, and its
 * resolvers go on: they answer from what they know while there is no server.
 *
 * Dangers: an instance that dies stays until its session has ended. Who has the same id as another
 * hides the one that registered earlier. `healthy` and the rest are what the instance says.
 */
export class ServiceRegistry<M = unknown> {
  readonly #source: Client | SessionScope
  readonly #path: string

  constructor(source: Client | SessionScope, path: string) {
    this.#source = source
    this.#path = path
  }

  /**
   * Makes an instance known, until it is taken back.
   *
   * @returns once it is known
   * @throws the signal's reason; a `DOMException` named `TimeoutError`; what ends the registration
   *   before; `BadArgumentsError`, `TooLargeError`. Then nothing is left behind.
   */
  async register(
    service: string,
    instance: ServiceInstanceOptions<M>,
    options?: WaitOptions,
  ): Promise<ServiceRegistration<M>> {
    const directory = this.#directoryOf(service)
    return within(this.#source, options, async (signal) => {
      const registration = new ServiceRegistration(this.#source, directory, instance)
      try {
        await orAborted(registration.registered, signal)
        return registration
      } catch (error) {
        void registration.unregister().catch(() => {})
        throw error
      }
    })
  }

  /** Follows the instances of a service. @throws `BadArgumentsError` */
  resolver(service: string, options?: ServiceResolverOptions): ServiceResolver<M> {
    return new ServiceResolver(this.#source, this.#directoryOf(service), options)
  }

  #directoryOf(service: string): string {
    return childPath(this.#path, nameOf(service, 'the name of a service'))
  }
}

/** An instance that is made known, again whenever it has to. */
export class ServiceRegistration<M> implements AsyncDisposable {
  /** @internal */
  readonly registered: Promise<void>
  /**
   * Resolves once it was taken back, or its client or scope is closed; rejects with what else ended
   * it: without a scope, the end of the session. Not awaiting it is fine.
   */
  readonly ended: Promise<void>
  readonly #directory: string
  readonly #over = new AbortController()
  #instance: ServiceInstance<M>
  #data: Uint8Array
  #kept: PersistentEphemeral | null = null

  /** @internal */
  constructor(
    source: Client | SessionScope,
    directory: string,
    instance: ServiceInstanceOptions<M>,
  ) {
    this.#directory = directory
    this.#instance = instanceOf(instance)
    this.#data = instanceCodec<M>().encode(this.#instance)
    let onMade!: () => void
    const made = new Promise<void>((resolve) => (onMade = resolve))
    this.ended = this.#run(source, onMade)
    this.registered = Promise.race([made, this.ended.then(() => Promise.reject(unregistered()))])
    this.registered.catch(() => {})
    this.ended.catch(() => {})
  }

  /** What it says of itself. */
  get instance(): ServiceInstance<M> {
    return this.#instance
  }

  /**
   * Says something else of itself; what is left out stays.
   *
   * @returns once it is said, or will be said in the next session
   * @throws `BadArgumentsError`, `TooLargeError`
   * @example await me.update({ healthy: false })
   */
  async update(changes: Omit<Partial<ServiceInstanceOptions<M>>, 'id'>): Promise<void> {
    const { id } = this.#instance
    const instance = instanceOf<M>({ ...this.#instance, ...changes, id })
    this.#data = instanceCodec<M>().encode(instance)
    this.#instance = instance
    await this.#kept?.update(this.#data)
  }

  /** Takes it back: it is gone when this has resolved. Quiet when it has ended already. */
  async unregister(): Promise<void> {
    this.#over.abort(unregistered())
    await this.ended.catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unregister()
  }

  async #run(source: Client | SessionScope, onMade: () => void): Promise<void> {
    const { signal } = this.#over
    const keep = (client: Client, until: AbortSignal): Promise<never> => {
      // In each session a name of its own, so that it waits for no session of the past to end.
      const name = `${this.#instance.id}@${client.sessionId}`
      this.#kept = new PersistentEphemeral(childPath(this.#directory, name), this.#data)
      return this.#kept.keep(client, { signal: until, onMade })
    }
    try {
      await (source instanceof SessionScope ? source.run(keep, { signal }) : keep(source, signal))
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error
    } finally {
      this.#kept = null
    }
  }
}

const unregistered = (): Error => new ClosedError({ message: 'the instance was unregistered' })
