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
import { anything, checked, type Checks, isBoolean, wholeNumber } from './checked.js'
import { encodeData, encodeNewData } from './codecs.js'
import { createFields, createPath } from './create-fields.js'
import { BadArgumentsError } from './errors.js'
import {
  type AsBytes,
  asChecks,
  type AsOption,
  isAcl,
  type MaybeAs,
  versionChecks,
  type VersionOptions,
  waitChecks,
  type WaitOptions,
  znodeChecks,
  type ZnodeOptions,
} from './options.js'
import type { RequestContext } from './request-context.js'

/**
 * In a transaction, stands for the path that an earlier create of the same transaction makes, as a
 * path or as data. The danger: as data it is the path as the servers know it, chroot included.
 *
 * @param index of the create among all operations of the transaction, checks included, from 0; in a
 *   branch of `if`, the operations before the `if` count too
 * @param suffix appended to it, such as `/state`
 * @throws `BadArgumentsError` at once
 * @example
 * await client.transaction()
 *   .create('/jobs/j-', null, { kind: 'sequential' })   // operation 0
 *   .create(ref(0, '/state'), null)
 *   .commit()
 */
export const ref = (index: number, suffix = ''): NameRef => {
  if (Number.isSafeInteger(index) && index >= 0 && typeof suffix === 'string') {
    return new OperationRef(index, suffix)
  }
  throw new BadArgumentsError({ message: 'a reference is the index of a create, and a text' })
}

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

const wholeCheck = wholeNumber(0, Number.MAX_SAFE_INTEGER)
const conditionChecks: Checks<Condition> = {
  path: anything,
  exists: isBoolean,
  version: wholeCheck,
  value: {
    fits: (value) => value === null || value instanceof Uint8Array,
    says: 'a Uint8Array, or null for no data',
  },
  ephemeralOwner: wholeCheck,
  czxid: wholeCheck,
}
const createChecks: Checks<ZnodeOptions & MaybeAs<unknown>> = { ...znodeChecks, ...asChecks }
const setChecks: Checks<VersionOptions & MaybeAs<unknown>> = { ...versionChecks, ...asChecks }

/**
 * The operations of a transaction, or of one branch of it; `R` is what their writes will give. Each
 * method adds one and returns the same object. What is wrong with its arguments alone it throws at
 * once, as `BadArgumentsError`; all else is told by `commit`.
 */
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
  check(path: string | NameRef, options?: VersionOptions): this {
    const { version = -1 } = checked(options, versionChecks)
    this.#push(path, { op: 'check', path: this.#at(path), version }, 'none')
    return this
  }

  /** As {@link Client.create}. Its result is the path. */
  create(
    path: string | NameRef,
    data?: Uint8Array | NameRef | null,
    options?: ZnodeOptions & AsBytes,
  ): Extended<this, R, string>
  create<T>(
    path: string | NameRef,
    data: NoInfer<T> | NameRef,
    options: ZnodeOptions & AsOption<T>,
  ): Extended<this, R, string>
  create<T>(
    path: string | NameRef,
    data?: T | NameRef | null,
    options?: ZnodeOptions & MaybeAs<T>,
  ): Extended<this, R, string> {
    const given = checked(options, createChecks)
    const fields = createFields(given)
    const at = isRef(path) ? path : createPath(this.context.chroot, path, fields.kind)
    const value = isRef(data) ? data : encodeNewData(data, given.as)
    return this.#push(path, { op: 'create', ...fields, path: at, data: value }, 'path')
  }

  /** As {@link Client.set}. Its result is the new stat. */
  set(
    path: string | NameRef,
    data: Uint8Array | NameRef | null,
    options?: VersionOptions & AsBytes,
  ): Extended<this, R, Stat>
  set<T>(
    path: string | NameRef,
    data: NoInfer<T> | NameRef,
    options: VersionOptions & AsOption<T>,
  ): Extended<this, R, Stat>
  set<T>(
    path: string | NameRef,
    data: T | NameRef | null,
    options?: VersionOptions & MaybeAs<T>,
  ): Extended<this, R, Stat> {
    const { version = -1, as } = checked(options, setChecks)
    const value = isRef(data) ? data : encodeData(data, as)
    return this.#push(path, { op: 'setData', path: this.#at(path), data: value, version }, 'stat')
  }

  /** As {@link Client.delete}. Its result is null. */
  delete(path: string | NameRef, options?: VersionOptions): Extended<this, R, null> {
    const { version = -1 } = checked(options, versionChecks)
    return this.#push(path, { op: 'delete', path: this.#at(path), version }, 'nothing')
  }

  /** As {@link Client.setAcl}. Its result is the new stat. */
  setAcl(path: string | NameRef, acl: Acl, options?: VersionOptions): Extended<this, R, Stat> {
    const { version = -1 } = checked(options, versionChecks)
    if (!isAcl.fits(acl)) throw new BadArgumentsError({ message: `an ACL is ${isAcl.says}` })
    return this.#push(path, { op: 'setAcl', path: this.#at(path), acl, version }, 'stat')
  }

  #push<X>(path: string | NameRef, op: MultiOp, gives: Gives): Extended<this, R, X> {
    this.steps.push({ path: isRef(path) ? null : path, op, gives })
    return this as unknown as Extended<this, R, X>
  }

  #at(path: string | NameRef): string | NameRef {
    return isRef(path) ? path : this.context.chroot.toServer(path)
  }
}

