import type { Acl, Stat } from '@conclave/protocol'
import { checked, type Checks, isBoolean } from './checked.js'
import { codecOf, decodeData, encodeData, encodeNewData } from './codecs.js'
import { createFields, createPath } from './create-fields.js'
import { Listing, type ListOptions } from './listing.js'
import { oneShot, type Watched } from './one-shot.js'
import {
  type AsBytes,
  asChecks,
  type AsOption,
  type CreateOptions,
  isLinearizable,
  type MaybeAs,
  readChecks,
  type ReadOptions,
  versionChecks,
  type VersionOptions,
  waitChecks,
  watchChecks,
  type WatchOption,
  writeChecks,
  type WriteOptions,
  znodeChecks,
} from './options.js'
import type { RequestContext } from './request-context.js'

/** What a create made. */
export interface Created {
  /** As named by the server: with its number for the sequential kinds. */
  readonly path: string
  /** `stat.czxid` is the fencing token of what was created. */
  readonly stat: Stat
}

/** What a get reads. */
export interface Znode<T> {
  readonly data: T
  readonly stat: Stat
}

interface StatOption<S extends boolean> {
  /** Resolves to `{ path, stat }` instead of the path. */
  readonly withStat?: S | undefined
}

type MaybeWatched<W extends boolean> = W extends true ? Watched : unknown

const createChecks: Checks<CreateOptions & MaybeAs<unknown> & StatOption<boolean>> = {
  ...znodeChecks,
  ...waitChecks,
  ...asChecks,
  withStat: isBoolean,
}
const existsChecks: Checks<ReadOptions & WatchOption<boolean>> = { ...readChecks, ...watchChecks }
const getChecks = { ...existsChecks, ...asChecks }
const setChecks = { ...writeChecks, ...asChecks }
const checkChecks: Checks<ReadOptions & VersionOptions> = { ...readChecks, ...versionChecks }

/**
 * The operations on single znodes. Each write is applied exactly once, whatever connection, server
 * or leader is lost in between; none rejects because a connection was lost.
 */
export abstract class TreeOperations {
  readonly #context: RequestContext

  /** @internal */
  constructor(context: RequestContext) {
    this.#context = context
  }

  /**
   * Creates a znode.
   *
   * The danger: after an abort or a timeout the create may be executed all the same; the client
   * then deletes the znode again, as long as its session lives.
   *
   * @param data stored as it is, or encoded by `as`; none when left out or null without `as`
   * @returns its path, which for the sequential kinds ends in the number the server gave; with
   *   `withStat`, path and stat
   * @throws `NodeExistsError`, `NoNodeError` (no parent), `NoChildrenForEphemeralsError`,
   *   `NoAuthError`, `InvalidAclError`, `TooLargeError` (more than 1,048,576 bytes, or 10,000
   *   ephemerals), `BadArgumentsError`
   * @example
   * const path = await client.create('/queue/job-', data, { kind: 'ephemeralSequential' })
   * const { stat } = await client.create('/leader', null, { kind: 'ephemeral', withStat: true })
   */
  create<S extends boolean = false>(
    path: string,
    data?: Uint8Array | null,
    options?: CreateOptions & AsBytes & StatOption<S>,
  ): Promise<S extends true ? Created : string>
  create<T, S extends boolean = false>(
    path: string,
    data: NoInfer<T>,
    options: CreateOptions & AsOption<T> & StatOption<S>,
  ): Promise<S extends true ? Created : string>
  async create<T>(
    path: string,
    data?: T | null,
    options?: CreateOptions & MaybeAs<T> & StatOption<boolean>,
  ): Promise<Created | string> {
    const given = checked(options, createChecks)
    const { chroot } = this.#context
    const fields = createFields(given)
    const at = createPath(chroot, path, fields.kind)
    const bytes = encodeNewData(data, given.as)
    const op = { op: 'create', ...fields, path: at, data: bytes } as const
    const made = await this.#context.send(op, { path }, given)
    const created = chroot.toClient(made.path)
    return given.withStat === true ? { path: created, stat: made.stat } : created
  }

