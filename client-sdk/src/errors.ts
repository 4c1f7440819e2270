import {
  type ErrorCode,
  errorCodes,
  errorTable,
  type Failure,
  type RetryAdvice,
} from '@conclave/protocol'

/** Faults that only the SDK knows; the rest of the codes are the wire's. */
const localErrorTable = {
  connectFailed: { retry: 'later', message: 'no server answered' },
  badConnectString: { retry: 'never', message: 'the connect string is not valid' },
  undecodable: { retry: 'afterChange', message: 'the data is not what the codec expects' },
} as const satisfies Readonly<Record<string, { retry: RetryAdvice; message: string }>>

/** Every `code` an error of this package can have. */
export type ConclaveErrorCode = ErrorCode | keyof typeof localErrorTable

/**
 * What is known of the operation.
 * - `notExecuted`: it changed nothing and never will.
 * - `executed`: it ran; only what came after (decoding its answer) failed.
 * - `unknown`: nobody can tell any more: past the tombstone of the session, by lost history, or
 *   because the client was closed while the answer was outstanding.
 */
export type ErrorOutcome = 'notExecuted' | 'executed' | 'unknown'

/** What became of one operation of a transaction that failed. */
export interface OperationOutcome {
  /** As the caller named it; null when it was named by reference. */
  readonly path: string | null
  /** `rolledBack` (undone), `notAttempted`, or what failed the transaction. */
  readonly code: ErrorCode
}

export interface ConclaveErrorDetails {
  readonly message?: string
  /** As the caller named it: relative to the chroot. */
  readonly path?: string | null
  readonly zxid?: number | null
  readonly outcome?: ErrorOutcome
  readonly index?: number | null
  readonly operations?: readonly OperationOutcome[] | null
  readonly cause?: unknown
}

/**
 * Every error of this package, told apart by `code` or by class, never by its message. There is one
 * class for each code: {@link NoNodeError} for `noNode`, and so on.
 *
 * @example
 * try {
 *   await client.delete('/config', { version: 3 })
 * } catch (error) {
 *   if (error instanceof BadVersionError) console.log(error.path, error.retry)
 *   else throw error
 * }
 */
export class ConclaveError extends Error {
  readonly code: ConclaveErrorCode
  /** Of the znode, relative to the chroot; null when it is not about one. */
  readonly path: string | null
  /** What the answer was true at; null when no server gave it. */
  readonly zxid: number | null
  readonly outcome: ErrorOutcome
  /** `never`, `later`, `afterChange` (read again, then decide), `newSession` (connect again). */
  readonly retry: RetryAdvice
  /** In a transaction, the operation that failed, counted from 0; null otherwise. */
  readonly index: number | null
  /**
   * What became of each operation of a transaction that one of them failed; null otherwise, and
   * when it had conditions, because the servers do not say which branch it was.
   */
  readonly operations: readonly OperationOutcome[] | null

  constructor(code: ConclaveErrorCode, details: ConclaveErrorDetails = {}) {
    const row = isLocal(code) ? localErrorTable[code] : errorTable[code]
    const { message = row.message, path = null, cause } = details
    const said = path === null || message.includes(path) ? message : `${message}: ${path}`
    super(said, cause === undefined ? undefined : { cause })
    this.name = classNameOf(code)
    this.code = code
    this.path = path
    this.zxid = details.zxid ?? null
    this.outcome = details.outcome ?? 'notExecuted'
    this.retry = row.retry
    this.index = details.index ?? null
    this.operations = details.operations ?? null
  }
}

/** The class of one code: an instance has exactly that `code`. */
export type ErrorClass<C extends ConclaveErrorCode> = new (
  details?: ConclaveErrorDetails,
) => ConclaveError & { readonly code: C }

type SpecialNames = typeof specialNames
type ClassName<C extends ConclaveErrorCode> = C extends keyof SpecialNames
  ? SpecialNames[C]
  : `${Capitalize<C>}Error`
type ErrorClasses = { readonly [C in ConclaveErrorCode as ClassName<C>]: ErrorClass<C> }

