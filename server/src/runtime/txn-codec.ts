import { type Schema, ShapeError } from '@conclave/protocol'
import { pack, unpack } from '@conclave/protocol/codec'
import { type Txn, txnSchema } from '@conclave/protocol/peer'
import { passingCopies } from '../core/owned-bytes.js'
import type { TxnPacker } from '../core/txn-packer.js'

/**
 * A txn has the same bytes in every log and in every proposal. They are made once: what was encoded
 * for one learner, or came from the leader, is remembered for the other learner and for the log.
 */
export const encodeTxn = (txn: Txn): Uint8Array => {
  const known =
    knownBytes(short[txn.zxid % shortSlots], txn) ?? knownBytes(long[txn.zxid % longSlots], txn)
  if (known !== null) return known
  const bytes = pack(txnSchema.encode(txn))
  remember(txn, bytes)
  return bytes
}

/** @throws ShapeError when the bytes are no txn */
export const decodeTxn = (bytes: Uint8Array): Txn => {
  // The txn shows its data in these bytes: remembered, it would keep all of a large message.
  const isOfLarge = bytes.buffer.byteLength > viewedBytesMax
  const own = isOfLarge && bytes.length <= shortBytesMax ? copyForTxn(bytes) : bytes
  const txn = txnOf(own)
  remember(txn, own)
  return txn
}

const txnOf = (bytes: Uint8Array): Txn => txnSchema.decode(unpack(bytes), 'txn')

/** What is asked of history is seldom to be encoded again. */
export const txnPacker: TxnPacker = { encode: encodeTxn, decode: txnOf }

/** As it stands in a proposal. */
export const encodedTxn: Schema<Txn> = {
  encode: encodeTxn,
  decode(value, at) {
    if (!(value instanceof Uint8Array)) throw new ShapeError(`${at}: expected the bytes of a txn`)
    return decodeTxn(value)
  },
}

const remember = (txn: Txn, bytes: Uint8Array): void => {
  if (bytes.length <= shortBytesMax) short[txn.zxid % shortSlots] = { txn, bytes: viewed(bytes) }
  else if (bytes.length <= longBytesMax) long[txn.zxid % longSlots] = { txn, bytes }
}

/** What msgpackr has made may lie in a buffer that was made for something large. */
const viewed = (bytes: Uint8Array): Uint8Array =>
  bytes.buffer.byteLength > viewedBytesMax ? copyForTxn(bytes) : bytes

interface Known {
  readonly txn: Txn
  readonly bytes: Uint8Array
}

const knownBytes = (known: Known | undefined, txn: Txn): Uint8Array | null =>
  known?.txn === txn ? known.bytes : null

/**
 * As many as may be on their way to the disk or to a learner, and a few that are long, whose
 * objects are several times as large as their bytes; others are encoded again.
 */
const shortSlots = 1_024
const shortBytesMax = 4_096
const short: (Known | undefined)[] = Array(shortSlots)
const longSlots = 8
const longBytesMax = 1_048_576
const long: (Known | undefined)[] = Array(longSlots)
const viewedBytesMax = 65_536
const copyForTxn = passingCopies()
