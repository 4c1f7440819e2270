import { isWrite, type Op, type Xid, type Secret } from '@conclave/protocol'
import { frameSizeBound } from './op-size.js'
import type { Stream } from './streams.js'

/**
 * Who wants a request. A `call` is the user's and a `cleanup` undoes an aborted create: both
 * outlive connections. The rest belong to one connection and are made anew for the next.
 */
type RequestRole = 'call' | 'cleanup' | 'auth' | 'rearm' | 'watch' | 'unwatch'

export interface Request<Token> {
  readonly role: RequestRole
  /** Null when nobody waits for the answer. */
  readonly token: Token | null
  readonly op: Op
  readonly secret: Secret | null
  readonly stream: Stream<Token> | null
  readonly isWrite: boolean
  readonly bytes: number
  /** 0 until it is first sent. */
  xid: Xid
  /** The connection during which it was asked for. */
  madeOn: number
  /** On how many connections it was sent. */
  connections: number
  /** The last of them. */
  sentOn: number
  /** Sent on the present connection, and not answered there. */
  isSent: boolean
  /** When it was last sent: answers come in this order. */
  sendOrder: number
  /** How many connections its answer has cost by being too large. */
  tooLargeAnswers: number
  isAborted: boolean
  /** The write's outcome is known; only then may ackedXid pass it. */
  isSettled: boolean
}

export const newRequest = <Token>(
  role: RequestRole,
  op: Op,
  about: {
    readonly token?: Token
    readonly secret?: Secret | undefined
    readonly stream?: Stream<Token>
  } = {},
): Request<Token> => ({
  role,
  op,
  token: about.token ?? null,
  secret: about.secret ?? null,
  stream: about.stream ?? null,
  isWrite: isWrite(op),
  bytes: frameSizeBound(op),
  xid: 0 as Xid,
  madeOn: 0,
  connections: 0,
  sentOn: 0,
  isSent: false,
  sendOrder: 0,
  tooLargeAnswers: 0,
  isAborted: false,
  isSettled: false,
})

/** True when it is re-sent on the next connection, under the same xid. */
export const outlivesConnection = (request: Request<unknown>): boolean =>
  request.role === 'call' || request.role === 'cleanup'
