import {
  type ErrorCode,
  failure,
  limits,
  type Op,
  type OpName,
  opSchema,
  type OpResult,
  ShapeError,
  type Secret,
} from '@conclave/protocol'
import type { Chroot } from './chroot.js'
import { BadArgumentsError, errorOf, type OperationOutcome, TooLargeError } from './errors.js'
import type { WaitOptions } from './options.js'
import type { WatchObserver } from './session/call.js'
import { frameSizeBound } from './session/op-size.js'
import type { Answer, FailedSettlement, SessionRunner } from './session/runner.js'
import type { Wait } from './session/wait.js'

/** What an operation is about, as the caller named it, for the error. */
export interface About {
  readonly path: string | null
  /** The paths of a transaction's operations; null where it depends on the branch. */
  readonly paths?: readonly (string | null)[]
  /** Which of two branches failed is not said. */
  readonly hasBranches?: boolean
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

  /** One request, waited for as the options say. */
  async send<N extends OpName>(
    op: Op<N>,
    about: About,
    options: WaitOptions,
  ): Promise<OpResult<N>> {
    const { result } = await this.within(options, (wait) => this.ask(op, about, wait))
    return result
  }

  /** Several requests, or what else takes its time, waited for once: a time limit is for all. */
  async within<R>(options: WaitOptions, run: (wait: Wait) => Promise<R>): Promise<R> {
    const wait = this.runner.waits.begin(options)
    try {
      return await run(wait)
    } finally {
      wait.end()
    }
  }

  /** One request. @returns its result, and the zxid that it was true at */
  ask<N extends OpName>(op: Op<N>, about: About, wait: Wait): Promise<Answer<N>> {
    const { secret, observer = null } = about
    return this.runner.call(soundOp(op, about), {
      wait,
      observer,
      toError: (failed) => this.#errorOf(failed, about),
      ...(secret === undefined ? {} : { secret }),
    })
  }

  #errorOf(failed: FailedSettlement, { path, paths, hasBranches = false }: About): Error {
    const { code, message, index } = failed.failure
    const said = failure(code, this.chroot.toClientText(message), index)
    const { zxid, outcome } = failed
    if (index === null || paths === undefined) return errorOf(said, { path, zxid, outcome })
    const operations = hasBranches ? null : operationsOf(paths, { index, code })
    return errorOf(said, { path: paths[index] ?? path, zxid, outcome, operations })
  }
}

/**
 * The operation as it is now: what the caller changes later is not sent. What a server would close
 * the connection for is refused: sent again on every connection, it would never end.
 */
const soundOp = <N extends OpName>(op: Op<N>, { path }: About): Op<N> => {
  const sound = decodedOp(op as Op, path)
  if (frameSizeBound(sound) > limits.frameBytesMax) {
    const message = `the request has more than ${limits.frameBytesMax} bytes`
    throw new TooLargeError({ message, path })
  }
  return sound as Op<N>
}

const decodedOp = (op: Op, path: string | null): Op => {
  try {
    return opSchema.decode(opSchema.encode(op), 'op')
  } catch (error) {
    const reason = error instanceof ShapeError ? error.message : 'a field has the wrong type'
    throw new BadArgumentsError({ message: `the request is not valid: ${reason}`, path })
  }
}

/** Nothing of a failed transaction is done. */
const operationsOf = (
  paths: readonly (string | null)[],
  failed: { readonly index: number; readonly code: ErrorCode },
): readonly OperationOutcome[] =>
  paths.map((path, i) => {
    if (i === failed.index) return { path, code: failed.code }
    return { path, code: i < failed.index ? 'rolledBack' : 'notAttempted' }
  })
