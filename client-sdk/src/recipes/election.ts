import { anything, checked, type Checks } from '../checked.js'
import type { Client } from '../client.js'
import { ClosedError } from '../errors.js'
import type { ReadOptions, WaitOptions } from '../options.js'
import { contend, type Contender, listContenders } from './contenders.js'
import type { Guard } from '../transaction.js'
import { Lookout, within } from './waiting.js'
import { idOf } from './znodes.js'

export interface ElectionOptions<D> {
  /** Who this is, for those who observe. */
  readonly id?: string | undefined
  /** What those who observe are to know of it, such as an address; as JSON. */
  readonly data?: D | undefined
}

/** What it means to lead. */
export interface Leadership {
  /** Higher for every later leader: for storage that checks tokens. */
  readonly token: number
  /** For transactions: they are refused with `FencedError` once another may lead. */
  readonly guard: Guard
  /** Aborts before another can be elected: at the session's deadline at the latest. */
  readonly signal: AbortSignal
  /** By the clock of this moment, also in a process that stood still and was not told yet. */
  readonly isLeader: boolean
  /** Gives it up: `signal` aborts, and another is elected once the function has settled. */
  resign(): void
}

/** The leader as others see it. */
export interface Leader<D> {
  readonly id: string | null
  readonly data: D
  readonly token: number
  readonly path: string
}

const electionChecks: Checks<ElectionOptions<unknown>> = { id: anything, data: anything }

/**
 * At most one leader whose writes count.
 *
 * Usage:
 *
 *     const election = new Election(client, '/shards/7/leader', { id: 'db-3', data: { address } })
 *     await election.lead(async ({ token, signal, guard }) => {
 *       while (!signal.aborted) {
 *         await client.transaction().add(guard).set('/shards/7/epoch', next).commit()
 *         await shard.write(batch, { fencingToken: token })
 *       }
 *     })
 *     for await (const leader of election.observe({ signal })) route(7, leader?.data.address)
 *
 * Dangers: a function that goes on after its signal has aborted may run beside the next leader, and
 * only guard and token stop what it does; one that never settles, in a session that lives, keeps
 * everybody from leading. `data` is what the leader wrote, not checked.
 */
export class Election<D = unknown> {
  readonly #client: Client
  readonly #path: string
  readonly #id: string | null
  readonly #data: D | undefined

  constructor(client: Client, path: string, options: ElectionOptions<D> = {}) {
    const { id, data } = checked(options, electionChecks)
    this.#client = client
    this.#path = path
    this.#id = idOf(id)
    this.#data = data as D | undefined
  }

  /**
   * Waits to be elected, in the order of arrival, and leads until the function settles.
   *
   * @param options `timeoutMs` is for being elected; `signal` gives up the candidacy, and later
   *   resigns
   * @returns what the function returns, once another can be elected
   * @throws what the function throws; before it runs, the signal's reason, a `DOMException` named
   *   `TimeoutError`, or `FencedError` when somebody deleted the candidate
   */
  async lead<T>(
    run: (leadership: Leadership) => T | Promise<T>,
    options?: WaitOptions,
  ): Promise<T> {
    const owner = { id: this.#id, data: this.#data ?? null }
    const grant = await within(this.#client, options, (signal) =>
      contend(
        this.#client,
        { directory: this.#path, kind: 'candidate' },
        { owner, signal, isPatient: true },
      ),
    )
    if (grant === null) throw new Error('a patient contender was turned away')
    const { token, guard, signal } = grant
    const resign = (reason?: unknown): void =>
      grant.lose(reason ?? new DOMException('the leader has resigned', 'AbortError'))
    const given = AbortSignal.any(options?.signal === undefined ? [] : [options.signal])
    const onAbort = (): void => resign(given.reason)
    given.addEventListener('abort', onAbort)
    if (given.aborted) onAbort()
    try {
      return await run({
        token,
        guard,
        signal,
        get isLeader() {
          return grant.isHeld
        },
        resign: () => resign(),
      })
    } finally {
      given.removeEventListener('abort', onAbort)
      await grant.release()
    }
  }

  /**
   * The leader now, and then each next one; null while there is none. A slow loop gets the latest.
   *
   * @returns ends quietly when the client is closed; the loop throws the signal's reason, and
   *   `SessionExpiredError`
   * @example for await (const leader of election.observe()) console.log(leader?.id)
   */
  async *observe(
    options: Pick<WaitOptions, 'signal'> = {},
  ): AsyncGenerator<Leader<D> | null, void, undefined> {
    const signal = options.signal ?? new AbortController().signal
    await using lookout = new Lookout(this.#client, signal)
    try {
      for (let last: Leader<D> | null | undefined; ;) {
        const leader = await this.leader({ signal })
        if (last === undefined || leader?.token !== last?.token) yield (last = leader)
        await lookout.changed({ path: leader?.path ?? this.#path })
      }
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error
    }
  }

  /** The leader; null when there is none. The danger: true for the moment of the answer only. */
  async leader(options: ReadOptions = {}): Promise<Leader<D> | null> {
    const [first] = await listContenders(this.#client, this.#path, options, 1)
    if (first === undefined) return null
    const { id, data, token, path } = first
    return { id, data: data as D, token, path }
  }

  /** All candidates in the order in which they will lead; the first one leads. */
  candidates(options?: ReadOptions): Promise<readonly Contender[]> {
    return listContenders(this.#client, this.#path, options)
  }
}