const specialNames = {
  closing: 'ClosedError',
  connectFailed: 'ConnectError',
  badConnectString: 'ConnectStringError',
} as const

const isLocal = (code: ConclaveErrorCode): code is keyof typeof localErrorTable =>
  Object.hasOwn(localErrorTable, code)

const classNameOf = (code: ConclaveErrorCode): string =>
  (specialNames as Readonly<Partial<Record<ConclaveErrorCode, string>>>)[code] ??
  `${code.charAt(0).toUpperCase()}${code.slice(1)}Error`

const codes: readonly ConclaveErrorCode[] = [
  ...errorCodes,
  ...(Object.keys(localErrorTable) as (keyof typeof localErrorTable)[]),
]

const classes = new Map<ConclaveErrorCode, ErrorClass<ConclaveErrorCode>>(
  codes.map((code) => [
    code,
    class extends ConclaveError {
      static override readonly name = classNameOf(code)
      constructor(details?: ConclaveErrorDetails) {
        super(code, details)
      }
    },
  ]),
)

export const {
  NoNodeError,
  NodeExistsError,
  BadVersionError,
  NotEmptyError,
  NoChildrenForEphemeralsError,
  NoAuthError,
  InvalidAclError,
  AuthFailedError,
  BadArgumentsError,
  SessionExpiredError,
  SessionMovedError,
  NotExecutedError,
  ThrottledError,
  NoSpaceError,
  TooLargeError,
  NoWatcherError,
  UnimplementedError,
  RolledBackError,
  NotAttemptedError,
  FencedError,
  CompactedError,
  ClosedError,
  InternalError,
  ConnectError,
  ConnectStringError,
  UndecodableError,
} = Object.fromEntries(
  [...classes].map(([code, type]) => [classNameOf(code), type]),
) as ErrorClasses

// A class is a type too; a destructured one has to be told so.
export type NoNodeError = InstanceType<typeof NoNodeError>
export type NodeExistsError = InstanceType<typeof NodeExistsError>
export type BadVersionError = InstanceType<typeof BadVersionError>
export type NotEmptyError = InstanceType<typeof NotEmptyError>
export type NoChildrenForEphemeralsError = InstanceType<typeof NoChildrenForEphemeralsError>
export type NoAuthError = InstanceType<typeof NoAuthError>
export type InvalidAclError = InstanceType<typeof InvalidAclError>
export type AuthFailedError = InstanceType<typeof AuthFailedError>
export type BadArgumentsError = InstanceType<typeof BadArgumentsError>
export type SessionExpiredError = InstanceType<typeof SessionExpiredError>
export type SessionMovedError = InstanceType<typeof SessionMovedError>
export type NotExecutedError = InstanceType<typeof NotExecutedError>
export type ThrottledError = InstanceType<typeof ThrottledError>
export type NoSpaceError = InstanceType<typeof NoSpaceError>
export type TooLargeError = InstanceType<typeof TooLargeError>
export type NoWatcherError = InstanceType<typeof NoWatcherError>
export type UnimplementedError = InstanceType<typeof UnimplementedError>
export type RolledBackError = InstanceType<typeof RolledBackError>
export type NotAttemptedError = InstanceType<typeof NotAttemptedError>
export type FencedError = InstanceType<typeof FencedError>
export type CompactedError = InstanceType<typeof CompactedError>
export type ClosedError = InstanceType<typeof ClosedError>
export type InternalError = InstanceType<typeof InternalError>
export type ConnectError = InstanceType<typeof ConnectError>
export type ConnectStringError = InstanceType<typeof ConnectStringError>
export type UndecodableError = InstanceType<typeof UndecodableError>

/** @internal The error for what a server, or the SDK in its place, said. */
export const errorOf = (
  failure: Failure,
  details: Omit<ConclaveErrorDetails, 'message' | 'index'> = {},
): ConclaveError => {
  const type = classes.get(failure.code) ?? InternalError
  return new type({ ...details, message: failure.message, index: failure.index })
}
