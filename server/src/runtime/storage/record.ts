import { type Epoch, limits, samePosition, type Zxid } from '@conclave/protocol'
import type { Txn } from '@conclave/protocol/peer'
import { assert } from '../../core/assert.js'
import { decodeTxn, encodeTxn } from '../txn-codec.js'
import { asBuffer, crc32, readUint53, writeUint53 } from './binary.js'

/**
 * One txn in the log, byte-equal on all servers: length, epoch, zxid, CRC of the previous record,
 * payload. Each record vouches for the one before it, back to txn 1.
 */
export interface LogRecord {
  readonly epoch: Epoch
  readonly zxid: Zxid
  readonly previousCrc: number
  /** Of the whole record, header and payload. */
  readonly crc: number
  readonly bytes: Buffer
}

export const encodeRecord = (txn: Txn, previousCrc: number): LogRecord => {
  const payload = encodeTxn(txn)
  assert(payload.length <= limits.recordBytesMax, `the txn ${txn.zxid} is not over its bounds`)
  const bytes = Buffer.allocUnsafe(recordHeaderBytes + payload.length)
  bytes.writeUInt32BE(payload.length, 0)
  writeUint53(bytes, txn.epoch, 4)
  writeUint53(bytes, txn.zxid, 12)
  bytes.writeUInt32BE(previousCrc, 20)
  bytes.set(payload, recordHeaderBytes)
  return { epoch: txn.epoch, zxid: txn.zxid, previousCrc, crc: crc32(bytes), bytes }
}

/** @returns the records that fill `body` exactly, or null when they do not */
export const splitRecords = (body: Buffer, count: number): readonly LogRecord[] | null => {
  const records: LogRecord[] = []
  let offset = 0
  while (records.length < count) {
    if (offset + recordHeaderBytes > body.length) return null
    const end = offset + recordHeaderBytes + body.readUInt32BE(offset)
    if (end > body.length) return null
    const bytes = body.subarray(offset, end)
    records.push({
      epoch: readUint53(bytes, 4) as Epoch,
      zxid: readUint53(bytes, 12) as Zxid,
      previousCrc: bytes.readUInt32BE(20),
      crc: crc32(bytes),
      bytes,
    })
    offset = end
  }
  return offset === body.length ? records : null
}

/**
 * The txn holds on to a copy of its own record, not to the whole segment it was read with.
 * @throws when the payload is no txn, or not the one that the header names
 */
export const txnOf = (record: LogRecord): Txn => {
  const payload = asBuffer(new Uint8Array(record.bytes.subarray(recordHeaderBytes)))
  const txn = decodeTxn(payload)
  if (samePosition(txn, record)) return txn
  throw new Error('its header names another txn')
}

const recordHeaderBytes = 24
