import { limits } from '../limits.js'
import {
  boolean,
  bytes,
  list,
  nullable,
  oneOf,
  record,
  type Schema,
  text,
  uint,
  variants,
  type VariantTypes,
} from '../schema.js'
import type { Epoch, LogPosition, ServerId, Zxid } from '../zxid.js'
import { askSchema, leaderAnswerSchema } from './ask.js'
import type { Txn } from './txn.js'

/**
 * The frames between servers. Every one carries the leadership epoch it belongs to. Between a
 * leader and a learner it also carries the number of the join: a learner numbers its attempts to
 * join, so what belongs to an earlier attempt on the same connection is told apart.
 */

const epoch = uint<Epoch>(limits.epochMax)
const join = uint()
const zxid = uint<Zxid>(limits.zxidMax)
const serverId = uint<ServerId>(limits.serverIdMax)
const logPositionSchema: Schema<LogPosition> = record({ epoch, zxid })

const peerFrameTable = {
  /** Whom the sender votes for, or follows, and what it could offer as a leader itself. */
  notification: {
    tag: 1,
    fields: {
      /** Of the leadership the sender takes part in; 0 when there is none. */
      epoch,
      /** `looking` until the leadership is established. */
      state: oneOf<NotificationState>('looking', 'following', 'leading', 'observing'),
      /** 0 for nobody: an observer does not vote, nor does a server that waits for its disk. */
      vote: serverId,
      currentEpoch: epoch,
      lastZxid: zxid,
      rejoining: boolean,
      bootstrap: boolean,
      hasSpace: boolean,
    },
  },
  /** Learner to leader: let me in. */
  followerInfo: {
    tag: 2,
    fields: {
      /** The learner's acceptedEpoch. */
      epoch,
      acceptedFrom: serverId,
      join,
    },
  },
  /** Leader to learner: this is my epoch, promise it. Durable at the leader. */
  leaderInfo: { tag: 3, fields: { epoch, join } },
  /** Learner to leader: promised, durably, and this is what I hold. */
  ackEpoch: {
    tag: 4,
    fields: {
      epoch,
      join,
      currentEpoch: epoch,
      last: logPositionSchema,
      rejoining: boolean,
      bootstrap: boolean,
    },
  },
  /** Your history is a prefix of mine; what follows `zxid` comes as proposals. */
  diff: { tag: 5, fields: { epoch, join, zxid } },
  /** Cut your history after `zxid`, whose record must be of `expectedEpoch`. */
  trunc: { tag: 6, fields: { epoch, join, zxid, expectedEpoch: epoch } },
  /** With the record at `zxid` you have my history. */
  newLeader: { tag: 8, fields: { epoch, join, zxid } },
  /** History up to `zxid`, then currentEpoch, are durable. */
  ackNewLeader: { tag: 9, fields: { epoch, join, zxid } },
  /** The leader is established and has committed up to `zxid`. */
  upToDate: { tag: 10, fields: { epoch, join, zxid } },
  /** Everything up to `zxid` is durable. */
  ack: { tag: 11, fields: { epoch, join, zxid } },
  /** Everything up to `zxid` is committed, whatever of it the learner already has. */
  commit: { tag: 12, fields: { epoch, join, zxid } },
  heartbeat: { tag: 13, fields: { epoch, join, committed: zxid, round: uint() } },
  heartbeatAck: {
    tag: 14,
    fields: {
      epoch,
      join,
      round: uint(),
      hasSpace: boolean,
      /** Of the state at the last multiple of 128 up to what the heartbeat called committed. */
      digest: nullable(record({ zxid, algorithm: uint(), digest: text(64) })),
    },
  },
  /** Your state at `zxid` is not what a majority has: give it up and be taught anew. */
  diverged: { tag: 24, fields: { epoch, join, zxid } },
  /** Learner to leader: what you sent is durable up to `zxid`; it counts for no quorum yet. */
  synced: { tag: 20, fields: { epoch, join, zxid } },
  /** Leader to learner: my log does not reach back to you; take my snapshot, of so many bytes. */
  snap: { tag: 21, fields: { epoch, join, zxid, size: uint() } },
  /** Learner to leader: what comes before `offset` is stored, send on. */
  snapPull: { tag: 22, fields: { epoch, join, zxid, offset: uint() } },
  snapPiece: {
    tag: 23,
    fields: {
      epoch,
      join,
      zxid,
      offset: uint(),
      bytes: bytes(limits.snapshotPieceBytes),
      isLast: boolean,
    },
  },
  /** The leader cannot bring this learner up to date. */
  refused: { tag: 15, fields: { epoch, join, why: text(1_024) } },
  /** Learner to leader: what its clients want, in their order. */
  ask: { tag: 30, fields: { epoch, join, asks: list(askSchema, limits.asksPerFrameMax) } },
  /** Leader to learner: to be heard once the learner has applied up to `zxid`. */
  answer: {
    tag: 31,
    fields: { epoch, join, zxid, answers: list(leaderAnswerSchema, limits.asksPerFrameMax) },
  },
} as const

const proposalTable = (txn: Schema<Txn>) => ({ proposal: { tag: 7, fields: { epoch, join, txn } } })

export type NotificationState = 'looking' | 'following' | 'leading' | 'observing'
export type PeerFrame = VariantTypes<
  'frame',
  typeof peerFrameTable & ReturnType<typeof proposalTable>
>
export type PeerFrameOf<N extends PeerFrame['frame']> = Extract<PeerFrame, { frame: N }>

/** @param txn how a txn stands in a proposal */
export const peerFrameSchema = (txn: Schema<Txn>): Schema<PeerFrame> =>
  variants('frame', { ...peerFrameTable, ...proposalTable(txn) })
