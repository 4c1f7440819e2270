import {
  type Acl,
  type Compare,
  type Fence,
  type MultiOp,
  type NameRef,
  type OpResult,
  type SessionId,
  type Stat,
  type Zxid,
} from '@conclave/protocol'
import { encodeData } from './codecs.js'
import { BadArgumentsError } from './errors.js'
import type {
  AsBytes,
  AsOption,
  MaybeAs,
  VersionOptions,
  WaitOptions,
  ZnodeOptions,
} from './options.js'
import type { RequestContext } from './request-context.js'
import { createFields } from './request-fields.js'

/**
 * In a transaction, stands for the path that an earlier create of the same transaction makes, as a
 * path or as data. The danger: as data it is the path as the servers know it, chroot included.
 *
 * @param index of the create among all operations of the transaction, checks included, from 0
 * @param suffix appended to it, such as `/state`
 * @example
 * await client.transaction()
 *   .create('/jobs/j-', null, { kind: 'sequential' })   // operation 0
 *   .create(ref(0, '/state'), null)
 *   .commit()
 */
export const ref = (index: number, suffix = ''): NameRef => new OperationRef(index, suffix)

/** A grant's token: the transaction runs only while this very znode exists. */
export interface Guard {
  readonly path: string
  /** `stat.czxid` of the create that made it. */
  readonly czxid: number
}

/** What must hold of a znode, all that is named of it. Asking needs the permission to read it. */
export interface Condition {
  readonly path: string
  readonly exists?: boolean | undefined
  readonly version?: number | undefined
  /** The data, byte for byte; null is no data. */
  readonly value?: Uint8Array | null | undefined
  readonly ephemeralOwner?: number | undefined
  readonly czxid?: number | undefined
}

/** The operations of a transaction, or of one branch of it; `R` is what their writes will give. */
export class TransactionOperations<R extends readonly unknown[] = []> {
  /** @internal */
  readonly context: RequestContext
  /** @internal */
  readonly steps: Step[]

  /** @internal */
  constructor(context: RequestContext, steps: readonly Step[] = []) {
    this.context = context
    this.steps = [...steps]
  }

  /** The znode must exist and have the version. Leaves no result. */
  check(path: string | NameRef, options: VersionOptions = {}): this {
    this.#push(path, { op: 'check', ...this.#at(path), version: options.version ?? -1 }, 'none')
    return this
  }

  /** Its result is the path. */
  create(
    path: string | NameRef,
    data?: Uint8Array | NameRef | null,
    options?: ZnodeOptions & AsBytes,
  ): Extended<this, R, string>
  create<T>(
    path: string | NameRef,
    data: NoInfer<T>,
    options: ZnodeOptions & AsOption<T>,
  ): Extended<this, R, string>
  create<T>(
    path: string | NameRef,
    data?: T | NameRef | null,
    options: ZnodeOptions & MaybeAs<T> = {},
  ): Extended<this, R, string> {
    const { kind = 'persistent', acl = null, ttlMs = 0, as } = options
    const named = createFields(this.context, isRef(path) ? '/ref' : path, kind)
    const at = isRef(path) ? { ...named, path } : named
    const op = { op: 'create', ...at, data: dataOf(data, as), acl, ttlMs } as const
    return this.#push(path, op, 'path')
  }

  /** Its result is the new stat. */
  set(
    path: string | NameRef,
    data: Uint8Array | NameRef | null,
    options?: VersionOptions & AsBytes,
  ): Extended<this, R, Stat>
  set<T>(
    path: string | NameRef,
    data: NoInfer<T>,
    options: VersionOptions & AsOption<T>,
  ): Extended<this, R, Stat>
  set<T>(
    path: string | NameRef,
    data: T | NameRef | null,
    options: VersionOptions & MaybeAs<T> = {},
  ): Extended<this, R, Stat> {
    const { version = -1, as } = options
    return this.#push(
      path,
      { op: 'setData', ...this.#at(path), data: dataOf(data, as), version },
      'stat',
    )
  }

