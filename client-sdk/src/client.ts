import type { Identity, Op, OpResult, ServingRole, SessionId } from '@conclave/protocol'
import { anyOf, checked, type Checks, duration } from './checked.js'
import type { Chroot } from './chroot.js'
import { BadArgumentsError } from './errors.js'
import { type AuthOptions, identityOf } from './identity.js'
import { multiRead, type MultiReadOutcomes, type MultiReadRequest } from './multi-read.js'
import {
  isLinearizable,
  readChecks,
  type ReadOptions,
  waitChecks,
  type WaitOptions,
} from './options.js'
import { pages } from './paging.js'
import { RequestContext } from './request-context.js'
import type { SessionState, StateChange } from './session/effect.js'
import type { SessionRunner } from './session/runner.js'
import { Transaction } from './transaction.js'
import type { Clock } from './clock.js'
import { TreeOperations } from './tree-operations.js'
import { WatchStream, type WatchStreamOptions } from './watch.js'

/** Who the servers take this client for. */
export interface WhoAmI {
  readonly sessionId: number
  readonly identities: readonly Identity[]
}

/** The server that a client is attached to. */
export interface ServerInfo {
  /** Where it was reached, as `10.0.0.1:7400`. */
  readonly address: string
  /** Its number in the ensemble. */
  readonly serverId: number
  /** What it was, and the number of the leadership, when it attached this client. */
  readonly role: ServingRole
  readonly epoch: number
}

export interface RemoveWatchesOptions extends WaitOptions {
  /** `data`: set by get and exists. `child`: set by list. Both, `any`, by default. */
  readonly kind?: 'data' | 'child' | 'any' | undefined
}

export interface CloseOptions {
  /** How long it may take, in ms, 0 to 2,147,483,647; 5,000 by default. */
  readonly timeoutMs?: number | undefined
}

const removeWatchesChecks: Checks<RemoveWatchesOptions> = {
  ...waitChecks,
  kind: anyOf('data', 'child', 'any'),
}
const closeChecks: Checks<CloseOptions> = { timeoutMs: duration }
const closeTimeoutMsDefault = 5_000

/**
 * One session with an ensemble. Made by `connect`.
 *
 * Calls on one client take effect in the order in which they were made. While no server can be
 * reached they wait; each takes `signal` and `timeoutMs` for those who would rather not, and then
 * rejects with the signal's reason or a `DOMException` named `TimeoutError`. Every other fault is a
 * `ConclaveError`: besides what each method names, `SessionExpiredError` and `ClosedError` once the
 * session or the client has ended, and `ThrottledError` when too many calls wait.
 *
 * @example
 * await using client = await connect('conclave://127.0.0.1:7400/orders')
 * await client.create('/config', { shards: 16 }, { as: json })
 */
export class Client extends TreeOperations implements AsyncDisposable {
  readonly #context: RequestContext
  readonly #runner: SessionRunner

  /** @internal */
  constructor(runner: SessionRunner, chroot: Chroot) {
    const context = new RequestContext(runner, chroot)
    super(context)
    this.#context = context
    this.#runner = runner
  }

  /**
   * `connected`, `suspended` (calls wait), `expired` (final: connect again), `closed` (final).
   * {@link on} tells of its changes.
   *
   * @example if (client.state === 'suspended') console.log('waiting for a server')
   */
  get state(): SessionState {
    return this.#runner.machine.state.state
  }

  /**
   * Until when the session is certainly alive, in ms of `performance.now()`; null in the final
   * states. The danger: past it the servers may have given what this client holds to another.
   *
   * @example console.log(`safe for ${(client.deadline ?? 0) - performance.now()} ms more`)
   */
  get deadline(): number | null {
    return this.#runner.machine.state.deadline
  }

  /**
   * Whether {@link deadline} still lies ahead, by the clock of this moment: true even while
   * suspended, false as soon as it has passed, though a process that stood still was not told yet.
   *
   * @example if (client.isSafe) act()
   */
  get isSafe(): boolean {
    return this.#runner.isSafe
  }

  /**
   * The server that this client is attached to; null while it is to none. For people and logs: the
   * danger is that role and epoch may have changed since, so nothing is to be decided by them.
   *
   * @example console.log(client.server?.address, client.server?.role)
   */
  get server(): ServerInfo | null {
    return this.#runner.server
  }

