import { positionZero } from '@conclave/protocol'
import t from 'tap'
import { Journal } from '#server/core/zab/journal.js'
import * as kit from './zab-kit.js'

const empty = (): Journal =>
  new Journal(new kit.MemoryLog(), {
    hardState: kit.hardStateOf(1, [1, 2, 3]),
    epochs: [],
    lastApplied: kit.zxid(0),
  })

/** Asks the disk for what was appended. @returns what says that it is done */
const writing = (journal: Journal, ...zxids: readonly number[]): (() => void) => {
  for (const zxid of zxids) journal.append(kit.txnOf(zxid, 1))
  const persist = journal.drain(kit.zxid(0), 0)
  if (persist === null) throw new Error('there is nothing to write')
  return () => journal.persisted(persist.ticket)
}

t.test('ZAB-17 what is cut on its way to the disk does not become durable', async (t) => {
  const journal = empty()
  const written = writing(journal, 1, 2, 3)
  journal.truncateAfter(kit.zxid(2))
  t.match(journal.drain(kit.zxid(0), 0), { truncateAfter: 2, txns: [] })
  written()
  t.strictSame(journal.durable, { epoch: 1, zxid: 2 })
})

t.test('ZAB-17 what was durable before a cut behind it is so afterwards', async (t) => {
  const journal = empty()
  writing(journal, 1, 2)()
  const written = writing(journal, 3, 4)
  journal.truncateAfter(kit.zxid(3))
  t.strictSame(journal.durable, { epoch: 1, zxid: 2 })
  written()
  t.strictSame(journal.durable, { epoch: 1, zxid: 3 })
  journal.truncateAfter(kit.zxid(0))
  t.strictSame(
    [journal.durable, journal.last],
    [positionZero, positionZero],
    'nor is there an epoch',
  )
})

t.test('ZAB-21 a cut behind the last txn is none', async (t) => {
  const journal = empty()
  writing(journal, 1, 2)()
  journal.truncateAfter(kit.zxid(2))
  t.equal(journal.drain(kit.zxid(0), 0), null)
})
