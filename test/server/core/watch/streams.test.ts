import t from 'tap'
import {
  bytesOf,
  type ClientKit,
  create,
  getData,
  remove,
  ReplicaKit,
  setData,
} from '../../../support/replica-kit.js'
import {
  ping,
  position,
  reattach,
  requestOf,
  told,
  together,
  unwatch,
  watch,
} from '../../../support/session-kit.js'
import { closeSession, exists, multi, setAcl, world } from '../../../support/tree-kit.js'

const data = bytesOf('x')

/** A writer and one who streams, with `/a` there. */
const scene = (): { kit: ReplicaKit; watcher: ClientKit; writer: ClientKit; zxid: number } => {
  const kit = new ReplicaKit()
  const writer = kit.client()
  writer.create('/a')
  const watcher = kit.client()
  return { kit, watcher, writer, zxid: kit.replica.status.zxid }
}

t.test('STREAM-1 a stream without a position begins now', async (t) => {
  const { watcher, writer, zxid } = scene()
  writer.ok(setData('/a', data))
  const opened = watcher.ok(watch('/a'))
  t.same(opened.position, position(zxid + 1, Number.MAX_SAFE_INTEGER))
  writer.ok(setData('/a', data))
  writer.create('/b')
  writer.ok(setData('/a', data))
  t.same(told(watcher), [
    `#1 caughtUp ${zxid + 1}`,
    `#1 ${zxid + 2}.0 dataChanged /a`,
    `#1 ${zxid + 4}.0 dataChanged /a`,
  ])
})

t.test('STREAM-1 nothing is lost between the reply and the first event', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  const { connection } = watcher
  kit.isDiskHeld = true
  writer.send(setData('/a', data))
  const frame = requestOf(watch('/a'), 1)
  kit.replica.step({ input: 'clientFrame', connection, frame, bytes: 100 })
  kit.releaseDisk()
  t.same(told(watcher), ['reply 1', `#1 ${zxid + 1}.0 dataChanged /a`, `#1 caughtUp ${zxid + 1}`])
  writer.ok(setData('/a', data))
  t.same(told(watcher), [`#1 ${zxid + 2}.0 dataChanged /a`])
})

t.test('STREAM-2 a recursive stream tells of its path and all below', async (t) => {
  const { watcher, writer, zxid } = scene()
  watcher.ok(watch('/a', { recursive: true, streamId: 7 }))
  watcher.take()
  writer.create('/a/b')
  writer.create('/a/b/c')
  writer.ok(setData('/a/b/c', data))
  writer.ok(setData('/a', data))
  writer.ok(remove('/a/b/c'))
  writer.ok(remove('/a/b'))
  writer.create('/ab')
  writer.ok(setAcl('/a', world(31)))
  writer.ok(remove('/a'))
  t.same(told(watcher), [
    `#7 ${zxid + 1}.0 created /a/b`,
    `#7 ${zxid + 2}.0 created /a/b/c`,
    `#7 ${zxid + 3}.0 dataChanged /a/b/c`,
    `#7 ${zxid + 4}.0 dataChanged /a`,
    `#7 ${zxid + 5}.0 deleted /a/b/c`,
    `#7 ${zxid + 6}.0 deleted /a/b`,
    `#7 ${zxid + 9}.0 deleted /a`,
  ])
})

t.test('STREAM-2 a recursive stream of the root sees all', async (t) => {
  const { watcher, writer, zxid } = scene()
  watcher.ok(watch('/', { recursive: true }))
  watcher.take()
  writer.create('/a/b')
  writer.create('/c')
  t.same(told(watcher), [`#1 ${zxid + 1}.0 created /a/b`, `#1 ${zxid + 2}.0 created /c`])
})

t.test('STREAM-3 a stream that is not recursive tells of its one path', async (t) => {
  const { watcher, writer, zxid } = scene()
  watcher.ok(watch('/s'))
  watcher.take()
  writer.create('/s')
  writer.create('/s/b')
  writer.create('/s/b/c')
  writer.ok(setData('/s/b', data))
  writer.ok(setData('/s', data))
  writer.ok(remove('/s/b/c'))
  writer.ok(remove('/s/b'))
  writer.ok(remove('/s'))
  t.same(told(watcher), [
    `#1 ${zxid + 1}.0 created /s`,
    `#1 ${zxid + 2}.1 childrenChanged /s`,
    `#1 ${zxid + 5}.0 dataChanged /s`,
    `#1 ${zxid + 7}.1 childrenChanged /s`,
    `#1 ${zxid + 8}.0 deleted /s`,
  ])
})

