/**
 * The one table of error codes. The code is the string on the wire.
 *
 * `outcome` says what became of the operation: `notExecuted` (it changed nothing and never will)
 * or `unknown`. `retry` is the advice: `never` (the same request meets the same answer), `later`
 * (the same request may succeed after a pause), `afterChange` (read again, then decide),
 * `newSession` (only a new client can).
 */
export const errorTable = {
  noNode: row('afterChange', 'the znode does not exist'),
  nodeExists: row('afterChange', 'the znode exists already'),
  badVersion: row('afterChange', 'the version is not the expected one'),
  notEmpty: row('afterChange', 'the znode has children'),
  noChildrenForEphemerals: row('never', 'an ephemeral znode has no children'),
  noAuth: row('never', 'the ACL does not allow it'),
  invalidAcl: row('never', 'the ACL is not valid'),
  authFailed: row('never', 'the credentials were refused'),
  badArguments: row('never', 'the request is not valid'),
  sessionExpired: row('newSession', 'the session has ended'),
  sessionMoved: row('later', 'the session is attached through a newer connection'),
  notExecuted: row('later', 'the request was refused before it was logged'),
  throttled: row('later', 'the server is over a limit'),
  noSpace: row('later', 'the disk of the servers is full'),
  tooLarge: row('never', 'the request or its answer is over a limit'),
  noWatcher: row('never', 'there is no such watcher'),
  unimplemented: row('never', 'the server does not know the operation'),
  rolledBack: row('never', 'undone because a later operation of the transaction failed'),
  notAttempted: row('never', 'an earlier operation of the transaction failed'),
  fenced: row('never', 'the grant that guards the transaction is gone'),
  compacted: row('afterChange', 'the history asked for is gone'),
  closing: row('later', 'the client or the server is closing'),
  internal: row('never', 'a fault inside the server'),
} as const

export type ErrorCode = keyof typeof errorTable
export type RetryAdvice = 'never' | 'later' | 'afterChange' | 'newSession'
export type Outcome = 'notExecuted' | 'unknown'

export const errorCodes = Object.keys(errorTable) as ErrorCode[]

/** Refusals that a server gives for its own state of the moment, and therefore never logs. */
export const isTransient = (code: ErrorCode): boolean =>
  code === 'throttled' || code === 'noSpace' || code === 'sessionMoved' || code === 'closing'

/** How a server names what went wrong: in replies, and per operation of a multi-read. */
export interface Failure {
  readonly code: ErrorCode
  /** For people. Never to be parsed. */
  readonly message: string
  /** In a multi, the operation that failed; null otherwise. */
  readonly index: number | null
}

export const failure = (
  code: ErrorCode,
  message?: string,
  index: number | null = null,
): Failure => ({
  code,
  message: message ?? errorTable[code].message,
  index,
})

interface ErrorRow {
  readonly outcome: Outcome
  readonly retry: RetryAdvice
  readonly message: string
}

function row(retry: RetryAdvice, message: string): ErrorRow {
  return { outcome: 'notExecuted', retry, message }
}