  /**
   * The clock that {@link deadline} is of, and timers by it: for recipes that have deadlines of
   * their own.
   *
   * @example const leftMs = (client.deadline ?? 0) - client.clock.nowMs()
   */
  get clock(): Clock {
    return this.#runner.clock
  }

  /** The `ephemeralOwner` of this client's ephemerals. */
  get sessionId(): SessionId {
    return this.#runner.machine.sessionId
  }

  /** The highest zxid this client has seen: no answer is ever older. */
  get lastZxidSeen(): number {
    return this.#runner.machine.lastZxidSeen
  }

  /**
   * Tells of every change of state, and, while suspended, of the deadline's passing. What a
   * listener throws becomes an uncaught error, as with every event target.
   *
   * @returns stops it
   * @throws `BadArgumentsError` at once, for another event or for what is no function
   * @example
   * client.on('state', ({ state, deadlinePassed }) => {
   *   if (deadlinePassed || state === 'expired') stopActing()
   * })
   */
  on(event: 'state', listener: (change: StateChange) => void): () => void {
    if (event !== 'state') throw new BadArgumentsError({ message: `the one event is 'state'` })
    if (typeof listener !== 'function') {
      throw new BadArgumentsError({ message: 'the listener is a function' })
    }
    return this.#runner.onState(listener)
  }

  /**
   * Starts a transaction: several writes and checks, all or nothing. `.commit()` sends it.
   *
   * @example
   * const [job, stat] = await client.transaction()
   *   .create('/jobs/j-', data, { kind: 'sequential' })
   *   .set('/jobs/latest', ref(0))
   *   .commit()
   */
  transaction(): Transaction {
    return new Transaction(this.#context)
  }

  /**
   * Several reads, at most 128, answered from one state of the tree; each has its own outcome. As
   * fresh as {@link get}. A `list` here is not paged.
   *
   * @returns the outcomes, in the order of the reads
   * @throws `TooLargeError` (more reads, or an answer of more than 1 MiB), `BadArgumentsError`
   * @example
   * const [config, ready] = await client.multiRead([
   *   { get: '/config', as: json<Config>() },
   *   { exists: '/ready' },
   * ])
   * if (config.ok) use(config.value.data)
   */
  async multiRead<const R extends readonly MultiReadRequest[]>(
    reads: R,
    options?: ReadOptions,
  ): Promise<MultiReadOutcomes<R>> {
    return multiRead(this.#context, reads, checked(options, readChecks))
  }

  /**
   * Everything that happens to a znode, or with `recursive` to its whole subtree, as an endless
   * sequence without gaps or duplicates, from now on or from a position kept earlier. It is asked
   * for at once: what this client does afterwards is in it. See {@link WatchStream}.
   *
   * @returns the stream; its loop throws `NoAuthError`, `TooLargeError` (more than 1,000 streams),
   *   `SessionExpiredError`, `BadArgumentsError`
   * @example
   * for await (const event of client.watch('/services', { recursive: true, from: bookmark })) {
   *   if (event.type === 'gap') await rebuild()
   *   bookmark = event.position
   * }
   */
  watch(path: string, options?: WatchStreamOptions): WatchStream {
    return new WatchStream(this.#context, path, options)
  }

  /**
   * Takes one-shot watches back: their `changed` rejects with `NoWatcherError`.
   *
   * @throws `NoWatcherError` when there is none, `BadArgumentsError`
   * @example await client.removeWatches('/config', { kind: 'data' })
   */
  async removeWatches(path: string, options?: RemoveWatchesOptions): Promise<void> {
    const given = checked(options, removeWatchesChecks)
    const at = this.#context.chroot.toServer(path)
    const { kind = 'any' } = given
    await this.#context.send({ op: 'removeWatches', path: at, kind }, { path }, given)
  }

  /**
   * A barrier: what is called after it sees all that anybody was told of before it was called.
   *
   * @throws `BadArgumentsError`
   * @example
   * await client.sync()
   * const { data } = await client.get('/config')
   */
  async sync(path = '/', options?: WaitOptions): Promise<void> {
    const given = checked(options, waitChecks)
    const at = this.#context.chroot.toServer(path)
    await this.#context.send({ op: 'sync', path: at }, { path }, given)
  }

  /**
   * The ephemerals of this session at and below a path. As fresh as {@link get}; `timeoutMs` counts
   * for the whole.
   *
   * @returns their paths, oldest first; at most 10,000
   * @throws `BadArgumentsError`
   * @example const mine = await client.getEphemerals('/services')
   */
  async getEphemerals(path = '/', options?: ReadOptions): Promise<readonly string[]> {
    const paths: string[] = []
    await this.#everyPage('getEphemerals', { path, options }, (page) => {
      for (const found of page.paths) paths.push(this.#context.chroot.toClient(found))
    })
    return paths
  }

  /**
   * How many znodes lie below a path. As fresh as {@link get}; `timeoutMs` counts for the whole.
   * The danger: a large tree is counted in pieces, and what changes meanwhile may or may not be
   * counted.
   *
   * @throws `NoNodeError`, `NoAuthError`, `BadArgumentsError`
   * @example const size = await client.countDescendants('/queue')
   */
  async countDescendants(path: string, options?: ReadOptions): Promise<number> {
    let total = 0
    await this.#everyPage('countDescendants', { path, options }, ({ count }) => {
      total += count
    })
    return total
  }

