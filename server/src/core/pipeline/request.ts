import {
  type ClientFrameOf,
  type Failure,
  type Identity,
  type Op,
  opTable,
} from '@conclave/protocol'
import type { WriteResult } from '../session/results.js'
import { isHeavy } from './heavy-op.js'

/** A request on its way through the queue of its connection. */
export interface Request {
  readonly frame: ClientFrameOf<'request'>
  readonly bytes: number
  /** It may look at much: it waits when this turn has done enough. */
  readonly isHeavy: boolean
  readonly kind: 'write' | 'read' | 'linearizable' | 'auth' | 'local'
  /** What it will be answered with, once that is known. */
  answer: Answer | null
  /** What it waits for from elsewhere. */
  wait: Wait
}

export const requestOf = (frame: ClientFrameOf<'request'>, bytes: number): Request => {
  const { op } = frame
  return { frame, bytes, isHeavy: isHeavy(op), kind: kindOf(op), answer: null, wait: noWait }
}

type Wait =
  | { readonly wait: 'nothing' }
  /** A linearizable read: the word of the leader. */
  | { readonly wait: 'round'; readonly round: number }
  /** A linearizable read that has it. */
  | { readonly wait: 'turn' }
  /** An auth: its password is being hashed, whoever leads. */
  | { readonly wait: 'hash' }
  /** An auth whose password is hashed: its identity counts from its turn on. */
  | { readonly wait: 'identity'; readonly identity: Identity | null }

export const noWait: Wait = Object.freeze({ wait: 'nothing' })

export type Answer =
  | {
      readonly answer: 'reply'
      readonly failure: Failure | null
      readonly result: unknown
      readonly bytes: number
    }
  /** The client has acknowledged it before: nothing is sent. */
  | { readonly answer: 'nothing' }

const kindOf = (op: Op): Request['kind'] => {
  const { kind } = opTable[op.op]
  if (kind === 'write') return 'write'
  if (kind === 'local') return op.op === 'auth' ? 'auth' : 'local'
  return op.op === 'sync' || ('linearizable' in op && op.linearizable) ? 'linearizable' : 'read'
}

export const replyOf = ({ failure, result, bytes }: WriteResult): Answer => ({
  answer: 'reply',
  failure,
  result,
  bytes,
})
