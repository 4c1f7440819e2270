import { opTable } from '@conclave/protocol'
import type { Txn, TxnBody } from '@conclave/protocol/peer'
import { txnSchema } from '@conclave/protocol/peer'
import { create, ReplicaKit, setData } from '../../support/replica-kit.js'
import { multi } from '../../support/tree-kit.js'
import { snapshotEntrySchema, snapshotHeaderSchema } from '@conclave/protocol/peer'

/** What a server logs and saves when it has done a little of everything. */
const kit = new ReplicaKit({ snapshotTxns: 12 })
const client = kit.client()
client.create('/a', { data: Uint8Array.of(1, 2, 3) })
client.create('/a/e', {
  kind: 'ephemeral',
  acl: [{ scheme: 'world', id: 'anyone', permissions: 31 }],
})
client.create('/a/s-', { kind: 'ttlSequential', ttlMs: 5_000 })
client.ok(setData('/a', null))
client.ok({
  op: 'setAcl',
  path: '/a/e',
  acl: [{ scheme: 'ip', id: '10.0.0.0/8', permissions: 1 }],
  version: -1,
})
client.ok(multi([create('/b'), setData('/b', Uint8Array.of(9))]))
client.reply(create('/no/parent'))
client.ok({ op: 'deleteRecursive', path: '/b' })
const other = kit.client()
other.create('/mine', { kind: 'ephemeral' })
other.reply({ op: 'closeSession' })
for (let i = 0; i < 6; i++) client.ok(setData('/a', Uint8Array.of(i)))

export const txns: readonly Txn[] = kit.log
export const txnSamples = kit.log.map((txn) => txnSchema.encode(txn))
const bodies = new Set<TxnBody['body']>(kit.log.map(({ body }) => body.body))
if (bodies.size < 5) throw new Error(`no sample of every txn: ${[...bodies].join()}`)

const { snapshot } = kit
if (snapshot === null) throw new Error('no snapshot was saved')
export const snapshotSample = snapshot
export const headerSample = snapshotHeaderSchema.encode(snapshot.header)
export const entrySamples = snapshot.entries.map((entry) => snapshotEntrySchema.encode(entry))

export const hardStateSample = [3, 1, 3, 'ensemble', 1, [1, 2, 3], false]

const position = [3, 7]
/** By the numbers of the peer frames. */
const nonceHash = new Uint8Array(32)

export const peerSamples: readonly unknown[] = [
  [1, 3, 'looking', 1, 3, 7, false],
  [2, 3, 1, 1],
  [3, 3, 1],
  [4, 3, 1, 3, position, false],
  [5, 3, 1, 7],
  [6, 3, 1, 7, 3],
  ...txnSamples.slice(0, 3).map((txn) => [7, 3, 1, txn]),
  [8, 3, 1, 7],
  [9, 3, 1, 7],
  [10, 3, 1, 7],
  [11, 3, 1, 7],
  [12, 3, 1, 7],
  [13, 3, 1, 7, 5],
  [14, 3, 1, 5],
  [15, 3, 1, 'why'],
  [
    30,
    3,
    1,
    [
      [1, 2, 1, 0, 5, 4, 0, [opTable.delete.tag, '/a', -1]],
      [2, nonceHash, 10_000],
      [3, 9, 2, nonceHash, 1, 0, 0, 7, [['ip', '127.0.0.1']]],
      [4, [2, 3]],
      [5, 2, 4],
      [6, 2, 1, [['digest', 'me:0']]],
      [7, 1],
    ],
  ],
  [
    31,
    3,
    1,
    7,
    [
      [1, 2, 1, 5, ['throttled', 'later', null]],
      [2, 2, 1, 5, 0, 4],
      [3, 1, [2], [[9, 'granted']]],
      [4, nonceHash, 'noSpace'],
      [5, 2, 3],
    ],
  ],
]