  /**
   * Deletes a znode and all below it, deepest first. `timeoutMs` counts for the whole. The danger:
   * it is not atomic. Others see it half done, and an error or an abort leaves it so; calling it
   * again goes on.
   *
   * @returns how many znodes there were
   * @throws `NoNodeError`, `NoAuthError`, `NotEmptyError`, `BadArgumentsError`
   * @example await client.deleteRecursive('/jobs/old')
   */
  async deleteRecursive(path: string, options?: WaitOptions): Promise<number> {
    const given = checked(options, waitChecks)
    const op = { op: 'deleteRecursive', path: this.#context.chroot.toServer(path) } as const
    return this.#context.within(given, async (wait) => {
      for (let total = 0; ;) {
        const { deleted, done } = (await this.#context.ask(op, { path }, wait)).result
        total += deleted
        if (done) return total
      }
    })
  }

  /**
   * Adds an identity to this client. It belongs to connections, so the client shows it again on
   * each new one before anything else.
   *
   * @throws `AuthFailedError`, `TooLargeError` (more than 16), `BadArgumentsError`
   * @example await client.addAuth({ scheme: 'digest', user: 'orders', password: new Secret(word) })
   */
  async addAuth(auth: AuthOptions, options?: WaitOptions): Promise<Identity> {
    const given = checked(options, waitChecks)
    const { scheme, user, password } = identityOf(auth)
    const op = { op: 'auth', scheme, user, password: '' } as const
    const about = { path: null, secret: password }
    return (await this.#context.send(op, about, given)).identity
  }

  /**
   * The session and the identities of the present connection.
   *
   * @throws `BadArgumentsError`
   * @example const { identities } = await client.whoAmI()
   */
  async whoAmI(options?: WaitOptions): Promise<WhoAmI> {
    const given = checked(options, waitChecks)
    return this.#context.send({ op: 'whoAmI' }, { path: null }, given)
  }

  /**
   * Ends the session: waits for what is under way, then deletes this client's ephemerals by closing
   * the session, and leaves. Calls made from now on reject with `ClosedError`. Closing again waits
   * for the same end. After `timeoutMs` it leaves all the same, and the session ends by its
   * timeout.
   *
   * @throws `BadArgumentsError`, and then nothing is closed; nothing else
   * @example await client.close()
   */
  async close(options?: CloseOptions): Promise<void> {
    const { timeoutMs = closeTimeoutMsDefault } = checked(options, closeChecks)
    await this.#runner.close(timeoutMs)
  }

  /** Closes it, at the end of an `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #everyPage<N extends 'getEphemerals' | 'countDescendants'>(
    op: N,
    about: { readonly path: string; readonly options: ReadOptions | undefined },
    take: (page: OpResult<N>) => void,
  ): Promise<void> {
    const { path } = about
    const given = checked(about.options, readChecks)
    const at = this.#context.chroot.toServer(path)
    await this.#context.within(given, async (wait) => {
      const ask = async (cursor: Uint8Array | null): Promise<OpResult<N>> => {
        // One barrier is enough: the later pages follow it.
        const linearizable = isLinearizable(given) && cursor === null
        const asked = { op, path: at, linearizable, cursor } as Op<N>
        return (await this.#context.ask(asked, { path }, wait)).result
      }
      for await (const page of pages(ask)) take(page)
    })
  }
}
