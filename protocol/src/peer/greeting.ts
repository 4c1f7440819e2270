import { limits } from '../limits.js'
import {
  bytesExactly,
  nullable,
  oneOf,
  type Schema,
  text,
  uint,
  variants,
  type VariantTypes,
} from '../schema.js'
import type { ServerId } from '../zxid.js'

/** Why a server does not let another one in. */
export const peerRefusals = [
  'malformed',
  'otherVersion',
  'wrongSecret',
  'wrongServer',
  'ownId',
  'unknownId',
  'wrongDirection',
  'otherServers',
  'otherEnsemble',
  'duplicateId',
  'restarting',
] as const
export type PeerRefusal = (typeof peerRefusals)[number]

const serverId = uint<ServerId>(limits.serverIdMax)
const digest = bytesExactly(32)

/** What each side says of itself; the other's challenge is answered by a proof over all of it. */
const introduction = {
  version: uint(),
  from: serverId,
  challenge: bytesExactly(limits.peerChallengeBytes),
  /** Null while the server has not learned of any. */
  ensembleId: nullable(text(limits.ensembleIdBytesMax)),
  /** SHA-256 over the ids and roles of all servers, as this one was configured. */
  serversHash: digest,
} as const

const greetingFrameTable = {
  /** The first word, of the server that was dialled. */
  greeting: { tag: 1, fields: introduction },
  /** `proof`: HMAC-SHA-256 by the ensemble's secret over both introductions. */
  hello: { tag: 2, fields: { ...introduction, to: serverId, proof: digest } },
  /** The same over both introductions, by the server that was dialled. */
  accepted: { tag: 3, fields: { proof: digest } },
  refused: { tag: 4, fields: { reason: oneOf<PeerRefusal>(...peerRefusals) } },
} as const

/** What two servers say to each other before the first peer frame. */
export type GreetingFrame = VariantTypes<'frame', typeof greetingFrameTable>
export type GreetingFrameOf<N extends GreetingFrame['frame']> = Extract<GreetingFrame, { frame: N }>

export const greetingFrameSchema: Schema<GreetingFrame> = variants('frame', greetingFrameTable)
