import type { Txn } from '@conclave/protocol/peer'

/** How a txn is kept as bytes: the codec of the log, which the core does not know. */
export interface TxnPacker {
  encode(txn: Txn): Uint8Array
  /** @param bytes stay as they are for as long as the txn is used */
  decode(bytes: Uint8Array): Txn
}