  /** Its result is null. */
  delete(path: string | NameRef, options: VersionOptions = {}): Extended<this, R, null> {
    const { version = -1 } = options
    return this.#push(path, { op: 'delete', ...this.#at(path), version }, 'nothing')
  }

  /** Its result is the new stat. */
  setAcl(path: string | NameRef, acl: Acl, options: VersionOptions = {}): Extended<this, R, Stat> {
    const { version = -1 } = options
    return this.#push(path, { op: 'setAcl', ...this.#at(path), acl, version }, 'stat')
  }

  #push<X>(path: string | NameRef, op: MultiOp, gives: Gives): Extended<this, R, X> {
    this.steps.push({ path: isRef(path) ? null : path, op, gives })
    return this as unknown as Extended<this, R, X>
  }

  #at(path: string | NameRef): { readonly path: string | NameRef } {
    return { path: isRef(path) ? path : this.context.chroot.toServer(path) }
  }
}

/**
 * Several operations, all or nothing, under one zxid; later ones see what earlier ones did.
 * `commit` rejects with the error of the first that failed; its `index` says which.
 *
 * @example
 * const [job] = await client.transaction()
 *   .check('/config', { version: 3 })
 *   .create('/jobs/j-', data, { kind: 'sequential' })
 *   .set('/jobs/latest', ref(1))
 *   .commit()
 */
export class Transaction<R extends readonly unknown[] = []> extends TransactionOperations<R> {
  readonly #guards: Fence[] = []

  /**
   * Binds the transaction to a grant: when it is gone, nothing is done and `commit` rejects with
   * `FencedError`. That is how a token is checked by the servers.
   */
  add(guard: Guard): this {
    const path = this.context.chroot.toServer(guard.path)
    this.#guards.push({ path, czxid: guard.czxid as Zxid })
    return this
  }

  /**
   * Runs `whenTrue` if all conditions hold, `otherwise` if one does not; the operations named
   * before belong to both. A condition on a missing znode does not hold, but for `exists: false`.
   *
   * @example
   * const { branch } = await client.transaction()
   *   .if([{ path: '/owner', exists: false }],
   *     (t) => t.create('/owner', me),
   *     (t) => t.check('/owner'))
   *   .commit()
   */
  if<T extends readonly unknown[], E extends readonly unknown[] = R>(
    conditions: readonly Condition[],
    whenTrue: (branch: TransactionOperations<R>) => TransactionOperations<T>,
    otherwise?: (branch: TransactionOperations<R>) => TransactionOperations<E>,
  ): ConditionalTransaction<T, E> {
    const branch = (): TransactionOperations<R> =>
      new TransactionOperations<R>(this.context, this.steps)
    return new ConditionalTransaction<T, E>(this.context, {
      guards: this.#guards,
      compares: conditions.flatMap((condition) => comparesOf(this.context, condition)),
      whenTrue: whenTrue(branch()).steps,
      otherwise: (otherwise === undefined ? branch() : otherwise(branch())).steps,
    })
  }

  /** @returns what each write gave, in order; checks give nothing and leave no place */
  async commit(options: WaitOptions = {}): Promise<R> {
    if (this.steps.length === 0 && this.#guards.length === 0) {
      throw new BadArgumentsError({ message: 'a transaction has at least one operation' })
    }
    const parts = { guards: this.#guards, compares: [], whenTrue: this.steps, otherwise: [] }
    return (await commit(this.context, parts, options)).results as unknown as R
  }
}

/** A transaction whose branch the servers choose. */
export class ConditionalTransaction<T extends readonly unknown[], E extends readonly unknown[]> {
  readonly #context: RequestContext
  readonly #parts: Parts

  /** @internal */
  constructor(context: RequestContext, parts: Parts) {
    this.#context = context
    this.#parts = parts
  }