t.test('STREAM-4 events are in order, without a gap and without a duplicate', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  writer.create('/e', { kind: 'ephemeral' })
  writer.create('/a/e', { kind: 'ephemeral' })
  watcher.ok(watch('/', { recursive: true }))
  watcher.take()
  kit.isDiskHeld = true
  writer.send(multi([create('/m'), create('/m/n'), setData('/m', data), remove('/m/n')]))
  writer.send(setData('/a', data))
  writer.send(closeSession)
  kit.releaseDisk()
  const at = zxid + 3
  t.same(told(watcher), [
    `#1 ${at}.0 created /m`,
    `#1 ${at}.2 created /m/n`,
    `#1 ${at}.4 dataChanged /m`,
    `#1 ${at}.5 deleted /m/n`,
    `#1 ${at + 1}.0 dataChanged /a`,
    `#1 ${at + 2}.0 deleted /e`,
    `#1 ${at + 2}.2 deleted /a/e`,
  ])
})

t.test('STREAM-10 detail comes with each event of a stream that asked for it', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  const owner = writer.sessionId
  watcher.ok(watch('/a', { recursive: true, withDetail: true }))
  watcher.ok(watch('/a', { recursive: true, streamId: 2 }))
  watcher.ok(watch('/a', { withDetail: true, streamId: 3 }))
  watcher.take()
  const times: number[] = []
  const write = (write: () => unknown): void => {
    kit.tick()
    write()
    times.push(kit.log.at(-1)?.timeMs ?? 0)
  }
  write(() => writer.create('/a/b', { kind: 'ephemeral', data }))
  write(() => writer.ok(setData('/a/b', bytesOf('yy'))))
  write(() => writer.ok(remove('/a/b')))
  const details = (streamId: number): unknown[] =>
    frames.flatMap((frame) =>
      frame.frame === 'streamEvents' && frame.streamId === streamId
        ? frame.events.map(({ detail }) => detail)
        : [],
    )
  const frames = watcher.take()
  const made = zxid + 1
  const set = zxid + 2
  t.same(details(1), [
    { data, czxid: made, mzxid: made, version: 0, mtime: times[0], ephemeralOwner: owner },
    {
      data: bytesOf('yy'),
      czxid: made,
      mzxid: set,
      version: 1,
      mtime: times[1],
      ephemeralOwner: owner,
    },
    { data: null, czxid: made, mzxid: set, version: 1, mtime: times[1], ephemeralOwner: owner },
  ])
  t.same(details(2), [null, null, null])
  t.same(details(3), [null, null], 'childrenChanged has none')
})

t.test('STREAM-11 events come before what shows their state', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  watcher.ok(watch('/a'))
  watcher.take()
  kit.isDiskHeld = true
  together([
    [writer, requestOf(setData('/a', data), 2)],
    [watcher, requestOf(setData('/a', data), 2)],
    [writer, requestOf(setData('/a', data), 3)],
    [watcher, requestOf(getData('/a'), 3)],
  ])
  kit.releaseDisk()
  writer.ok(setData('/a', data))
  watcher.frame(ping(1))
  t.same(told(watcher), [
    `#1 ${zxid + 1}.0 dataChanged /a`,
    `#1 ${zxid + 2}.0 dataChanged /a`,
    'reply 2',
    'reply 3',
    `#1 ${zxid + 3}.0 dataChanged /a`,
    `#1 ${zxid + 4}.0 dataChanged /a`,
    'pong 1',
  ])
})

t.test('STREAM-11 every reply moves an idle stream, so that it never gaps', async (t) => {
  const kit = new ReplicaKit({ historyBytesMax: 1_000 })
  const writer = kit.client()
  const watcher = kit.client()
  const { position: start } = watcher.ok(watch('/idle'))
  for (let i = 0; i < 50; i++) writer.create(`/${i}`)
  watcher.frame(ping(1))
  const pong = watcher.take().at(-1)
  const z = pong?.frame === 'pong' ? pong.zxid : 0
  t.equal(z, kit.replica.status.zxid)
  writer.create('/idle')
  kit.purgeLog(z)
  const again = reattach(watcher)
  again.ok(watch('/idle', { from: position(z, Number.MAX_SAFE_INTEGER) }))
  again.ok(watch('/idle', { from: start, streamId: 2 }))
  t.same(told(again), [
    `#1 ${z + 1}.0 created /idle`,
    `#1 caughtUp ${z + 1}`,
    `#2 gap ${start.zxid}..${z + 1}`,
    `#2 caughtUp ${z + 1}`,
  ])
})

