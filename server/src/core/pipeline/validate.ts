import {
  type CreateKind,
  type Failure,
  failure,
  isNameRef,
  isSequential,
  isWithin,
  limits,
  type MultiOp,
  type Op,
  type OpArguments,
  type OpName,
  pathFault,
  sequentialPathFault,
  systemPath,
  utf8Length,
  znodeKindOf,
} from '@conclave/protocol'

/**
 * Judges a request by itself, before anything looks at the state: the same request is refused the
 * same way for ever, so these refusals are never logged.
 */
export const validate = (op: Op): Failure | null => {
  const judge = validators[op.op] as (op: Op) => Failure | null
  return judge(op)
}

type Validators = { readonly [N in OpName]: (op: OpArguments<N>) => Failure | null }

const validators: Validators = {
  create: (op) => judgeCreate(op) ?? judgeData(op.data),
  delete: (op) => judgeVersioned(op) ?? judgeNotRoot(op.path),
  setData: (op) => judgeVersioned(op) ?? judgeData(op.data),
  setAcl: (op) => judgeVersioned(op),
  check: (op) => judgePath(op.path) ?? judgeVersion(op.version),
  multi: (op) => judgeMulti(op),
  deleteRecursive: (op) => judgePath(op.path) ?? judgeReserved(op.path) ?? judgeNotRoot(op.path),
  closeSession: () => null,
  exists: (op) => judgePath(op.path),
  getData: (op) => judgePath(op.path),
  getChildren: (op) => judgePath(op.path),
  getAcl: (op) => judgePath(op.path),
  getEphemerals: (op) => judgePath(op.path),
  countDescendants: (op) => judgePath(op.path),
  multiRead: (op) => judgeMultiRead(op),
  sync: (op) => judgePath(op.path),
  whoAmI: () => null,
  auth: (op) => judgeAuth(op),
  watch: (op) => judgePath(op.path),
  unwatch: () => null,
  removeWatches: (op) => judgePath(op.path),
  rearmWatches: (op) => judgePaths([...op.data, ...op.exists, ...op.child]),
}

const bad = (why: string): Failure => failure('badArguments', why)

const judgePath = (path: string): Failure | null => {
  const fault = pathFault(path)
  return fault === null ? null : bad(fault)
}

const judgePaths = (paths: readonly string[]): Failure | null => {
  for (const path of paths) {
    const fault = judgePath(path)
    if (fault !== null) return fault
  }
  return null
}

const judgeReserved = (path: string): Failure | null =>
  isWithin(path, systemPath) ? bad(`${systemPath} is reserved for the system`) : null

const judgeNotRoot = (path: string): Failure | null =>
  path === '/' ? bad('the root is never deleted') : null

const judgeVersion = (version: number): Failure | null =>
  version < -1 ? bad('a version is -1 (any) or not negative') : null

const judgeVersioned = (op: { readonly path: string; readonly version: number }): Failure | null =>
  judgePath(op.path) ?? judgeReserved(op.path) ?? judgeVersion(op.version)

const judgeData = (data: Uint8Array | null): Failure | null =>
  data !== null && data.length > limits.dataBytesMax
    ? failure('tooLarge', `data has at most ${limits.dataBytesMax} bytes`)
    : null

const judgeCreate = (op: {
  readonly path: string
  readonly kind: CreateKind
  readonly ttlMs: number
}): Failure | null => {
  const fault = isSequential(op.kind) ? sequentialPathFault(op.path) : pathFault(op.path)
  if (fault !== null) return bad(fault)
  // With digits behind it a prefix is another name: '/conclave0000000000' is not the system's.
  return judgeReserved(isSequential(op.kind) ? `${op.path}0` : op.path) ?? judgeTtl(op)
}

