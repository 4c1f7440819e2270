import { aclBytes } from '@conclave/protocol'
import type { Change, Txn } from '@conclave/protocol/peer'

/** A measure of a txn's memory, as found for creates of 100 bytes: objects weigh more than data. */
export const txnBytes = (txn: Txn): number => {
  const { body } = txn
  if (body.body !== 'write' && body.body !== 'closeSession') return 256
  let bytes = 256
  for (const change of body.changes) bytes += changeBytes(change)
  return bytes
}

const changeBytes = (change: Change): number => {
  if (change.change === 'check') return 16
  const data = change.change === 'create' || change.change === 'setData' ? change.data : null
  const dataBytes = data === null ? 0 : 192 + data.length
  return 160 + 2 * change.path.length + dataBytes + aclBytes(change.acl)
}