  /** As {@link Transaction.add}: the guard holds for both branches. */
  add(guard: Guard): this {
    const path = this.#context.chroot.toServer(guard.path)
    this.#parts.guards.push({ path, czxid: guard.czxid as Zxid })
    return this
  }

  /** @returns which branch ran, and what its writes gave */
  async commit(
    options: WaitOptions = {},
  ): Promise<
    | { readonly branch: 'then'; readonly results: T }
    | { readonly branch: 'else'; readonly results: E }
  > {
    type Result = { branch: 'then'; results: T } | { branch: 'else'; results: E }
    return (await commit(this.#context, this.#parts, options)) as unknown as Result
  }
}

/** The same builder, with one more result. */
type Extended<Self, R extends readonly unknown[], X> =
  Self extends Transaction<R> ? Transaction<[...R, X]> : TransactionOperations<[...R, X]>

type Gives = 'path' | 'stat' | 'nothing' | 'none'

interface Step {
  readonly path: string | null
  readonly op: MultiOp
  readonly gives: Gives
}

interface Parts {
  readonly guards: Fence[]
  readonly compares: readonly Compare[]
  readonly whenTrue: readonly Step[]
  readonly otherwise: readonly Step[]
}

const commit = async (context: RequestContext, parts: Parts, wait: WaitOptions) => {
  const { guards, compares, whenTrue, otherwise } = parts
  const fences = [...guards]
  const opsOf = (steps: readonly Step[]): MultiOp[] => steps.map(({ op }) => op)
  // oxlint-disable-next-line unicorn/no-thenable -- the wire's name; a list, not a function
  const lists = { then: opsOf(whenTrue), else: opsOf(otherwise) }
  // Which list failed is not said, so a path is named only where both agree.
  const paths = whenTrue.map(({ path }, i) =>
    compares.length === 0 || otherwise[i]?.path === path ? path : null,
  )
  const op = { op: 'multi', fences, compares, ...lists } as const
  const { branch, results } = await context.send(op, { path: null, paths }, wait)
  const steps = branch === 'then' ? whenTrue : otherwise
  return { branch, results: resultsOf(context, steps, results) }
}

const resultsOf = (
  { chroot }: RequestContext,
  steps: readonly Step[],
  results: OpResult<'multi'>['results'],
): readonly unknown[] =>
  steps.flatMap(({ gives }, i): readonly unknown[] => {
    if (gives === 'none') return []
    if (gives === 'nothing') return [null]
    const { path = null, stat = null } = results[i] ?? {}
    return gives === 'stat' ? [stat] : [path === null ? null : chroot.toClient(path)]
  })

const comparesOf = ({ chroot }: RequestContext, condition: Condition): Compare[] => {
  const { exists, version, value, ephemeralOwner, czxid } = condition
  const path = chroot.toServer(condition.path)
  const compares: Compare[] = []
  if (exists !== undefined) compares.push({ compare: 'exists', path, equals: exists })
  if (version !== undefined) compares.push({ compare: 'version', path, equals: version })
  if (value !== undefined) compares.push({ compare: 'value', path, equals: value })
  if (ephemeralOwner !== undefined) {
    const equals = ephemeralOwner as SessionId
    compares.push({ compare: 'ephemeralOwner', path, equals })
  }
  if (czxid !== undefined) compares.push({ compare: 'czxid', path, equals: czxid as Zxid })
  if (compares.length > 0) return compares
  throw new BadArgumentsError({ message: 'a condition says what must hold', path: condition.path })
}

/** A class, so that a user's JSON with an index and a suffix is not taken for a reference. */
class OperationRef implements NameRef {
  readonly index: number
  readonly suffix: string

  constructor(index: number, suffix: string) {
    this.index = index
    this.suffix = suffix
    Object.freeze(this)
  }
}

const isRef = (value: unknown): value is NameRef => value instanceof OperationRef

const dataOf = <T>(
  data: T | NameRef | null | undefined,
  as: AsOption<T>['as'] | undefined,
): Uint8Array | NameRef | null => (isRef(data) ? data : encodeData(data as T, as))
