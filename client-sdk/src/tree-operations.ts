import type { Acl, Stat } from '@conclave/protocol'
import { decodeData, encodeData } from './codecs.js'
import { Listing, type ListOptions } from './listing.js'
import { oneShot, type Watched } from './one-shot.js'
import type {
  AsBytes,
  AsOption,
  CreateOptions,
  MaybeAs,
  ReadOptions,
  WatchOption,
  WriteOptions,
} from './options.js'
import type { RequestContext } from './request-context.js'
import { createFields, isLinearizable } from './request-fields.js'

/** What a create made. */
export interface Created {
  /** As named by the server: with its number for the sequential kinds. */
  readonly path: string
  /** `stat.czxid` is the fencing token of what was created. */
  readonly stat: Stat
}

export interface Znode<T> {
  readonly data: T
  readonly stat: Stat
}

type MaybeWatched<W extends boolean> = W extends true ? Watched : unknown
type DataOf<T> = T | null | undefined

/**
 * The operations on single znodes. Each write is applied exactly once, whatever connection, server
 * or leader is lost in between; none rejects because a connection was lost.
 */
export abstract class TreeOperations {
  readonly #context: RequestContext

  constructor(context: RequestContext) {
    this.#context = context
  }

  /**
   * Creates a znode and resolves to its path, which for the sequential kinds ends in the number the
   * server gave; with `withStat`, to the path and the stat.
   *
   * Rejects with `NodeExistsError`, `NoNodeError` (no parent), `NoChildrenForEphemeralsError`,
   * `NoAuthError`, `InvalidAclError`. The danger: after an abort or a timeout the create may be
   * executed all the same; the client then deletes the znode again, as long as its session lives.
   *
   * @example
   * const path = await client.create('/queue/job-', data, { kind: 'ephemeralSequential' })
   * const { stat } = await client.create('/leader', null, { kind: 'ephemeral', withStat: true })
   */
  create<S extends boolean = false>(
    path: string,
    data?: Uint8Array | null,
    options?: CreateOptions & AsBytes & { readonly withStat?: S | undefined },
  ): Promise<S extends true ? Created : string>
  create<T, S extends boolean = false>(
    path: string,
    data: NoInfer<T> | undefined,
    options: CreateOptions & AsOption<T> & { readonly withStat?: S | undefined },
  ): Promise<S extends true ? Created : string>
  async create<T>(
    path: string,
    data?: DataOf<T>,
    options: CreateOptions & MaybeAs<T> & { readonly withStat?: boolean | undefined } = {},
  ): Promise<Created | string> {
    const { kind, ttlMs = 0, acl = null, as, withStat = false } = options
    const fields = createFields(this.#context, path, kind)
    const op = { op: 'create', ...fields, data: encodeData(data, as), acl, ttlMs } as const
    const made = await this.#context.send(op, { path }, options)
    const created = this.#context.chroot.toClient(made.path)
    return withStat ? { path: created, stat: made.stat } : created
  }

  /**
   * Reads a znode's data, decoded by `as`, and its stat. With `watch: true` the answer carries
   * `changed`, a promise for the first change (or the deletion) after it.
   *
   * Rejects with `NoNodeError` (and then sets no watch), `NoAuthError`, `UndecodableError`.
   *
   * @example
   * const { data, stat } = await client.get('/config', { as: json<Config>() })
   * const { changed } = await client.get('/config', { watch: true })
   * const { type } = await changed
   */
  async get<T = Uint8Array, W extends boolean = false>(
    path: string,
    options: ReadOptions & MaybeAs<T> & WatchOption<W> = {},
  ): Promise<Znode<T> & MaybeWatched<W>> {
    const { chroot } = this.#context
    const at = chroot.toServer(path)
    const watched = options.watch === true ? oneShot(chroot, path) : null
    const { result, zxid } = await this.#context.ask(
      { op: 'getData', path: at, ...readFields(options) },
      { path, observer: watched?.observer ?? null },
      options,
    )
    const data = decodeData(result.data, options.as, { path, zxid })
    return withChanged({ data, stat: result.stat }, watched) as Znode<T> & MaybeWatched<W>
  }