  /**
   * Reads a znode's data, decoded by `as`, and its stat.
   *
   * By default it is answered by the server this client is attached to: never older than anything
   * this client has seen or written, maybe older than what others have. See `consistency`.
   *
   * @returns data and stat; with `watch: true` also `changed`, a promise for the first change (or
   *   the deletion) after the answer
   * @throws `NoNodeError` (and then sets no watch), `NoAuthError`, `UndecodableError`,
   *   `BadArgumentsError`
   * @example
   * const { data, stat } = await client.get('/config', { as: json<Config>() })
   * const { changed } = await client.get('/config', { watch: true })
   * const { type } = await changed
   */
  async get<T = Uint8Array, W extends boolean = false>(
    path: string,
    options?: ReadOptions & MaybeAs<T> & WatchOption<W>,
  ): Promise<Znode<T> & MaybeWatched<W>> {
    const given = checked(options, getChecks)
    const codec = codecOf(given.as)
    const { chroot } = this.#context
    const op = { op: 'getData', path: chroot.toServer(path), ...readFields(given) } as const
    const watched = given.watch === true ? oneShot(chroot, path) : null
    const about = { path, observer: watched?.observer ?? null }
    const { result, zxid } = await this.#context.within(given, (wait) =>
      this.#context.ask(op, about, wait),
    )
    const data = decodeData(result.data, codec, { path, zxid })
    return withChanged({ data, stat: result.stat }, watched) as Znode<T> & MaybeWatched<W>
  }

  /**
   * Replaces a znode's data. The danger: without `version` it overwrites what others have written
   * since you read.
   *
   * @param data stored as it is, or encoded by `as`; null without `as` stores none
   * @returns its new stat
   * @throws `NoNodeError`, `BadVersionError`, `NoAuthError`, `TooLargeError` (more than 1,048,576
   *   bytes), `BadArgumentsError`
   * @example
   * await client.set('/config', { shards: 32 }, { as: json, version: stat.version })
   */
  set(path: string, data: Uint8Array | null, options?: WriteOptions & AsBytes): Promise<Stat>
  set<T>(path: string, data: NoInfer<T>, options: WriteOptions & AsOption<T>): Promise<Stat>
  async set<T>(path: string, data: T | null, options?: WriteOptions & MaybeAs<T>): Promise<Stat> {
    const given = checked(options, setChecks)
    const { version = -1, as } = given
    const at = this.#context.chroot.toServer(path)
    const op = { op: 'setData', path: at, data: encodeData(data, as), version } as const
    return (await this.#context.send(op, { path }, given)).stat
  }

  /**
   * Deletes a znode that has no children.
   *
   * @throws `NoNodeError`, `BadVersionError`, `NotEmptyError`, `NoAuthError`, `BadArgumentsError`
   * @example await client.delete('/queue/job-0000000042')
   */
  async delete(path: string, options?: WriteOptions): Promise<void> {
    const given = checked(options, writeChecks)
    const { version = -1 } = given
    const at = this.#context.chroot.toServer(path)
    await this.#context.send({ op: 'delete', path: at, version }, { path }, given)
  }

  /**
   * Looks whether there is a znode. As fresh as {@link get}.
   *
   * @returns its stat, or null when there is none; with `watch: true` `{ stat, changed }`, where
   *   `changed` also tells of a creation
   * @throws `NoAuthError`, `BadArgumentsError`
   * @example
   * const { stat, changed } = await client.exists('/ready', { watch: true })
   * if (stat === null) await changed
   */
  async exists<W extends boolean = false>(
    path: string,
    options?: ReadOptions & WatchOption<W>,
  ): Promise<W extends true ? { readonly stat: Stat | null } & Watched : Stat | null> {
    type Result = W extends true ? { readonly stat: Stat | null } & Watched : Stat | null
    const given = checked(options, existsChecks)
    const { chroot } = this.#context
    const op = { op: 'exists', path: chroot.toServer(path), ...readFields(given) } as const
    const watched = given.watch === true ? oneShot(chroot, path) : null
    const about = { path, observer: watched?.observer ?? null }
    const { stat } = await this.#context.send(op, about, given)
    return (watched === null ? stat : { stat, changed: watched.changed }) as Result
  }

  /**
   * A znode's children, in the order of their creation, asked for page by page while a loop runs;
   * see {@link Listing}. `timeoutMs` counts for each page.
   *
   * A child that exists throughout appears exactly once; one that comes or goes meanwhile may or
   * may not. Each page is as fresh as {@link get}; with `consistency: 'linearizable'` all of them
   * see what anybody was told of before the first.
   *
   * @returns an iterable of names, or of `{ name, stat }` with `withStat`; the loop throws
   *   `NoNodeError`, `NoAuthError`, `BadArgumentsError`
   * @example
   * for await (const name of client.list('/queue')) console.log(name)
   * const names = await client.list('/queue').toArray()
   */
  list<S extends boolean = false, W extends boolean = false>(
    path: string,
    options?: ListOptions<S, W>,
  ): Listing<S> & MaybeWatched<W> {
    return new Listing<S>(this.#context, path, options) as Listing<S> & MaybeWatched<W>
  }

  /**
   * Reads the ACL of a znode. As fresh as {@link get}.
   *
   * @returns the ACL and the stat; who may read but not administer sees password hashes masked
   * @throws `NoNodeError`, `NoAuthError`, `BadArgumentsError`
   * @example const { acl, stat } = await client.getAcl('/config')
   */
  async getAcl(
    path: string,
    options?: ReadOptions,
  ): Promise<{ readonly acl: Acl; readonly stat: Stat }> {
    const given = checked(options, readChecks)
    const at = this.#context.chroot.toServer(path)
    const op = { op: 'getAcl', path: at, linearizable: isLinearizable(given) } as const
    return this.#context.send(op, { path }, given)
  }

  /**
   * Replaces the ACL of a znode; `version` is compared with the stat's `aversion`. The danger: an
   * ACL that leaves `admin` to nobody can never be changed again.
   *
   * @returns the new stat
   * @throws `NoNodeError`, `NoAuthError`, `InvalidAclError`, `BadVersionError`, `BadArgumentsError`
   * @example
   * await client.setAcl('/config', [{ scheme: 'auth', id: '', permissions: permissions.all }])
   */
  async setAcl(path: string, acl: Acl, options?: WriteOptions): Promise<Stat> {
    const given = checked(options, writeChecks)
    const { version = -1 } = given
    const at = this.#context.chroot.toServer(path)
    const op = { op: 'setAcl', path: at, acl, version } as const
    return (await this.#context.send(op, { path }, given)).stat
  }

  /**
   * Resolves when the znode exists and has the version. As fresh as {@link get}. The danger: it may
   * be untrue a moment later; inside a transaction it is not.
   *
   * @throws `NoNodeError`, `BadVersionError`, `NoAuthError`, `BadArgumentsError`
   * @example await client.check('/config', { version: 3 })
   */
  async check(path: string, options?: ReadOptions & VersionOptions): Promise<void> {
    const given = checked(options, checkChecks)
    const { version = -1 } = given
    const at = this.#context.chroot.toServer(path)
    const op = { op: 'check', path: at, version, linearizable: isLinearizable(given) } as const
    await this.#context.send(op, { path }, given)
  }
}

const readFields = (options: ReadOptions & WatchOption<boolean>) => ({
  watch: options.watch === true,
  linearizable: isLinearizable(options),
})

const withChanged = <R extends object>(result: R, watched: Watched | null): R | (R & Watched) =>
  watched === null ? result : { ...result, changed: watched.changed }
