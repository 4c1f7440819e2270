import type { Client } from '../client.js'
import { type Clock, processClock } from '../clock.js'
import { BadArgumentsError, ClosedError, ConclaveError, SessionExpiredError } from '../errors.js'
import { pause } from './waiting.js'

export interface RunOptions {
  /** Ends what runs: its own signal aborts, and it is not begun again. */
  readonly signal?: AbortSignal | undefined
}

/** What is to be there in every session; its signal aborts when that session, or the run, ends. */
export type Registration<T> = (client: Client, signal: AbortSignal) => T | Promise<T>

const pauseMsFirst = 100
const pauseMsMax = 5_000

/**
 * One place that begins everything again with a new client after a session has expired: ephemerals,
 * candidacies, services.
 *
 * Usage:
 *
 *     await using scope = new SessionScope(() => connect(url, { sessionTimeoutMs: 10_000 }))
 *     const alive = new PersistentEphemeral('/alive/db-3')
 *     void scope.run((client, signal) => alive.keep(client, { signal }))
 *     await scope.run((client, signal) => new Election(client, '/leader').lead(lead, { signal }))
 *
 * Dangers: what a registration did in one session may be half done, or just done, when the next
 * begins it again, so it says what shall be, not what to do once. It has to end when its signal
 * aborts: the next session waits for that, and so does `close`. Connecting is tried until it
 * succeeds or is refused for good.
 */
export class SessionScope implements AsyncDisposable {
  /** Of this process, whatever client there is. */
  readonly clock: Clock
  readonly #connect: (signal: AbortSignal) => Promise<Client>
  readonly #over = new AbortController()
  readonly #runs = new Set<Promise<unknown>>()
  #current: Promise<Session> | null = null
  #last: Client | null = null

  /**
   * @param connect opens a new session; its signal aborts when the scope is closed
   * @param clock for clients in a place that has a clock of its own, as a simulation
   */
  constructor(connect: (signal: AbortSignal) => Promise<Client>, clock: Clock = processClock) {
    this.#connect = connect
    this.clock = clock
  }

  /**
   * The client of the present session; connects when there is none.
   *
   * @throws `ClosedError`; what `connect` throws that no later try can mend
   */
  async client(): Promise<Client> {
    return (await this.#session()).client
  }

  /**
   * Runs it now, and again in each next session whenever the present one has ended before it has;
   * also when it throws `SessionExpiredError`, which says that what it held is lost.
   *
   * @returns what it returns in the session in which it ends by itself
   * @throws what it throws for another reason than the end of its session; the signal's reason;
   *   `ClosedError` when the scope is closed
   */
  run<T>(registration: Registration<T>, options: RunOptions = {}): Promise<T> {
    const running = this.#repeat(registration, options.signal).finally(() =>
      this.#runs.delete(running),
    )
    this.#runs.add(running)
    return running
  }

  /** Ends all that runs, waits for it, and closes the client. */
  async close(): Promise<void> {
    this.#over.abort(new ClosedError({ message: 'the session scope is closed' }))
    await Promise.allSettled(this.#runs)
    const session = await this.#current?.catch(() => null)
    await session?.client.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #repeat<T>(registration: Registration<T>, given: AbortSignal | undefined): Promise<T> {
    for (;;) {
      given?.throwIfAborted()
      const { client, signal } = await this.#session()
      const either = given === undefined ? signal : AbortSignal.any([signal, given])
      try {
        const value = await registration(client, either)
        if (!signal.aborted) return value
      } catch (error) {
        this.#over.signal.throwIfAborted()
        given?.throwIfAborted()
        if (signal.aborted) continue
        // A deadline may pass though the servers still have the session: what was held is lost.
        if (!(error instanceof SessionExpiredError)) throw error
        await pause(this.clock, pauseMsFirst, either)
      }
    }
  }

  async #session(): Promise<Session> {
    this.#over.signal.throwIfAborted()
    const opening = (this.#current ??= this.#open())
    const session = await opening.catch((error: unknown) => {
      this.#forget(opening)
      throw error
    })
    // Not forgotten: `close` has to find what is open.
    this.#over.signal.throwIfAborted()
    if (!session.signal.aborted) return session
    this.#forget(opening)
    return this.#session()
  }

  /** Who finds it over first opens the next one, for all. */
  #forget(opening: Promise<Session>): void {
    if (this.#current === opening) this.#current = null
  }

  async #open(): Promise<Session> {
    const client = await this.#connected()
    if (client === this.#last) {
      const message = 'the function of a session scope connects anew each time it is called'
      throw new BadArgumentsError({ message })
    }
    this.#last = client
    const ended = new AbortController()
    const judge = (): void => {
      const isOver = client.state === 'expired' || client.state === 'closed'
      if (isOver) ended.abort(new ClosedError({ message: `the client is ${client.state}` }))
    }
    client.on('state', judge)
    // In a process that stood still it may be over already: then the next one follows.
    judge()
    return { client, signal: AbortSignal.any([ended.signal, this.#over.signal]) }
  }

  async #connected(): Promise<Client> {
    const { signal } = this.#over
    for (let pauseMs = pauseMsFirst; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      signal.throwIfAborted()
      try {
        return await this.#connect(signal)
      } catch (error) {
        const isPassing = error instanceof ConclaveError && retried.has(error.retry)
        if (!isPassing) throw error
      }
      await pause(this.clock, pauseMs, signal)
    }
  }
}

const retried: ReadonlySet<string> = new Set(['later', 'newSession'])

interface Session {
  readonly client: Client
  /** Aborts when the session, or the scope, has ended. */
  readonly signal: AbortSignal
}