/**
 * Several operations, at most 128, all or nothing, under one zxid; later ones see what earlier ones
 * did. `commit` rejects with the error of the first that failed: its `index` says which that was,
 * its `operations` what became of each.
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
   *
   * @throws `BadArgumentsError` at once
   */
  add(guard: Guard): this {
    this.#guards.push(fenceOf(this.context, guard))
    return this
  }

  /**
   * Runs `whenTrue` if all conditions hold, `otherwise` if one does not; the operations named
   * before belong to both. A condition on a missing znode does not hold, but for `exists: false`.
   * What is added to this transaction afterwards is not in the conditional one.
   *
   * @param whenTrue adds its operations to the branch it gets, and returns it
   * @param otherwise the same; without it, the operations named before run alone
   * @throws `BadArgumentsError` at once
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
    if (!Array.isArray(conditions)) {
      throw new BadArgumentsError({ message: 'conditions are a list' })
    }
    return new ConditionalTransaction<T, E>(this.context, {
      guards: this.#guards,
      compares: (conditions as readonly Condition[]).flatMap((condition) =>
        comparesOf(this.context, condition),
      ),
      whenTrue: this.#branch(whenTrue),
      otherwise: otherwise === undefined ? this.steps : this.#branch(otherwise),
    })
  }

  #branch(
    fill: (branch: TransactionOperations<R>) => TransactionOperations<readonly unknown[]>,
  ): readonly Step[] {
    const branch = new TransactionOperations<R>(this.context, this.steps)
    const filled: unknown = typeof fill === 'function' ? fill(branch) : null
    if (filled === branch) return branch.steps
    throw new BadArgumentsError({ message: 'a branch is a function that returns what it is given' })
  }

  /**
   * Sends the transaction. It can be sent again, and is another one then.
   *
   * @returns what each write gave, in order; checks give nothing and leave no place
   * @throws the error of the operation that failed, `FencedError`, `TooLargeError` (more than 128
   *   operations, or 1,048,576 bytes), `BadArgumentsError`
   */
  async commit(options?: WaitOptions): Promise<R> {
    if (this.steps.length === 0 && this.#guards.length === 0) {
      throw new BadArgumentsError({ message: 'a transaction has at least one operation' })
    }
    const parts = { guards: this.#guards, compares: null, whenTrue: this.steps, otherwise: [] }
    return (await commit(this.context, parts, options)).results as unknown as R
  }
}

/** A transaction whose branch the servers choose. */
export class ConditionalTransaction<T extends readonly unknown[], E extends readonly unknown[]> {
  readonly #context: RequestContext
  readonly #parts: Parts
  readonly #guards: Fence[]

  /** @internal */
  constructor(context: RequestContext, parts: Parts) {
    this.#context = context
    // What is added to the one it came from, later, is not in this one.
    this.#guards = [...parts.guards]
    this.#parts = { ...parts, otherwise: [...parts.otherwise] }
  }

  /** As {@link Transaction.add}: the guard holds for both branches. */
  add(guard: Guard): this {
    this.#guards.push(fenceOf(this.#context, guard))
    return this
  }

  /**
   * As {@link Transaction.commit}.
   *
   * @returns which branch ran, and what its writes gave
   */
  async commit(
    options?: WaitOptions,
  ): Promise<
    | { readonly branch: 'then'; readonly results: T }
    | { readonly branch: 'else'; readonly results: E }
  > {
    type Result = { branch: 'then'; results: T } | { branch: 'else'; results: E }
    const parts = { ...this.#parts, guards: this.#guards }
    return (await commit(this.#context, parts, options)) as unknown as Result
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
  readonly guards: readonly Fence[]
  /** Null when nothing is compared: then only the first branch can run. */
  readonly compares: readonly Compare[] | null
  readonly whenTrue: readonly Step[]
  readonly otherwise: readonly Step[]
}

const commit = async (
  context: RequestContext,
  { guards, compares, whenTrue, otherwise }: Parts,
  options: WaitOptions | undefined,
) => {
  const given = checked(options, waitChecks)
  const hasBranches = compares !== null
  const opsOf = (steps: readonly Step[]): MultiOp[] => steps.map(({ op }) => op)
  // oxlint-disable-next-line unicorn/no-thenable -- the wire's name; a list, not a function
  const lists = { then: opsOf(whenTrue), else: opsOf(otherwise) }
  // Which list failed is not said, so a path is named only where both agree.
  const paths = whenTrue.map(({ path }, i) =>
    hasBranches && otherwise[i]?.path !== path ? null : path,
  )
  const op = { op: 'multi', fences: guards, compares: compares ?? [], ...lists } as const
  const { branch, results } = await context.send(op, { path: null, paths, hasBranches }, given)
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

const fenceOf = ({ chroot }: RequestContext, guard: Guard): Fence => {
  if (typeof guard !== 'object' || guard === null || !wholeCheck.fits(guard.czxid)) {
    throw new BadArgumentsError({ message: 'a guard is { path, czxid }' })
  }
  return { path: chroot.toServer(guard.path), czxid: guard.czxid as Zxid }
}

const comparesOf = ({ chroot }: RequestContext, condition: Condition): Compare[] => {
  const given = checked(condition, conditionChecks, 'field of a condition')
  const { exists, version, value, ephemeralOwner, czxid } = given
  const path = chroot.toServer(given.path)
  const compares: Compare[] = []
  if (exists !== undefined) compares.push({ compare: 'exists', path, equals: exists })
  if (version !== undefined) compares.push({ compare: 'version', path, equals: version })
  if (value !== undefined) {
    // A copy, as of all data.
    const equals = value === null ? null : new Uint8Array(value)
    compares.push({ compare: 'value', path, equals })
  }
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
