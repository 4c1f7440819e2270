import { limits, type StreamPosition } from '@conclave/protocol'
import t from 'tap'
import {
  bytesOf,
  type ClientKit,
  create,
  remove,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'
import { position, probe, reattach, requestOf, told, watch } from '../../../support/session-kit.js'
import { multi } from '../../../support/tree-kit.js'

const whole = Number.MAX_SAFE_INTEGER
const data = bytesOf('x')

const scene = (
  historyBytesMax = 1_000_000,
): { kit: ReplicaKit; watcher: ClientKit; writer: ClientKit; zxid: number } => {
  const kit = new ReplicaKit({ historyBytesMax })
  const writer = kit.client()
  writer.create('/a')
  const watcher = kit.client()
  return { kit, watcher, writer, zxid: kit.replica.status.zxid }
}

/** What a stream opened at this position says. */
const from = (client: ClientKit, at: StreamPosition, path = '/a'): string[] => {
  const streamId = client.xid + 1
  client.ok(watch(path, { streamId, recursive: true, from: at }))
  return told(client).map((line) => line.replace(`#${streamId} `, ''))
}

t.test('STREAM-5 a stream replays what comes after its position', async (t) => {
  const { watcher, writer, zxid } = scene()
  for (const path of ['/a/b', '/c', '/a/d']) writer.create(path)
  const all = [`${zxid + 1}.0 created /a/b`, `${zxid + 3}.0 created /a/d`]
  const end = `caughtUp ${zxid + 3}`
  t.same(from(watcher, position(zxid, whole)), [...all, end])
  t.same(from(watcher, position(zxid + 1, whole)), [...all.slice(1), end])
  t.same(from(watcher, position(zxid + 1, 0)), [...all.slice(1), end], 'not the one at it')
  t.same(from(watcher, position(zxid + 3, whole)), [end])
  const { position: answered } = watcher.ok(
    watch('/a', { streamId: 99, from: position(zxid + 1, 0) }),
  )
  t.same(answered, position(zxid + 1, 0))
})

t.test('STREAM-5 a replay begins in the middle of a txn', async (t) => {
  const { watcher, writer, zxid } = scene()
  writer.ok(multi([create('/a/1'), create('/a/2'), create('/a/3')]))
  const all = [0, 2, 4].map((index, i) => `${zxid + 1}.${index} created /a/${i + 1}`)
  const end = `caughtUp ${zxid + 1}`
  t.same(from(watcher, position(zxid + 1, 0)), [...all.slice(1), end])
  t.same(from(watcher, position(zxid + 1, 1)), [...all.slice(1), end])
  t.same(from(watcher, position(zxid + 1, 2)), [...all.slice(2), end])
  t.same(from(watcher, position(zxid + 1, 4)), [end])
})

t.test('STREAM-5 a stream says caughtUp once, and is live from there', async (t) => {
  const { watcher, writer, zxid } = scene(64_000_000)
  for (let i = 0; i < 2_500; i++) {
    writer.send(setData('/a', data))
    writer.ackedXid = (writer.xid - 1) as typeof writer.ackedXid
  }
  writer.take()
  const lines = from(watcher, position(zxid, whole))
  t.equal(lines.length, 2_501)
  t.equal(lines.at(-1), `caughtUp ${zxid + 2_500}`)
  t.same(
    lines.slice(0, -1),
    Array.from({ length: 2_500 }, (_, i) => `${zxid + 1 + i}.0 dataChanged /a`),
  )
  watcher.ok(watch('/b', { streamId: 9_999 }))
  t.same(told(watcher), [`#9999 caughtUp ${zxid + 2_500}`], 'one without a position says it too')
  writer.ok(setData('/a', data))
  writer.create('/b')
  t.same(told(watcher).length, 2)
})

t.test('STREAM-6 compacted history is one gap', async (t) => {
  const { kit, watcher, writer, zxid } = scene(1_000)
  for (let i = 0; i < 50; i++) writer.ok(setData('/a', data))
  const last = zxid + 50
  kit.purgeLog(zxid + 1)
  t.same(from(watcher, position(zxid, whole)), [`gap ${zxid}..${last}`, `caughtUp ${last}`])
  t.same(from(watcher, position(0, whole)), [`gap 0..${last}`, `caughtUp ${last}`])
  t.same(from(watcher, position(last - 1, whole)), [`${last}.0 dataChanged /a`, `caughtUp ${last}`])
  writer.ok(setData('/a', data))
  t.equal(
    told(watcher).filter((line) => line.endsWith(` ${last + 1}.0 dataChanged /a`)).length,
    3,
    'all go on behind it',
  )
})

t.test('STREAM-6 a txn whose rest is compacted is a gap, one that is whole is none', async (t) => {
  const { kit, watcher, writer, zxid } = scene(1)
  writer.ok(multi([setData('/a', data), create('/a/1')]))
  kit.purgeLog(zxid + 1)
  const end = `caughtUp ${zxid + 1}`
  t.same(from(watcher, position(zxid + 1, 0)), [`gap ${zxid + 1}..${zxid + 1}`, end])
  t.same(from(watcher, position(zxid + 1, whole)), [end])
})

t.test('STREAM-6 what is compacted before a replay comes to it is one gap too', async (t) => {
  const { kit, watcher, writer, zxid } = scene(100_000)
  for (let i = 0; i < 5; i++) writer.ok(setData('/a', data))
  const { connection } = watcher
  const frame = requestOf(watch('/a', { from: position(zxid + 1, 0) }), 1)
  kit.replica.step({ input: 'clientFrame', connection, frame, bytes: 100 })
  kit.step({ input: 'clientCongested', connection, congested: true })
  t.same(told(watcher), ['reply 1'])
  for (let i = 0; i < 3; i++) writer.ok(setData('/a', new Uint8Array(99_000)))
  kit.purgeLog(zxid + 2)
  kit.step({ input: 'clientCongested', connection, congested: false })
  const last = zxid + 8
  t.same(told(watcher), [`#1 gap ${zxid + 1}..${last}`, `#1 caughtUp ${last}`])
  writer.ok(setData('/a', data))
  t.same(told(watcher), [`#1 ${last + 1}.0 dataChanged /a`])
})

t.test('STREAM-7 a position of the future or of another ensemble is one gap', async (t) => {
  const { watcher, writer, zxid } = scene()
  const gap = [`gap 0..${zxid}`, `caughtUp ${zxid}`]
  t.same(from(watcher, position(zxid + 1, 0)), gap)
  t.same(from(watcher, position(zxid + 1_000, whole)), gap)
  t.same(from(watcher, position(1, whole, 'another')), gap)
  t.same(from(watcher, position(zxid, whole, 'another')), gap)
  writer.ok(setData('/a', data))
  t.same(
    told(watcher).map((line) => line.slice(3)),
    Array<string>(4).fill(`${zxid + 1}.0 dataChanged /a`),
    'they go on from what is there',
  )
})

t.test('STREAM-8 a stream goes on on another connection', async (t) => {
  const { watcher, writer, zxid } = scene()
  watcher.ok(watch('/a', { recursive: true }))
  watcher.take()
  const ops = [
    create('/a/1'),
    multi([create('/a/2'), setData('/a', data), remove('/a/1')]),
    setData('/a/2', data),
  ]
  const expected = [
    `${zxid + 1}.0 created /a/1`,
    `${zxid + 2}.0 created /a/2`,
    `${zxid + 2}.2 dataChanged /a`,
    `${zxid + 2}.3 deleted /a/1`,
    `${zxid + 3}.0 dataChanged /a/2`,
    `${zxid + 4}.0 created /a/4`,
  ]
  for (const op of ops) writer.ok(op)
  const events = watcher
    .take()
    .flatMap((frame) => (frame.frame === 'streamEvents' ? frame.events : []))
  t.equal(events.length, 5)
  let attach = 1
  for (const [i, { zxid: at, index }] of events.entries()) {
    attach += 1
    const again = reattach(watcher, { attach })
    if (i === 0) writer.create('/a/4')
    t.same(from(again, position(at, index)), [...expected.slice(i + 1), `caughtUp ${zxid + 4}`])
  }
})

t.test('STREAM-9 after a restart a stream resumes from the log', async (t) => {
  for (const snapshotTxns of [1_000_000, 2]) {
    const kit = new ReplicaKit({ snapshotTxns })
    const writer = kit.client()
    const watcher = kit.client()
    const { zxid } = kit.replica.status
    writer.create('/a')
    writer.ok(multi([create('/a/1'), setData('/a', data)]))
    writer.ok(remove('/a/1'))
    t.equal(kit.snapshot !== null, snapshotTxns === 2)
    kit.restart()
    const again = reattach(watcher)
    const expected = [
      `${zxid + 1}.0 created /a`,
      `${zxid + 2}.0 created /a/1`,
      `${zxid + 2}.2 dataChanged /a`,
      `${zxid + 3}.0 deleted /a/1`,
      `caughtUp ${zxid + 3}`,
    ]
    t.same(from(again, position(zxid, whole)), expected)
    t.same(from(again, position(zxid + 2, 0)), expected.slice(2))
  }
})

t.test('STREAM-9 what the log has lost is a gap after a restart', async (t) => {
  const kit = new ReplicaKit({ snapshotTxns: 3 })
  const writer = kit.client()
  const watcher = kit.client()
  for (const path of ['/a', '/a/1', '/a/2', '/a/3', '/a/4']) writer.create(path)
  const saved = kit.snapshot?.header.zxid ?? 0
  kit.purgeLog(saved)
  t.ok(saved > 3 && kit.log.length > 0)
  kit.restart()
  const last = kit.replica.status.zxid
  const again = reattach(watcher)
  t.same(from(again, position(3, whole)), [`gap 3..${last}`, `caughtUp ${last}`])
  t.equal(from(again, position(saved, whole)).length, last - saved + 1)
})

t.test('STREAM-15 a replay adds no more than its connection should be given', async (t) => {
  const { kit, watcher, writer, zxid } = scene(64_000_000)
  const large = new Uint8Array(limits.outboxBytesSoft / 4)
  const count = 40
  for (let i = 0; i < count; i++) writer.ok(setData('/a', large))
  const { connection } = watcher
  const op = watch('/a', { withDetail: true, from: position(zxid, whole) })
  const bytes = 100
  kit.replica.step({ input: 'clientFrame', connection, frame: requestOf(op, 1), bytes })
  const eventsOfNextDrain = (): number =>
    kit.replica
      .drain()
      .flatMap((effect) => (effect.effect === 'sendClient' ? effect.frames : []))
      .reduce((sum, frame) => sum + (frame.frame === 'streamEvents' ? frame.events.length : 0), 0)
  let told = eventsOfNextDrain()
  t.ok(told > 0 && told <= 5, `${told} events of a quarter of the bound each`)
  kit.replica.step({ input: 'clientCongested', connection, congested: true })
  for (let i = 0; i < 5; i++) t.equal(eventsOfNextDrain(), 0, 'nothing while it is congested')
  kit.replica.step({ input: 'clientCongested', connection, congested: false })
  for (let events = eventsOfNextDrain(); events > 0; events = eventsOfNextDrain()) {
    t.ok(events <= 5)
    told += events
  }
  t.equal(told, count, 'and nothing is lost')
  watcher.frame(probe(1))
  t.equal(watcher.closed, undefined)
})