const judgeTtl = (op: { readonly kind: CreateKind; readonly ttlMs: number }): Failure | null => {
  if (znodeKindOf(op.kind) !== 'ttl') {
    return op.ttlMs === 0 ? null : bad('only the ttl kinds take a ttlMs')
  }
  return op.ttlMs >= 1 && op.ttlMs <= limits.ttlMsMax
    ? null
    : bad(`ttlMs of a ttl znode is 1 to ${limits.ttlMsMax}`)
}

const judgeMulti = (op: OpArguments<'multi'>): Failure | null => {
  const guards = op.fences.length + op.compares.length
  const ops = op.then.length + op.else.length
  if (ops > limits.multiOpsMax || guards > limits.multiOpsMax) {
    return failure('tooLarge', `a multi has at most ${limits.multiOpsMax} operations`)
  }
  if (multiBytes(op) > limits.multiBytesMax) {
    return failure('tooLarge', `a multi has at most ${limits.multiBytesMax} bytes`)
  }
  const paths = [...op.fences, ...op.compares].map(({ path }) => path)
  return judgePaths(paths) ?? judgeBranch(op.then) ?? judgeBranch(op.else)
}

const judgeBranch = (ops: readonly MultiOp[]): Failure | null => {
  for (const [index, op] of ops.entries()) {
    const fault = judgeRefs(ops, index) ?? judgeMultiOp(op)
    if (fault !== null) return { ...fault, index }
  }
  return null
}

/** A reference names an earlier create of the same list. */
const judgeRefs = (ops: readonly MultiOp[], index: number): Failure | null => {
  const op = ops[index] as MultiOp
  for (const value of 'data' in op ? [op.path, op.data] : [op.path]) {
    if (!isNameRef(value)) continue
    if (value.index >= index || ops[value.index]?.op !== 'create') {
      return bad('a reference names an earlier create of the same list')
    }
  }
  return null
}

/** What has references is judged by `prepare` again, once they are filled in. */
const judgeMultiOp = (op: MultiOp): Failure | null => {
  if (isNameRef(op.path)) return op.op === 'create' ? judgeTtl(op) : judgeVersion(op.version)
  const data = 'data' in op && !isNameRef(op.data) ? op.data : null
  return validatePlain({ ...op, path: op.path, data } as PlainOp)
}

/** An operation of a transaction whose references are filled in. */
export type PlainOp =
  | Op<'create' | 'delete' | 'setData' | 'setAcl'>
  | { readonly op: 'check'; readonly path: string; readonly version: number }

export const validatePlain = (op: PlainOp): Failure | null => {
  const judge = validators[op.op] as (op: PlainOp) => Failure | null
  return judge(op)
}

const multiBytes = (op: OpArguments<'multi'>): number => {
  let bytes = 0
  for (const { path } of op.fences) bytes += utf8Length(path)
  for (const compare of op.compares) {
    bytes += utf8Length(compare.path)
    if (compare.compare === 'value') bytes += compare.equals?.length ?? 0
  }
  for (const each of [...op.then, ...op.else]) {
    bytes += utf8Length(isNameRef(each.path) ? each.path.suffix : each.path)
    if ('data' in each && each.data instanceof Uint8Array) bytes += each.data.length
  }
  return bytes
}

const judgeMultiRead = (op: OpArguments<'multiRead'>): Failure | null =>
  op.reads.length > limits.multiReadOpsMax
    ? failure('tooLarge', `a multi-read has at most ${limits.multiReadOpsMax} reads`)
    : null

const judgeAuth = (op: OpArguments<'auth'>): Failure | null => {
  if (op.scheme !== 'digest') return failure('authFailed', `there is no scheme '${op.scheme}'`)
  if (op.user === '' || op.user.includes(':') || utf8Length(op.user) > limits.userBytesMax) {
    return bad(`a user is 1 to ${limits.userBytesMax} bytes without ':'`)
  }
  return utf8Length(op.password) > limits.passwordBytesMax
    ? bad(`a password has at most ${limits.passwordBytesMax} bytes`)
    : null
}
