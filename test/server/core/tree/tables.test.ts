import { Fifo } from '@conclave/protocol'
import t from 'tap'
import { decodeCursor, encodeCursor } from '#server/core/pipeline/cursor.js'
import { TxnClock } from '#server/core/pipeline/txn-clock.js'

t.test('READ-9 a cursor comes back as it was made, and other bytes are refused', async (t) => {
  const max = Number.MAX_SAFE_INTEGER
  const levels = { min: 1, max: 3 }
  for (const ordinals of [[-1], [0], [255], [256], [0, 65_535, 2 ** 40], [-1, max - 2, max - 1]]) {
    const bytes = encodeCursor(ordinals)
    t.equal(bytes.length, 7 * ordinals.length)
    t.same(decodeCursor(bytes, levels), ordinals)
  }
  const bad = [0, 1, 6, 8, 13, 28].map((length) => new Uint8Array(length))
  bad.push(new Uint8Array(7).fill(255), Uint8Array.of(0x20, 0, 0, 0, 0, 0, 0))
  for (const bytes of bad) t.equal(decodeCursor(bytes, levels), null, bytes.join())
  t.same(decodeCursor(Uint8Array.of(0x1f, 255, 255, 255, 255, 255, 255), levels), [max - 1])
})

t.test('ZNODE-17 the txn clock follows the wall clock without a jump', async (t) => {
  const at = (nowMs: number, wallMs: number): { nowMs: number; wallMs: number } => ({
    nowMs,
    wallMs,
  })
  const clock = new TxnClock(1_000, at(0, 5_000))
  t.equal(clock.timeMs, 5_000, 'the wall clock, when it is ahead of the last txn')
  const table: [nowMs: number, wallMs: number, timeMs: number, why: string][] = [
    [100, 5_100, 5_100, 'in step'],
    [200, 9_999, 5_205, 'the wall clock jumped ahead: a twentieth faster'],
    [300, 5_307, 5_307, 'nearly there: no further than the wall clock'],
    [400, 0, 5_402, 'the wall clock went back: a twentieth slower'],
    [500, 5_500, 5_500, 'five behind is caught up at once'],
    [450, 5_450, 5_500, 'the monotonic clock never goes back, nor does this one'],
    [450, 9_999, 5_500, 'no time passed'],
    [1_450, 6_450, 6_450, 'a long tick, counted from where the clock stood'],
  ]
  for (const [nowMs, wallMs, timeMs, why] of table) {
    clock.advance(at(nowMs, wallMs))
    t.equal(clock.timeMs, timeMs, why)
  }
  const later = new TxnClock(8_000, at(0, 5_000))
  t.equal(later.timeMs, 8_000, 'the last txn, when it is ahead of the wall clock')
  later.advance(at(100, 5_100))
  t.equal(later.timeMs, 8_095)
})

t.test('READ-2 a queue gives what went in, in its order, however long it gets', async (t) => {
  const queue = new Fifo<number>()
  let [pushed, shifted] = [0, 0]
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 100; i++) queue.push(pushed++)
    for (let i = 0; i < 90; i++) if (queue.shift() !== shifted++) t.fail(`${shifted} is lost`)
    t.equal(queue.length, pushed - shifted)
    t.equal(queue.at(0), shifted)
    t.equal(queue.at(queue.length - 1), pushed - 1)
    t.equal(queue.at(queue.length), undefined)
  }
  while (queue.length > 0) if (queue.shift() !== shifted++) t.fail(`${shifted} is lost`)
  t.equal(queue.shift(), undefined)
  t.equal(shifted, pushed)
})
