import {
  failure,
  limits,
  type Op,
  type OpName,
  opSchema,
  type OpResult,
  ShapeError,
} from '@conclave/protocol'
import type { Chroot } from './chroot.js'
import { BadArgumentsError, errorOf, TooLargeError } from './errors.js'
import type { WaitOptions, WatchObserver } from './session/call.js'
import { frameSizeBound } from './session/op-size.js'
import type { Answer, FailedSettlement, SessionRunner } from './session/runner.js'
import type { Secret } from './session/secret.js'

/** What an operation is about, as the caller named it, for the error. */
export interface About {
  readonly path: string | null
  /** The paths of a transaction's operations. */
  readonly paths?: readonly (string | null)[] | undefined
  readonly secret?: Secret
  readonly observer?: WatchObserver | null
}

/** What every typed operation stands on: a session, seen through a chroot. */
export class RequestContext {
  readonly chroot: Chroot
  readonly runner: SessionRunner

  constructor(runner: SessionRunner, chroot: Chroot) {
    this.runner = runner
    this.chroot = chroot
  }

  async send<N extends OpName>(op: Op<N>, about: About, wait: WaitOptions): Promise<OpResult<N>> {
    return (await this.ask(op, about, wait)).result
  }

  /** As {@link send}, with the zxid that the answer was true at. */
  ask<N extends OpName>(op: Op<N>, about: About, wait: WaitOptions): Promise<Answer<N>> {
    checkOp(op as Op, about)
    checkWait(wait)
    const { secret, observer } = about
    return this.runner.call(op, {
      signal: wait.signal,
      timeoutMs: wait.timeoutMs,
      toError: (failed) => this.#errorOf(failed, about),
      ...(secret === undefined ? {} : { secret }),
      ...(observer === undefined ? {} : { observer }),
    })
  }

  #errorOf(failed: FailedSettlement, { path, paths }: About): Error {
    const { code, message, index } = failed.failure
    const at = index === null ? path : (paths?.[index] ?? path)
    const said = failure(code, this.chroot.toClientText(message), index)
    return errorOf(said, { path: at, zxid: failed.zxid, outcome: failed.outcome })
  }
}

/**
 * What a server would close the connection for is refused here: sent again on every connection, it
 * would never end.
 */
const checkOp = (op: Op, { path }: About): void => {
  try {
    opSchema.decode(opSchema.encode(op), 'op')
  } catch (error) {
    const reason = error instanceof ShapeError ? error.message : 'a field has the wrong type'
    throw new BadArgumentsError({ message: `the request is not valid: ${reason}`, path })
  }
  if (frameSizeBound(op) > limits.frameBytesMax) {
    const message = `the request has more than ${limits.frameBytesMax} bytes`
    throw new TooLargeError({ message, path })
  }
}

const checkWait = ({ signal, timeoutMs }: WaitOptions): void => {
  if (timeoutMs !== undefined && !(timeoutMs >= 0 && timeoutMs <= timeoutMsMax)) {
    throw new BadArgumentsError({ message: 'timeoutMs is a number from 0 to 2,147,483,647' })
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new BadArgumentsError({ message: 'signal is an AbortSignal' })
  }
}

/** What timers can count. */
const timeoutMsMax = 2_147_483_647

/** One wait for an operation of several requests: `timeoutMs` counts for all of them together. */
export const joinWait = ({ signal, timeoutMs }: WaitOptions): WaitOptions => {
  checkWait({ signal, timeoutMs })
  if (timeoutMs === undefined) return { signal }
  const timeout = AbortSignal.timeout(timeoutMs)
  return { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) }
}
