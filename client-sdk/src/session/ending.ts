import {
  type ErrorCode,
  failure,
  type ServerFrameOf,
  type SessionEndReason,
  type WriteOutcome,
} from '@conclave/protocol'
import type { Ending } from './effect.js'

/** How a session ended, and what that says about each request that was still unanswered. */
export interface SessionEnd {
  /** For people. */
  readonly reason: string
  /** For what was never sent, for reads, and for writes that are known not to have run. */
  readonly notExecuted: Ending
  /** For writes that were sent and of which nothing is said. */
  readonly unsaid: Ending
  readonly outcomes: readonly WriteOutcome[]
}

const sentences: Readonly<Record<SessionEndReason, string>> = {
  closed: 'the session was closed',
  expired: 'the session has expired: no server heard of this client for the session timeout',
  unknown: 'the servers do not know the session: it ended too long ago',
  wrongNonce: 'the session belongs to another client',
  otherEnsemble: 'the servers belong to another ensemble: their data was replaced',
  historyLost: 'the servers lost history that this client has seen: a backup was restored',
}

const ending = (code: ErrorCode, reason: string, outcome: Ending['outcome']): Ending => ({
  failure: failure(code, reason),
  outcome,
})

/** What the SDK itself says to a call, a watch or a stream while the session goes on. */
export const refused = {
  closing: ending('closing', 'the client is closing', 'notExecuted'),
  overflow: ending('throttled', 'too many calls wait inside the client', 'notExecuted'),
  removed: ending('noWatcher', 'the watch was removed', 'notExecuted'),
  tooLarge: ending(
    'tooLarge',
    'the answer is larger than any message may be; ask for less at once',
    'notExecuted',
  ),
} as const satisfies Readonly<Record<string, Ending>>

export const ended = {
  bySessionFrame: ({
    reason,
    complete,
    outcomes,
  }: ServerFrameOf<'sessionExpired'>): SessionEnd => ({
    reason: sentences[reason],
    notExecuted: ending('sessionExpired', sentences[reason], 'notExecuted'),
    unsaid: ending('sessionExpired', sentences[reason], complete ? 'notExecuted' : 'unknown'),
    outcomes,
  }),
  /** A server answered with another session than ours. */
  lost: (): SessionEnd => ({
    reason: sentences.unknown,
    notExecuted: ending('sessionExpired', sentences.unknown, 'notExecuted'),
    unsaid: ending('sessionExpired', sentences.unknown, 'unknown'),
    outcomes: [],
  }),
  closed: (): SessionEnd => ended.abandoned('the client is closed'),
  abandoned: (reason: string): SessionEnd => ({
    reason,
    notExecuted: ending('closing', reason, 'notExecuted'),
    unsaid: ending('closing', reason, 'unknown'),
    outcomes: [],
  }),
}
