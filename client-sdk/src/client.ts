import type { Identity, SessionId } from '@conclave/protocol'
import type { Chroot } from './chroot.js'
import { BadArgumentsError } from './errors.js'
import { type AuthOptions, identityOf } from './identity.js'
import { multiRead, type MultiReadOutcomes, type MultiReadRequest } from './multi-read.js'
import type { ReadOptions, WaitOptions } from './options.js'
import { joinWait, RequestContext } from './request-context.js'
import type { SessionState, StateChange } from './session/effect.js'
import type { SessionRunner } from './session/runner.js'
import { Transaction } from './transaction.js'
import { isLinearizable } from './request-fields.js'
import { TreeOperations } from './tree-operations.js'
import { WatchStream, type WatchStreamOptions } from './watch.js'

/** Who the servers take this client for. */
export interface WhoAmI {
  readonly sessionId: number
  readonly identities: readonly Identity[]
}

const closeTimeoutMsDefault = 5_000

/**
 * One session with an ensemble. Made by `connect`.
 *
 * Calls on one client take effect in the order in which they were made. While no server can be
 * reached they wait; each takes `signal` and `timeoutMs` for those who would rather not.
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
   * @example const isSafe = performance.now() < (client.deadline ?? 0)
   */
  get deadline(): number | null {
    return this.#runner.machine.state.deadline
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
   * Tells of every change of state, and, while suspended, of the deadline's passing.
   *
   * @returns stops it
   * @example client.on('state', ({ state, deadline }) => console.log(state, deadline))
   */
  on(event: 'state', listener: (change: StateChange) => void): () => void {
    if (event !== 'state') throw new BadArgumentsError({ message: `the one event is 'state'` })
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
   * Several reads, answered from one state of the tree; each has its own outcome. A `list` here is
   * not paged. Rejects with `TooLargeError` when the answer does not fit into one message.
   *
   * @example
   * const [config, ready] = await client.multiRead([
   *   { get: '/config', as: json<Config>() },
   *   { exists: '/ready' },
   * ])
   * if (config.ok) use(config.value.data)
   */
  async multiRead<const R extends readonly MultiReadRequest[]>(
    reads: R,
    options: ReadOptions = {},
  ): Promise<MultiReadOutcomes<R>> {
    return multiRead(this.#context, reads, options)
  }

  /**
   * Everything that happens to a znode, or with `recursive` to its whole subtree, as an endless
   * sequence without gaps or duplicates, from now on or from a position kept earlier. It is asked
   * for at once: what this client does afterwards is in it.
   *
   * @example
   * for await (const event of client.watch('/services', { recursive: true, from: bookmark })) {
   *   if (event.type === 'gap') await rebuild()
   *   bookmark = event.position
   * }
   */
  watch(path: string, options: WatchStreamOptions = {}): WatchStream {
    return new WatchStream(this.#context, path, options)
  }

  /**
   * Takes one-shot watches back: their `changed` rejects with `NoWatcherError`. Rejects with that
   * itself when there is none.
   *
   * @example await client.removeWatches('/config', { kind: 'data' })
   */
  async removeWatches(
    path: string,
    options: WaitOptions & {
      /** `data`: set by get and exists. `child`: set by list. Both by default. */
      readonly kind?: 'data' | 'child' | 'any' | undefined
    } = {},
  ): Promise<void> {
    const at = this.#context.chroot.toServer(path)
    const { kind = 'any' } = options
    await this.#context.send({ op: 'removeWatches', path: at, kind }, { path }, options)
  }

  /**
   * A barrier: what is called after it sees all that anybody was told of before it was called.
   *
   * @example
   * await client.sync()
   * const { data } = await client.get('/config')
   */
  async sync(path = '/', options: WaitOptions = {}): Promise<void> {
    const at = this.#context.chroot.toServer(path)
    await this.#context.send({ op: 'sync', path: at }, { path }, options)
  }

  /**
   * The ephemerals of this session at and below a path.
   *
   * @example const mine = await client.getEphemerals('/services')
   */
  async getEphemerals(path = '/', options: ReadOptions = {}): Promise<readonly string[]> {
    const at = this.#context.chroot.toServer(path)
    const linearizable = isLinearizable(options)
    const wait = joinWait(options)
    const paths: string[] = []
    let cursor: Uint8Array | null = null
    do {
      const op = { op: 'getEphemerals', path: at, linearizable, cursor } as const
      const page: { paths: readonly string[]; cursor: Uint8Array | null } =
        await this.#context.send(op, { path }, wait)
      for (const found of page.paths) paths.push(this.#context.chroot.toClient(found))
      cursor = page.cursor
    } while (cursor !== null)
    return paths
  }

  /**
   * How many znodes lie below a path. The danger: a large tree is counted in pieces, and what
   * changes meanwhile may or may not be counted.
   *
   * @example const size = await client.countDescendants('/queue')
   */
  async countDescendants(path: string, options: ReadOptions = {}): Promise<number> {
    const at = this.#context.chroot.toServer(path)
    const linearizable = isLinearizable(options)
    const wait = joinWait(options)
    let total = 0
    let cursor: Uint8Array | null = null
    do {
      const op = { op: 'countDescendants', path: at, linearizable, cursor } as const
      const piece: { count: number; cursor: Uint8Array | null } = await this.#context.send(
        op,
        { path },
        wait,
      )
      total += piece.count
      cursor = piece.cursor
    } while (cursor !== null)
    return total
  }

  /**
   * Deletes a znode and all below it, deepest first, and resolves to how many there were. The
   * danger: it is not atomic. Others see it half done, and an error or an abort leaves it so;
   * calling it again goes on.
   *
   * @example await client.deleteRecursive('/jobs/old')
   */
  async deleteRecursive(path: string, options: WaitOptions = {}): Promise<number> {
    const at = this.#context.chroot.toServer(path)
    const wait = joinWait(options)
    let total = 0
    for (;;) {
      const op = { op: 'deleteRecursive', path: at } as const
      const { deleted, done } = await this.#context.send(op, { path }, wait)
      total += deleted
      if (done) return total
    }
  }

  /**
   * Adds an identity to this client. It belongs to connections, so the client shows it again on
   * each new one before anything else. Rejects with `AuthFailedError`.
   *
   * @example await client.addAuth({ scheme: 'digest', user: 'orders', password: new Secret(word) })
   */
  async addAuth(auth: AuthOptions, options: WaitOptions = {}): Promise<Identity> {
    const { scheme, user, password } = identityOf(auth)
    const op = { op: 'auth', scheme, user, password: '' } as const
    const about = { path: null, secret: password }
    return (await this.#context.send(op, about, options)).identity
  }

  /**
   * The session and the identities of the present connection.
   *
   * @example const { identities } = await client.whoAmI()
   */
  whoAmI(options: WaitOptions = {}): Promise<WhoAmI> {
    return this.#context.send({ op: 'whoAmI' }, { path: null }, options)
  }

  /**
   * Ends the session: waits for what is under way, then deletes this client's ephemerals by closing
   * the session, and leaves. Calls made from now on reject with `ClosedError`. Closing again waits
   * for the same end. Never rejects; after `timeoutMs` (5,000 by default) it leaves all the same,
   * and the session ends by its timeout.
   *
   * @example await client.close()
   */
  async close(options: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    await this.#runner.close(options.timeoutMs ?? closeTimeoutMsDefault)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
