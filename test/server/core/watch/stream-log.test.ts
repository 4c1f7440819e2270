import { limits, type LogPosition, type Zxid } from '@conclave/protocol'
import { History } from '#server/core/watch/history.js'
import { txnPacker } from '#server/runtime/txn-codec.js'
import t from 'tap'
import {
  bytesOf,
  type ClientKit,
  create,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'
import { position, reattach, told, unwatch, watch } from '../../../support/session-kit.js'
import { txnAt } from '../../../support/storage-kit.js'
import { multi, setAcl, world } from '../../../support/tree-kit.js'

const whole = Number.MAX_SAFE_INTEGER
const data = bytesOf('x')

const scene = (
  historyBytesMax: number,
): { kit: ReplicaKit; watcher: ClientKit; writer: ClientKit; zxid: number } => {
  const kit = new ReplicaKit({ historyBytesMax })
  const writer = kit.client()
  writer.create('/a')
  const watcher = kit.client()
  return { kit, watcher, writer, zxid: kit.replica.status.zxid }
}

const write = (writer: ClientKit, count: number, bytes: Uint8Array = data): void => {
  for (let i = 0; i < count; i++) {
    writer.send(setData('/a', bytes))
    writer.ackedXid = (writer.xid - 1) as typeof writer.ackedXid
  }
  writer.take()
}

/** The lines of one `dataChanged` a txn, and of the end. */
const changes = (streamId: number, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `#${streamId} ${from + i}.0 dataChanged /a`)

const congested = (client: ClientKit, isCongested: boolean): void => {
  const { kit, connection } = client
  kit.step({ input: 'clientCongested', connection, congested: isCongested })
}

t.test('STREAM-18 from wherever a stream begins, each event comes once', async (t) => {
  for (const historyBytesMax of [0, 1_000, 5_000, 1_000_000]) {
    const { kit, watcher, writer, zxid } = scene(historyBytesMax)
    write(writer, 40)
    const last = zxid + 40
    for (let at = zxid; at <= last; at++) {
      const streamId = at - zxid + 1
      watcher.ok(watch('/a', { streamId, from: position(at, whole) }))
      const expected = [...changes(streamId, at + 1, last), `#${streamId} caughtUp ${last}`]
      t.same(told(watcher), expected, `${historyBytesMax} bytes, from ${at}`)
    }
    write(writer, 1)
    t.equal(told(watcher).length, 41, 'and all are live')
    t.equal(kit.replica.status.streams, 41)
  }
})

t.test('STREAM-18 from zxid 0 on a stream reads all of the log', async (t) => {
  const { watcher, writer, zxid } = scene(0)
  write(writer, 3)
  for (const [streamId, index] of [0, 5, whole].entries()) {
    watcher.ok(watch('/a', { streamId, from: position(0, index) }))
    t.same(told(watcher), [
      ...['3.0 created /a', ...changes(streamId, zxid + 1, zxid + 3)].map((line) =>
        line.startsWith('#') ? line : `#${streamId} ${line}`,
      ),
      `#${streamId} caughtUp ${zxid + 3}`,
    ])
  }
})

t.test('STREAM-18 the log is read from the middle of a txn too', async (t) => {
  const { watcher, writer, zxid } = scene(0)
  writer.ok(multi([create('/a/1'), setData('/a', data), create('/a/2')]))
  const all = ['0 created /a/1', '2 dataChanged /a', '3 created /a/2']
  for (const [streamId, first] of [0, 1, 1, 2].entries()) {
    const from = streamId === 0 ? position(zxid, whole) : position(zxid + 1, streamId - 1)
    watcher.ok(watch('/a', { streamId, recursive: true, from }))
    const expected = all.slice(first).map((line) => `#${streamId} ${zxid + 1}.${line}`)
    t.same(told(watcher), [...expected, `#${streamId} caughtUp ${zxid + 1}`])
  }
})

t.test(
  'STREAM-18 what is written while the log is read comes once, and in its place',
  async (t) => {
    for (const historyBytesMax of [0, 1_000, 100_000]) {
      const { kit, watcher, writer, zxid } = scene(historyBytesMax)
      write(writer, 400, new Uint8Array(5_000))
      kit.isLogHeld = true
      watcher.ok(watch('/a', { from: position(zxid, whole) }))
      let last = zxid + 400
      const lines: string[] = []
      let pieces = 0
      while (kit.heldReads.length > 0) {
        pieces += 1
        t.equal(kit.heldReads.length, 1, 'one at a time')
        // The writer gets tired, so the reader can come to the end.
        const more = Math.max(0, 8 - pieces)
        write(writer, more, new Uint8Array(5_000))
        last += more
        kit.releaseReads()
        lines.push(...told(watcher))
      }
      t.ok(pieces > 3, `${pieces} pieces`)
      t.same(lines, [...changes(1, zxid + 1, last), `#1 caughtUp ${last}`])
      write(writer, 1)
      t.same(told(watcher), changes(1, last + 1, last + 1))
    }
  },
)

t.test('STREAM-18 a piece of the log ends at what memory holds no more', async (t) => {
  const { kit, watcher, writer, zxid } = scene(1_000)
  write(writer, 40)
  kit.isLogHeld = true
  watcher.ok(watch('/a', { from: position(zxid, whole) }))
  const [read] = kit.heldReads
  t.equal(read?.after, zxid)
  t.ok((read?.through ?? 0) > zxid && (read?.through ?? 0) < zxid + 40)
  t.equal(read?.bytesMax, limits.logPieceBytes)
})

t.test('STREAM-18 memory forgets only what is applied and durable', async (t) => {
  const history = new History(0, txnPacker)
  for (let zxid = 1; zxid <= 5; zxid++) history.append(txnAt(zxid))
  t.equal(history.forgotten, 0)
  history.applied(4 as Zxid)
  t.equal(history.forgotten, 0, 'applied and not durable')
  history.durable(2 as Zxid)
  t.equal(history.forgotten, 2)
  history.durable(5 as Zxid)
  t.equal(history.forgotten, 4, 'durable and not applied')
  history.truncateAfter({ epoch: 1, zxid: 4 } as LogPosition)
  history.append(txnAt(5, 2))
  history.applied(5 as Zxid)
  t.equal(history.forgotten, 4, 'what was durable there is cut')
  history.durable(5 as Zxid)
  t.equal(history.forgotten, 5)
})

t.test('STREAM-6 what is purged while it is read is one gap from there', async (t) => {
  const { kit, watcher, writer, zxid } = scene(0)
  write(writer, 400, new Uint8Array(5_000))
  kit.isLogHeld = true
  watcher.ok(watch('/a', { from: position(zxid, whole) }))
  kit.releaseReads()
  const first = told(watcher)
  const at = zxid + first.length
  t.same(first, changes(1, zxid + 1, at))
  kit.purgeLog(at + 1)
  write(writer, 1)
  kit.releaseReads()
  const last = zxid + 401
  t.same(told(watcher), [`#1 gap ${at}..${last}`, `#1 caughtUp ${last}`])
  t.same(kit.heldReads, [])
  write(writer, 1)
  t.same(told(watcher), changes(1, last + 1, last + 1), 'it goes on behind it')
})

t.test('STREAM-13 what the log gives is judged by the ACL of its time', async (t) => {
  const { watcher, writer, zxid } = scene(0)
  writer.ok(setData('/a', data))
  writer.ok(setAcl('/a', world(30)))
  writer.ok(setData('/a', data))
  writer.ok(setAcl('/a', world(31)))
  writer.ok(setData('/a', data))
  watcher.ok(watch('/a', { from: position(zxid, whole) }))
  t.same(told(watcher), [
    `#1 ${zxid + 1}.0 dataChanged /a`,
    `#1 ${zxid + 5}.0 dataChanged /a`,
    `#1 caughtUp ${zxid + 5}`,
  ])
})

t.test('STREAM-19 nothing is read for a connection that takes nothing', async (t) => {
  const { kit, watcher, writer, zxid } = scene(0)
  write(writer, 400, new Uint8Array(5_000))
  kit.isLogHeld = true
  watcher.ok(watch('/a', { withDetail: true, from: position(zxid, whole) }))
  congested(watcher, true)
  kit.releaseReads()
  t.same(told(watcher), changes(1, zxid + 1, zxid + 1), 'of what was on its way, one txn')
  kit.tick(3)
  t.same(kit.heldReads, [])
  congested(watcher, false)
  t.equal(kit.heldReads.length, 1)
  t.equal(kit.heldReads[0]?.after, zxid + 1, 'the rest is read again')
  kit.isLogHeld = false
  kit.releaseReads()
  const last = zxid + 400
  t.same(told(watcher), [...changes(1, zxid + 2, last), `#1 caughtUp ${last}`])
})

t.test('STREAM-19 few pieces are under way, and all readers have their turn', async (t) => {
  const { kit, writer, zxid } = scene(0)
  write(writer, 400, new Uint8Array(5_000))
  kit.isLogHeld = true
  const watchers = Array.from({ length: 5 }, () => kit.client())
  const start = zxid + watchers.length
  write(writer, 1)
  for (const [i, client] of watchers.entries()) {
    client.ok(watch('/a', { from: position(zxid + i, whole) }))
  }
  const asked: number[] = []
  for (let i = 0; i < 10; i++) {
    t.equal(kit.heldReads.length, limits.logReadsMax)
    asked.push(kit.heldReads[0]?.after ?? 0)
    kit.releaseReads(1)
  }
  t.same(
    asked.slice(0, 5),
    [0, 1, 2, 3, 4].map((i) => zxid + i),
  )
  t.ok(asked.slice(5).every((after, i) => after > start && after === asked[5]! + i))
  kit.isLogHeld = false
  kit.releaseReads()
  for (const client of watchers) t.equal(told(client).at(-1), `#1 caughtUp ${start + 401}`)
})

t.test('STREAM-19 a piece for a stream that has gone goes nowhere', async (t) => {
  const { kit, watcher, writer, zxid } = scene(0)
  write(writer, 10)
  const last = zxid + 10
  kit.isLogHeld = true
  for (let streamId = 1; streamId <= 4; streamId++) {
    watcher.ok(watch('/a', { streamId, from: position(zxid + streamId, whole) }))
  }
  t.same(
    kit.heldReads.map(({ after }) => after),
    [zxid + 1, zxid + 2],
  )
  watcher.ok(unwatch(1))
  watcher.ok(unwatch(3))
  watcher.ok(watch('/a', { streamId: 1, from: position(last - 1, whole) }))
  watcher.take()
  t.equal(kit.heldReads.length, 2, 'a piece that nobody waits for takes its room until it comes')
  kit.isLogHeld = false
  kit.releaseReads()
  t.same(
    told(watcher).filter((line) => !line.startsWith('#2 ') && !line.startsWith('#4 ')),
    [...changes(1, last, last), `#1 caughtUp ${last}`],
    'the number of the stream has come to mean another',
  )
  kit.isLogHeld = true
  const again = reattach(watcher)
  again.ok(watch('/a', { from: position(zxid, whole) }))
  kit.step({ input: 'clientLost', connection: again.connection })
  kit.releaseReads()
  t.same(told(again), [])
  t.equal(kit.replica.status.streams, 0)
})