t.test('STREAM-12 READ on the path decides whether a stream may be opened', async (t) => {
  const { kit, watcher, writer } = scene()
  writer.ok(setAcl('/a', world(30)))
  t.equal(watcher.code(watch('/a')), 'noAuth')
  t.equal(kit.replica.status.streams, 0)
  t.equal(watcher.code(watch('/none')), null)
  t.equal(watcher.code(watch('/a/none', { streamId: 2 })), null)
})

t.test('STREAM-13 READ is judged by the ACL in force at each event', async (t) => {
  const { watcher, writer, zxid } = scene()
  const from = position(zxid, Number.MAX_SAFE_INTEGER)
  watcher.ok(watch('/a', { recursive: true }))
  watcher.ok(watch('/a', { streamId: 2 }))
  watcher.take()
  writer.create('/a/hidden', { acl: world(30) })
  writer.ok(setData('/a/hidden', data))
  writer.ok(setAcl('/a/hidden', world(31)))
  writer.ok(setData('/a/hidden', data))
  writer.ok(setAcl('/a/hidden', world(30)))
  writer.ok(remove('/a/hidden'))
  writer.ok(setAcl('/a', world(30)))
  writer.create('/a/seen')
  writer.ok(setAcl('/a', world(31)))
  writer.ok(setData('/a', data))
  const recursive = [
    `#1 ${zxid + 4}.0 dataChanged /a/hidden`,
    `#1 ${zxid + 8}.0 created /a/seen`,
    `#1 ${zxid + 10}.0 dataChanged /a`,
  ]
  const exact = [
    `#2 ${zxid + 1}.1 childrenChanged /a`,
    `#2 ${zxid + 6}.1 childrenChanged /a`,
    `#2 ${zxid + 10}.0 dataChanged /a`,
  ]
  const lines = told(watcher)
  t.same(
    lines.filter((line) => line.startsWith('#1')),
    recursive,
  )
  t.same(
    lines.filter((line) => line.startsWith('#2')),
    exact,
  )
  const again = reattach(watcher)
  again.ok(watch('/a', { recursive: true, from }))
  again.ok(watch('/a', { streamId: 2, from }))
  const caughtUp = (id: number): string => `#${id} caughtUp ${zxid + 10}`
  t.same(told(again), [...recursive, caughtUp(1), ...exact, caughtUp(2)], 'also in a replay')
})

t.test('STREAM-14 after the reply of an unwatch no event comes', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  watcher.ok(watch('/a'))
  watcher.ok(watch('/a', { streamId: 2, recursive: true }))
  watcher.take()
  together([
    [writer, requestOf(setData('/a', data), 2)],
    [watcher, requestOf(unwatch(1), 3)],
  ])
  writer.ok(setData('/a', data))
  const of = (id: number): string[] => lines.filter((line) => line.startsWith(`#${id}`))
  const lines = told(watcher)
  t.same(of(1), [])
  t.same(of(2).length, 2, 'the other goes on')
  watcher.ok(unwatch(2))
  writer.ok(setData('/a', data))
  t.same(told(watcher), [])
  t.equal(kit.replica.status.streams, 0)
  t.equal(kit.replica.status.zxid, zxid + 3)
})

t.test('STREAM-14 also of a stream that is still replayed', async (t) => {
  const { kit, watcher, writer, zxid } = scene()
  writer.ok(setData('/a', data))
  together([
    [watcher, requestOf(watch('/a', { from: position(zxid, 0) }), 1)],
    [watcher, requestOf(unwatch(1), 2)],
  ])
  t.same(told(watcher), ['reply 1', 'reply 2'])
  t.equal(kit.replica.status.streams, 0)
})

t.test('STREAM-16 a stream id is used once at a time', async (t) => {
  const { watcher, writer, zxid } = scene()
  watcher.ok(watch('/a'))
  t.equal(watcher.code(watch('/b')), 'badArguments')
  watcher.take()
  writer.create('/b')
  writer.ok(setData('/a', data))
  t.same(told(watcher), [`#1 ${zxid + 2}.0 dataChanged /a`])
  watcher.ok(unwatch(1))
  watcher.ok(watch('/b'))
  t.equal(reattach(watcher).code(watch('/b')), null, 'each connection has its own')
})

t.test('STREAM-17 unwatch of a stream that is not open succeeds', async (t) => {
  const { watcher } = scene()
  t.equal(watcher.code(unwatch(5)), null)
  watcher.ok(watch('/a'))
  watcher.ok(unwatch(1))
  t.equal(watcher.code(unwatch(1)), null)
  t.not(watcher.ok(exists('/a')).stat, null)
})
