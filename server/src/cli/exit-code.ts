import { ConclaveError, type ConclaveErrorCode } from '@conclave/client'
import { StartError } from '../start-error.js'
import { Interrupted } from './interrupted.js'
import { UsageError } from './usage-error.js'

/** What the process ends with: a script tells by it what happened. */
export const exitCodes = {
  ok: { code: 0, means: 'done' },
  failed: { code: 1, means: 'refused by the server for another reason, or the server failed' },
  usage: { code: 2, means: 'wrong command line, config file, connect string, path or argument' },
  noServer: { code: 3, means: 'no server could be reached' },
  unknown: { code: 4, means: 'no certain answer: timed out, or the session has ended' },
  cannotStart: { code: 5, means: 'serve: the port or the data directory cannot be used' },
  noNode: { code: 10, means: 'the znode does not exist' },
  nodeExists: { code: 11, means: 'the znode exists already' },
  badVersion: { code: 12, means: 'the version is another one' },
  notEmpty: { code: 13, means: 'the znode has children' },
  noAuth: { code: 14, means: 'not allowed, or wrong credentials' },
  fenced: { code: 15, means: 'the grant that guards a multi is gone' },
  later: { code: 16, means: 'not done, because the servers are overloaded, full or closing' },
  interrupted: { code: 130, means: 'interrupted by Ctrl-C (SIGINT)' },
  brokenPipe: { code: 141, means: 'whoever read the output is gone (SIGPIPE)' },
  terminated: { code: 143, means: 'ended by SIGTERM' },
} as const

type ExitName = keyof typeof exitCodes

export const exitCodeOf = (error: unknown): number => exitCodes[exitNameOf(error)].code

/** The table for `--help`. */
export const exitCodesHelp = (): string =>
  Object.values(exitCodes)
    .map(({ code, means }) => `  ${String(code).padStart(3)}  ${means}`)
    .join('\n')

const exitNameOf = (error: unknown): ExitName => {
  if (error instanceof UsageError) return 'usage'
  if (error instanceof Interrupted) return error.signal === 'SIGINT' ? 'interrupted' : 'terminated'
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'unknown'
  if (error instanceof StartError) {
    return error.code === 'insecure' || error.code === 'options' ? 'usage' : 'cannotStart'
  }
  if (!(error instanceof ConclaveError)) return 'failed'
  if (error.outcome === 'unknown') return 'unknown'
  return ofCode[error.code] ?? 'failed'
}

const ofCode: Readonly<Partial<Record<ConclaveErrorCode, ExitName>>> = {
  badArguments: 'usage',
  badConnectString: 'usage',
  invalidAcl: 'usage',
  tooLarge: 'usage',
  connectFailed: 'noServer',
  sessionExpired: 'unknown',
  noNode: 'noNode',
  nodeExists: 'nodeExists',
  badVersion: 'badVersion',
  notEmpty: 'notEmpty',
  noAuth: 'noAuth',
  authFailed: 'noAuth',
  fenced: 'fenced',
  notExecuted: 'later',
  throttled: 'later',
  noSpace: 'later',
  sessionMoved: 'later',
  closing: 'later',
}
