import type { SessionId, Zxid } from '@conclave/protocol'
import { pack } from '@conclave/protocol/codec'
import { type Txn, txnSchema } from '@conclave/protocol/peer'
import t from 'tap'
import { decodeTxn, encodedTxn, encodeTxn } from '#server/runtime/txn-codec.js'
import { txnAt } from '../../support/storage-kit.js'

const fresh = (txn: ReturnType<typeof txnAt>): Uint8Array => pack(txnSchema.encode(txn))

t.test('DISK-40 a txn keeps the bytes in which it was proposed', async (t) => {
  const canonical = fresh(txnAt(5))
  const [token = 0, ...rest] = canonical
  // The same array with a longer header: other bytes, the same txn.
  const bytes = new Uint8Array([0xdc, 0, token & 0x0f, ...rest])
  const txn = decodeTxn(bytes)
  t.same(txn, txnAt(5))
  t.same(encodeTxn(txn), bytes)
  t.same(encodedTxn.encode(encodedTxn.decode(bytes, 'txn')), bytes)
})

t.test('DISK-40 another txn at the same zxid has bytes of its own', async (t) => {
  const [one, other] = [txnAt(5, 1), txnAt(5, 2)]
  t.same(encodeTxn(one), fresh(one))
  t.same(encodeTxn(other), fresh(other))
  t.same(encodeTxn(one), fresh(one))
})

t.test('DISK-40 the bytes that are remembered keep no large message', async (t) => {
  const written: Txn = {
    ...txnAt(7),
    body: {
      body: 'write',
      answer: { answer: 'single' },
      changes: [
        {
          change: 'setData',
          path: '/a',
          data: new Uint8Array(10),
          acl: null,
          version: 1,
          czxid: 1 as Zxid,
          ephemeralOwner: 0 as SessionId,
        },
      ],
    },
  }
  const canonical = fresh(written)
  const message = new Uint8Array(1_000_000)
  message.set(canonical, 500)
  const txn = decodeTxn(message.subarray(500, 500 + canonical.length))
  t.same(txn, written)
  const [change] = txn.body.body === 'write' ? txn.body.changes : []
  const data = change?.change === 'setData' ? change.data : null
  for (const kept of [encodeTxn(txn), data]) {
    t.ok((kept?.buffer.byteLength ?? Infinity) < 100_000)
  }
})

t.test('DISK-40 what is no txn is refused', async (t) => {
  for (const value of ['bytes', null, new Uint8Array([0xc0])]) {
    t.throws(() => encodedTxn.decode(value, 'txn'), { name: 'ShapeError' })
  }
})
