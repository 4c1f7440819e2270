import { identitySchema } from '../acl.js'
import { limits } from '../limits.js'
import { failureSchema, writeOpSchema } from '../op.js'
import {
  bytesExactly,
  list,
  oneOf,
  record,
  type Schema,
  uint,
  variants,
  type VariantTypes,
} from '../schema.js'
import type { SessionId, Xid, Zxid } from '../zxid.js'

/**
 * What a server asks of its leader for its clients, and what the leader answers. All asks of one
 * turn travel in one frame, in their order, and all answers of one turn in another.
 */

const sessionId = uint<SessionId>()
const xid = uint<Xid>()
const attach = uint()
const nonceHash = bytesExactly(limits.nonceHashBytes)
/** The address is one of them. */
const identities = list(identitySchema, limits.identitiesMax + 1)
/** The number by which the asking server knows the connection. */
const connection = uint()

const askTable = {
  write: {
    tag: 1,
    fields: {
      sessionId,
      attach,
      /** One higher after each time that writes of the connection were held. */
      turn: uint(),
      xid,
      ackedXid: xid,
      refusedSeen: xid,
      op: writeOpSchema,
    },
  },
  createSession: { tag: 2, fields: { nonceHash, sessionTimeoutMs: uint() } },
  /** A connection wants the session for its own, or still has it and tells a new leader so. */
  claim: {
    tag: 3,
    fields: {
      connection,
      sessionId,
      nonceHash,
      attach,
      ackedXid: xid,
      /** The highest write of the connection that was refused for a passing reason. */
      refusedXid: xid,
      lastZxidSeen: uint<Zxid>(),
      identities,
    },
  },
  /** The sessions were heard of. */
  touch: { tag: 4, fields: { sessionIds: list(sessionId, limits.asksPerFrameMax) } },
  acked: { tag: 5, fields: { sessionId, ackedXid: xid } },
  identify: { tag: 6, fields: { sessionId, attach, identities } },
  /** Confirm, by a round begun after all that came before, that you lead. */
  round: { tag: 7, fields: { round: uint() } },
} as const

export type Ask = VariantTypes<'ask', typeof askTable>
export type AskOf<N extends Ask['ask']> = Extract<Ask, { ask: N }>
export const askSchema: Schema<Ask> = variants('ask', askTable)

/** What the leader says to a claim, once it is confirmed in its epoch. */
export const verdicts = ['granted', 'moved', 'ending', 'gone', 'historyLost'] as const
export type Verdict = (typeof verdicts)[number]

/** Why no session is created. */
export const creationRefusals = ['noSpace', 'noQuorum', 'tooManyConnections', 'divided'] as const
export type CreationRefusal = (typeof creationRefusals)[number]

const answerTable = {
  refused: { tag: 1, fields: { sessionId, attach, xid, failure: failureSchema } },
  /** Nor does any later write of the turn run; judged by this acknowledgement. */
  held: { tag: 2, fields: { sessionId, attach, xid, turn: uint(), ackedXid: xid } },
  confirmed: {
    tag: 3,
    fields: {
      /** The last of the asking server's own rounds that is confirmed; 0 for none. */
      round: uint(),
      /** Of the sessions touched with these rounds, those that end or have ended. */
      ending: list(sessionId, limits.sessionsMax),
      verdicts: list(
        record({ connection, verdict: oneOf<Verdict>(...verdicts) }),
        limits.sessionsMax,
      ),
    },
  },
  creationRefused: {
    tag: 4,
    fields: { nonceHash, reason: oneOf<CreationRefusal>(...creationRefusals) },
  },
  /** A connection elsewhere has claimed the session with this attach. */
  moved: { tag: 5, fields: { sessionId, attach } },
} as const

export type LeaderAnswer = VariantTypes<'answer', typeof answerTable>
export const leaderAnswerSchema: Schema<LeaderAnswer> = variants('answer', answerTable)