  /**
   * Replaces a znode's data and resolves to its new stat.
   *
   * Rejects with `NoNodeError`, `BadVersionError`, `NoAuthError`. The danger: without `version` it
   * overwrites what others have written since you read.
   *
   * @example
   * await client.set('/config', { shards: 32 }, { as: json, version: stat.version })
   */
  set(path: string, data: Uint8Array | null, options?: WriteOptions & AsBytes): Promise<Stat>
  set<T>(path: string, data: NoInfer<T>, options: WriteOptions & AsOption<T>): Promise<Stat>
  async set<T>(
    path: string,
    data: DataOf<T>,
    options: WriteOptions & MaybeAs<T> = {},
  ): Promise<Stat> {
    const { version = -1, as } = options
    const at = this.#context.chroot.toServer(path)
    const op = { op: 'setData', path: at, data: encodeData(data, as), version } as const
    return (await this.#context.send(op, { path }, options)).stat
  }

  /**
   * Deletes a znode that has no children.
   *
   * Rejects with `NoNodeError`, `BadVersionError`, `NotEmptyError`, `NoAuthError`.
   *
   * @example await client.delete('/queue/job-0000000042')
   */
  async delete(path: string, options: WriteOptions = {}): Promise<void> {
    const { version = -1 } = options
    const at = this.#context.chroot.toServer(path)
    await this.#context.send({ op: 'delete', path: at, version }, { path }, options)
  }

  /**
   * Resolves to the stat of a znode, or to null when there is none. With `watch: true` it resolves
   * to
   * `{ stat, changed }`, where `changed` also tells of a creation.
   *
   * @example
   * if ((await client.exists('/ready')) === null) {
   *   const { stat, changed } = await client.exists('/ready', { watch: true })
   *   if (stat === null) await changed
   * }
   */
  async exists<W extends boolean = false>(
    path: string,
    options: ReadOptions & WatchOption<W> = {},
  ): Promise<W extends true ? { readonly stat: Stat | null } & Watched : Stat | null> {
    type Result = W extends true ? { readonly stat: Stat | null } & Watched : Stat | null
    const { chroot } = this.#context
    const at = chroot.toServer(path)
    const watched = options.watch === true ? oneShot(chroot, path) : null
    const { stat } = await this.#context.send(
      { op: 'exists', path: at, ...readFields(options) },
      { path, observer: watched?.observer ?? null },
      options,
    )
    return (watched === null ? stat : { stat, changed: watched.changed }) as Result
  }

  /**
   * The names of a znode's children, in the order of their creation, page by page as the loop goes
   * on. A child that exists throughout appears exactly once; one that comes or goes meanwhile may
   * or may not. With `withStat` each is `{ name, stat }`. With `watch: true` the listing has
   * `changed`, set with the first page. `timeoutMs` counts for each page.
   *
   * The loop throws `NoNodeError`, `NoAuthError`.
   *
   * @example
   * for await (const name of client.list('/queue')) console.log(name)
   * const names = await client.list('/queue').toArray()
   */
  list<S extends boolean = false, W extends boolean = false>(
    path: string,
    options: ListOptions<S, W> = {},
  ): Listing<S> & MaybeWatched<W> {
    return new Listing<S>(this.#context, path, options) as Listing<S> & MaybeWatched<W>
  }

  /**
   * The ACL of a znode and its stat. Who may read but not administer sees password hashes masked.
   *
   * @example const { acl, stat } = await client.getAcl('/config')
   */
  getAcl(
    path: string,
    options: ReadOptions = {},
  ): Promise<{ readonly acl: Acl; readonly stat: Stat }> {
    return this.#onPath(path, (at) =>
      this.#context.send(
        { op: 'getAcl', path: at, linearizable: isLinearizable(options) },
        { path },
        options,
      ),
    )
  }

  /**
   * Replaces the ACL of a znode; `version` is compared with the stat's `aversion`. Resolves to the
   * new stat. The danger: an ACL that leaves `admin` to nobody can never be changed again.
   *
   * @example
   * await client.setAcl('/config', [{ scheme: 'auth', id: '', permissions: permissions.all }])
   */
  async setAcl(path: string, acl: Acl, options: WriteOptions = {}): Promise<Stat> {
    const { version = -1 } = options
    const at = this.#context.chroot.toServer(path)
    return (await this.#context.send({ op: 'setAcl', path: at, acl, version }, { path }, options))
      .stat
  }

  /**
   * Resolves when the znode exists and has the version; `NoNodeError`, `BadVersionError` otherwise.
   * The danger: it may be untrue a moment later; inside a transaction it is not.
   *
   * @example await client.check('/config', { version: 3 })
   */
  async check(
    path: string,
    options: ReadOptions & { readonly version?: number | undefined } = {},
  ): Promise<void> {
    const { version = -1 } = options
    const at = this.#context.chroot.toServer(path)
    await this.#context.send(
      { op: 'check', path: at, version, linearizable: isLinearizable(options) },
      { path },
      options,
    )
  }

  /** A fault of the path rejects like every other. */
  async #onPath<R>(path: string, run: (at: string) => Promise<R>): Promise<R> {
    return run(this.#context.chroot.toServer(path))
  }
}

const readFields = (options: ReadOptions & WatchOption<boolean>) => ({
  watch: options.watch === true,
  linearizable: isLinearizable(options),
})

const withChanged = <R extends object>(result: R, watched: Watched | null): R | (R & Watched) =>
  watched === null ? result : { ...result, changed: watched.changed }
