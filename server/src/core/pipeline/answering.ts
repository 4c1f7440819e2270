import {
  encodeResult,
  type Failure,
  failure,
  type Identity,
  limits,
  type Op,
  type OpName,
  type OpResult,
  type WatchKind,
} from '@conclave/protocol'
import type { Connection } from './connection.js'
import { isFailure } from './prepare-change.js'
import { read, type Readable, type Reader } from './read.js'
import type { ReplicatedState } from './replicated-state.js'
import { type Answer, replyOf, type Request } from './request.js'
import type { TurnBudget } from './turn-budget.js'
import type { Watching } from './watching.js'

/** What a request is answered with when its turn has come, from the state of this server. */
export class Answering {
  readonly #state: ReplicatedState
  readonly #watching: Watching
  readonly #budget: TurnBudget

  constructor(state: ReplicatedState, watching: Watching, budget: TurnBudget) {
    this.#state = state
    this.#watching = watching
    this.#budget = budget
  }

  /** The answer of a write that is applied: it stands in the table of its session. */
  write({ sessionId, ackedXid }: Connection, { frame }: Request): Answer | null {
    const { sessions } = this.#state
    const session = sessions.get(sessionId) ?? sessions.tombstone(sessionId)
    if (session === undefined) return null
    if (frame.xid <= Math.max(session.ackedXid, ackedXid)) return { answer: 'nothing' }
    const result = session.results.get(frame.xid)
    return result === undefined ? null : replyOf(result)
  }

  read(connection: Connection, { frame }: Request): Answer {
    const { op } = frame
    if (op.op === 'sync') return resultOf('sync', {}, 8)
    const answer = read(this.#reader(connection), op as Op<Readable>)
    if (isFailure(answer)) return refusalOf(answer)
    const refusal = this.#watch(connection, op)
    return refusal === null
      ? resultOf(op.op, answer.result as OpResult<OpName>, answer.bytes)
      : refusalOf(refusal)
  }

  /** For what is of this server alone. */
  local(connection: Connection, { frame }: Request): Answer {
    const { op } = frame
    const { id } = connection
    switch (op.op) {
      case 'watch': {
        const position = this.#watching.open(op, this.#reader(connection), id)
        return isFailure(position) ? refusalOf(position) : resultOf('watch', { position }, 64)
      }
      case 'unwatch':
        this.#watching.close(op.streamId, id)
        return resultOf('unwatch', {}, 8)
      case 'removeWatches':
        return doneOf('removeWatches', this.#watching.removeWatches(op, id))
      case 'rearmWatches':
        return doneOf('rearmWatches', this.#watching.rearm(op, id, this.#budget))
      default:
        return refusalOf(failure('unimplemented', `${op.op} is no local operation`))
    }
  }

  /** @param identity null: its password was not hashed */
  identity(connection: Connection, identity: Identity | null): Answer {
    if (identity === null) {
      return refusalOf(failure('throttled', 'too many passwords wait to be hashed'))
    }
    const known = connection.identities.some(({ id }) => id === identity.id)
    // The address is an identity too, and not one of those that were asked for.
    if (!known && connection.identities.length > limits.identitiesMax) {
      const most = `a connection has at most ${limits.identitiesMax} identities`
      return refusalOf(failure('tooLarge', most))
    }
    if (!known) connection.identities = [...connection.identities, identity]
    return resultOf('auth', { identity }, 128)
  }

  /** A read that succeeded sets the watch it asked for. */
  #watch(connection: Connection, op: Op): Failure | null {
    if (!('watch' in op) || !op.watch) return null
    const kind: WatchKind = op.op === 'getChildren' ? 'child' : 'data'
    return this.#watching.add(kind, op.path, connection.id)
  }

  #reader({ sessionId, identities }: Connection): Reader {
    return { state: this.#state, sessionId, identities, budget: this.#budget }
  }
}

export const refusalOf = (refused: Failure): Answer => ({
  answer: 'reply',
  failure: refused,
  result: null,
  bytes: 64,
})

const resultOf = <N extends OpName>(name: N, result: OpResult<N>, bytes: number): Answer => ({
  answer: 'reply',
  failure: null,
  result: encodeResult(name, result),
  bytes,
})

const doneOf = (name: 'removeWatches' | 'rearmWatches', refusal: Failure | null): Answer =>
  refusal === null ? resultOf(name, {}, 8) : refusalOf(refusal)
