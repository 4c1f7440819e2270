import { ConclaveError, type ConclaveErrorCode, ConnectError } from '@conclave/client'
import { StartError, type StartErrorOption } from '../start-error.js'
import { Interrupted } from './interrupted.js'
import { UsageError } from './usage-error.js'

/** What a command advises when it is refused with a code. */
export type Advice = Readonly<Partial<Record<ConclaveErrorCode, string>>>

/** What went wrong and what to do about it, for the person who typed the command. */
export const sentenceOf = (error: unknown, advice: Advice = {}): string => {
  if (error instanceof ConnectError) {
    return joined(
      error.message,
      'start a server with "conclave serve --data ./data", or name others with --connect',
    )
  }
  if (error instanceof ConclaveError) {
    const place = error.index === null ? '' : `operation ${error.index + 1}: `
    const unknown =
      error.outcome === 'unknown'
        ? 'whether it was executed is not known; read before repeating'
        : ''
    return joined(
      `${place}${error.message}`,
      unknown,
      advice[error.code] ?? generalAdvice[error.code] ?? '',
    )
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return joined(
      error.message,
      'a write may still be executed',
      'read before repeating it, or wait longer with --timeout',
    )
  }
  if (error instanceof StartError && error.option !== null) {
    return joined(error.message.replace(/\.$/, ''), `the flag for that is ${flags[error.option]}`)
  }
  if (!(error instanceof Error)) return `unexpected fault: ${String(error)}`
  return isExpected(error)
    ? error.message
    : joined(`unexpected fault: ${error.message}`, 'CONCLAVE_DEBUG=1 shows where')
}

/** The message was written for a person. */
const isExpected = (error: Error): boolean =>
  error instanceof UsageError || error instanceof Interrupted || error instanceof StartError

const flags: Readonly<Record<StartErrorOption, string>> = {
  data: '--data',
  host: '--host',
  clientPort: '--client-port',
  peerPort: 'peerPort in servers',
  adminPort: '--admin-port',
  serverId: '--server-id',
  insecure: '--insecure',
}

const generalAdvice: Advice = {
  noAuth: 'say who you are with --auth user:password (in a shell: auth user:password)',
  authFailed: 'check --auth',
  badConnectString: 'write --connect host:port,host:port, such as 127.0.0.1:7400',
  badVersion: 'read it again, then decide',
  sessionExpired: 'try again: a new session is opened',
  throttled: 'try again later',
  noSpace: 'free space on the disks of the servers',
}

const joined = (...parts: readonly string[]): string =>
  parts.filter((part) => part !== '').join('; ')
