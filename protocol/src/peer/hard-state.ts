import { limits } from '../limits.js'
import { boolean, type Infer, list, nullable, record, text, uint } from '../schema.js'
import type { Epoch, ServerId } from '../zxid.js'

/**
 * What a server must not forget besides its history (Zab: acceptedEpoch, currentEpoch), and what
 * ties a data directory to its ensemble.
 */
export const hardStateSchema = record({
  acceptedEpoch: uint<Epoch>(),
  /** The leader that acceptedEpoch was promised to: an epoch is promised to one only. */
  acceptedFrom: uint<ServerId>(limits.serverIdMax),
  /** 0 while the server is fresh: then it does not vote and acknowledges nothing. */
  currentEpoch: uint<Epoch>(),
  ensembleId: nullable(text(limits.ensembleIdBytesMax)),
  serverId: uint<ServerId>(limits.serverIdMax),
  /** Ids in ascending order. */
  voters: list(uint<ServerId>(limits.serverIdMax), limits.serverIdMax),
  /** Its data was set aside: it must be taught by an established leader, never found anew. */
  rejoining: boolean,
  /** Of the log: what lies in the directory of an earlier one was given up. */
  generation: uint(),
})
export type HardState = Infer<typeof hardStateSchema>
