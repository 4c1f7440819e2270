import assert from 'node:assert/strict'
import type { LogPosition, SessionId, Zxid } from '@conclave/protocol'
import { pack } from '@conclave/protocol/codec'
import { type Txn, txnSchema } from '@conclave/protocol/peer'
import fc from 'fast-check'
import t from 'tap'
import { txnBytes } from '#server/core/txn-bytes.js'
import { History } from '#server/core/watch/history.js'
import { txnPacker } from '#server/runtime/txn-codec.js'
import { txnAt } from '../../../support/storage-kit.js'

/** A write of so many bytes: a large one is kept in another way. */
const written = (zxid: number, epoch: number, bytes: number): Txn => ({
  ...txnAt(zxid, epoch),
  body: {
    body: 'write',
    answer: { answer: 'single' },
    changes: [
      {
        change: 'setData',
        path: '/a',
        data: new Uint8Array(bytes).fill(zxid),
        acl: null,
        version: zxid,
        czxid: 1 as Zxid,
        ephemeralOwner: 0 as SessionId,
      },
    ],
  },
})

type Step =
  | { readonly step: 'append'; readonly count: number; readonly bytes: number }
  | { readonly step: 'applied' | 'durable' | 'truncate'; readonly share: number }

const share = fc.double({ min: 0, max: 1, noNaN: true })
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      step: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 40 }),
      bytes: fc.constantFrom(0, 10, 3_000, 20_000, 70_000),
    }),
    fc.record({ step: fc.constantFrom('applied', 'durable', 'truncate'), share }),
  ) as fc.Arbitrary<Step>,
  { maxLength: 60 },
)

/** The whole log, of which the history under test holds the end. */
class Log {
  readonly txns: Txn[] = []
  applied = 0
  durable = 0
  #epoch = 1

  take(history: History, step: Step): void {
    if (step.step === 'append') return this.#append(history, step)
    const reached = (from: number, to: number): number =>
      from + Math.floor(step.share * (to - from))
    if (step.step === 'durable') {
      this.durable = reached(this.durable, this.txns.length)
      return history.durable(this.durable as Zxid)
    }
    if (step.step === 'applied') {
      this.applied = reached(this.applied, this.txns.length)
      return history.applied(this.applied as Zxid)
    }
    this.txns.length = reached(this.applied, this.txns.length)
    this.durable = Math.min(this.durable, this.txns.length)
    const { epoch = 0, zxid = 0 } = this.txns.at(-1) ?? {}
    history.truncateAfter({ epoch, zxid } as LogPosition)
    this.#epoch += 1
  }

  #append(history: History, { count, bytes }: Extract<Step, { step: 'append' }>): void {
    for (let i = 0; i < count; i++) {
      const txn = written(this.txns.length + 1, this.#epoch, bytes)
      this.txns.push(txn)
      history.append(txn)
    }
  }
}

/** Bytes are equal whatever holds them. */
const plain = (txn: Txn | undefined): Buffer | undefined =>
  txn && Buffer.from(pack(txnSchema.encode(txn)))

const checkBounds = (history: History, log: Log, bytesMax: number): void => {
  const { forgotten, firstZxid, last } = history
  const settled = Math.min(log.applied, log.durable)
  assert.equal(last.zxid, log.txns.length)
  assert.equal(firstZxid, forgotten < last.zxid ? forgotten + 1 : 0)
  assert.ok(forgotten <= settled, `${forgotten} forgotten, ${settled} settled`)
  assert.ok(history.bytes <= bytesMax || forgotten === settled, 'more than it may')
}

/** It forgets no more than it must: one txn less forgotten would have been too much. */
const takeAndCheck = (history: History, log: Log, step: Step, bytesMax: number): void => {
  const { forgotten: before } = history
  log.take(history, step)
  const { forgotten, bytes } = history
  const last = log.txns[forgotten - 1]
  if (forgotten === before || last === undefined) return
  const weight = Math.max(txnBytes(last), plain(last)?.length ?? 0)
  assert.ok(bytes + weight > bytesMax, `${bytes} and ${weight} of ${bytesMax}`)
}

const checkAll = (history: History, log: Log, bytesMax: number): void => {
  takeAndCheck(history, log, { step: 'applied', share: 1 }, bytesMax)
  takeAndCheck(history, log, { step: 'durable', share: 1 }, bytesMax)
  const { forgotten } = history
  for (let zxid = 0; zxid <= log.txns.length + 1; zxid++) {
    const expected = zxid > forgotten ? log.txns[zxid - 1] : undefined
    assert.deepEqual(plain(history.get(zxid as Zxid)), plain(expected))
  }
}

t.test('STREAM-20 memory holds the end of the log as it was logged, without a hole', async (t) => {
  fc.assert(
    fc.property(fc.constantFrom(0, 1_000, 100_000, 1_000_000), steps, (bytesMax, taken) => {
      const history = new History(bytesMax, txnPacker)
      const log = new Log()
      for (const step of taken) {
        takeAndCheck(history, log, step, bytesMax)
        checkBounds(history, log, bytesMax)
        for (const zxid of [history.firstZxid, history.last.zxid]) {
          assert.deepEqual(plain(history.get(zxid)), plain(log.txns[zxid - 1]))
        }
      }
      checkAll(history, log, bytesMax)
    }),
    { numRuns: 200 },
  )
  t.pass('for 200 sequences of steps')
})
