import {
  type ClientFrame,
  limits,
  type ServerFrame,
  type ServerFrameOf,
  type StreamPosition,
  type Zxid,
} from '@conclave/protocol'
import t from 'tap'
import { fakeStat } from '../support/fake-server.js'
import {
  brief,
  done,
  failed,
  MachineKit,
  pong,
  read,
  readDone,
  sent,
  set,
  settled,
  stream,
  submit,
} from './machine-kit.js'

const fired = (kind: 'data' | 'child', zxid: number, path = '/a'): ServerFrame => ({
  frame: 'event',
  zxid: zxid as Zxid,
  kind,
  type: kind === 'data' ? 'dataChanged' : 'childrenChanged',
  path,
})
const opsOf = (frames: readonly ClientFrame[]) =>
  frames.flatMap((frame) => (frame.frame === 'request' ? [frame.op] : []))

t.test('SDK-21 one event is handed to every registration once, before the reply', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('x', read('/a', true)), submit('y', read('/a', true)))
  kit.hear(readDone(1), readDone(2))
  kit.give(submit('z', read('/a', true)))
  const event = { type: 'dataChanged', kind: 'data', path: '/a', zxid: 30 }
  t.match(kit.hear(fired('data', 30), readDone(3, 30)), [
    { effect: 'event', tokens: ['x', 'y'], event },
    { effect: 'settle', token: 'z' },
  ])
  t.match(kit.hear(fired('data', 31)), [{ effect: 'event', tokens: ['z'] }])
  t.strictSame(kit.hear(fired('data', 32)), [])
})

t.test('SDK-21 data and child watches of one path are apart', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(
    submit('d', read('/a', true)),
    submit('c', {
      op: 'getChildren',
      path: '/a',
      watch: true,
      linearizable: false,
      cursor: null,
      limit: 10,
      withStat: false,
    }),
  )
  kit.hear(readDone(1), done(2, 'getChildren', { children: [], cursor: null, stat: fakeStat() }))
  t.match(kit.hear(fired('child', 30)), [{ tokens: ['c'] }])
  t.match(kit.hear(fired('data', 31)), [{ tokens: ['d'] }])
})

t.test('SDK-21 a read that fails sets no watch', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('x', read('/a', true)))
  kit.hear(failed(1, 'noNode'))
  t.strictSame(kit.hear(fired('data', 30)), [])
})

const exists = (path: string) => ({ op: 'exists', path, watch: true, linearizable: false }) as const

t.test('SDK-22 watches are set again before anything else is sent again', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(
    submit('a', read('/a', true)),
    submit('b', exists('/b')),
    submit('c', exists('/c')),
    stream('s'),
  )
  kit.hear(
    readDone(1, 20),
    done(2, 'exists', { stat: null }, 21),
    done(3, 'exists', { stat: fakeStat() }, 22),
  )
  kit.give(submit('w', set()))
  kit.lose()
  const frames = sent(kit.attach(90))
  t.match(opsOf(frames), [
    { op: 'rearmWatches', fromZxid: 22, data: ['/a', '/c'], exists: ['/b'], child: [] },
    { op: 'watch', path: '/s', from: at(10, whole) },
    { op: 'setData' },
  ])
  t.strictSame(
    frames.map((frame) => frame.frame === 'request' && frame.xid),
    [6, 7, 5],
  )
})

t.test('SDK-22 until they are set again, nothing shown moves what they are set from', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('a', read('/a', true)))
  kit.hear(readDone(1, 20), fired('data', 25, '/other'))
  kit.lose()
  kit.attach(90)
  kit.hear(pong(1, 91))
  kit.lose()
  t.match(opsOf(sent(kit.attach(95))), [{ op: 'rearmWatches', fromZxid: 20 }])
  kit.hear(done(3, 'rearmWatches', {}, 96), pong(1, 97))
  kit.lose()
  t.match(opsOf(sent(kit.attach(98))), [{ op: 'rearmWatches', fromZxid: 97 }])
})

t.test('SDK-22 what fired is not set again, and many paths go in pieces', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  const count = limits.rearmPathsMax + 2
  for (let i = 0; i < count; i++) {
    kit.give(submit(`r${i}`, read(`/p${i}`, true)))
    kit.hear(readDone(i + 1))
  }
  kit.hear(fired('data', 30, '/p0'))
  kit.lose()
  const sizes = opsOf(sent(kit.attach())).map((op) =>
    op.op === 'rearmWatches' ? op.data.length : 0,
  )
  t.strictSame(sizes, [limits.rearmPathsMax, 1])
})

t.test('SDK-22 a server that cannot set them again is left', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('a', read('/a', true)))
  kit.hear(readDone(1))
  kit.lose()
  kit.attach()
  t.match(kit.hear(failed(2, 'internal')), [{ effect: 'close', connection: 2 }, {}])
})

t.test('SDK-23 removed watches are lost, and not set again', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('a', read('/a', true)))
  kit.hear(readDone(1))
  kit.give(submit('x', { op: 'removeWatches', path: '/a', kind: 'any' }))
  const effects = kit.hear(done(2, 'removeWatches', {}))
  t.match(effects, [
    { effect: 'watchesLost', tokens: ['a'], why: { failure: { code: 'noWatcher' } } },
    { effect: 'settle', token: 'x' },
  ])
  kit.lose()
  t.strictSame(brief(kit.attach()), [])
})

t.test('SDK-23 the end of the session ends every watch and every stream', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('a', read('/a', true)), stream('s'))
  kit.hear(readDone(1))
  const gone = { frame: 'sessionExpired', reason: 'expired', complete: true, outcomes: [] } as const
  const code = 'sessionExpired'
  t.match(kit.hear(gone), [
    { effect: 'watchesLost', tokens: ['a'], why: { failure: { code } } },
    { effect: 'stream', token: 's', item: { item: 'ended', why: { failure: { code } } } },
    { effect: 'state' },
    { effect: 'close' },
  ])
})

const at = (zxid: number, index: number): StreamPosition => ({
  ensembleId: 'e1',
  zxid: zxid as Zxid,
  index,
})
const whole = Number.MAX_SAFE_INTEGER
const events = (streamId: number, ...all: readonly [zxid: number, index: number][]) =>
  ({
    frame: 'streamEvents',
    streamId,
    events: all.map(([zxid, index]) => ({
      type: 'created',
      zxid: zxid as Zxid,
      index,
      path: `/s/${zxid}.${index}`,
      detail: null,
    })),
  }) as const satisfies ServerFrameOf<'streamEvents'>
const caughtUp = (streamId: number, zxid: number): ServerFrame => ({
  frame: 'streamCaughtUp',
  streamId,
  zxid: zxid as Zxid,
})
const fromOf = (effects: Parameters<typeof sent>[0]): unknown =>
  opsOf(sent(effects)).flatMap((op) => (op.op === 'watch' ? [[op.streamId, op.from]] : []))

t.test('SDK-24 a stream resumes after the last event it gave', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  t.strictSame(fromOf(kit.give(stream('s'))), [[1, null]])
  t.match(kit.hear(done(1, 'watch', { position: at(20, 3) }), events(1, [21, 0], [21, 1])), [
    { item: { item: 'opened', position: at(20, 3) } },
    { item: { item: 'event', position: at(21, 0) } },
    { item: { item: 'event', position: at(21, 1), event: { path: '/s/21.1' } } },
  ])
  kit.lose()
  t.strictSame(fromOf(kit.attach()), [[2, at(21, 1)]])
  t.strictSame(kit.hear(events(1, [22, 0])), [], 'a late frame of the first')
  t.match(kit.hear(events(2, [21, 1], [22, 0])), [{ item: { position: at(22, 0) } }])
})

t.test('SDK-24 a stream never answered starts anew, before the calls behind it', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(stream('s'), submit('w', set()))
  kit.lose()
  t.strictSame(brief(kit.attach()), ['3 watch 1/0', '2 setData 1/0'])
})

t.test('SDK-24 a stream whose first answer is lost begins where it was asked for', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(submit('r', read()))
  kit.hear(readDone(1, 45))
  t.strictSame(fromOf(kit.give(stream('s'))), [[1, null]])
  kit.lose()
  t.strictSame(fromOf(kit.attach()), [[2, at(45, whole)]])
  t.match(kit.hear(done(3, 'watch', { position: at(45, whole) }, 50), events(2, [46, 0])), [
    { item: { item: 'opened', position: at(45, whole) } },
    { item: { item: 'event', position: at(46, 0) } },
  ])
})

t.test('SDK-25 replies and pongs move a stream on once it has caught up', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  const position = (): unknown => kit.machine.calls.streamStanding('s')?.position
  kit.give(stream('s', { from: at(5, 0) }))
  kit.hear(done(1, 'watch', { position: at(5, 0) }, 30))
  t.strictSame(position(), at(5, 0), 'still replaying')
  kit.hear(events(1, [8, 2]))
  t.strictSame(position(), at(8, 2))
  t.match(kit.hear(caughtUp(1, 31)), [{ item: { item: 'caughtUp', position: at(31, whole) } }])
  kit.hear(pong(1, 40))
  t.strictSame(position(), at(40, whole))
  kit.hear(events(1, [41, 0]))
  t.strictSame(position(), at(41, 0))
  kit.give(submit('r', read()))
  kit.hear(readDone(2, 45))
  kit.lose()
  t.strictSame(position(), at(45, whole))
  t.strictSame(fromOf(kit.attach()), [[2, at(45, whole)]])
})

t.test('SDK-25 a stream that has caught up is as fresh as the last answered ping', async (t) => {
  const kit = new MachineKit()
  kit.at(500)
  kit.attach()
  const standing = (): unknown => {
    const { isCaughtUp, currentAtMs } = kit.machine.calls.streamStanding('s') ?? {}
    return { isCaughtUp, currentAtMs }
  }
  kit.give(stream('s', { from: at(5, 0) }))
  kit.hear(done(1, 'watch', { position: at(5, 0) }, 30))
  t.strictSame(standing(), { isCaughtUp: false, currentAtMs: null })
  kit.at(800)
  kit.hear(caughtUp(1, 31))
  t.strictSame(standing(), { isCaughtUp: true, currentAtMs: 500 }, 'asked by the connect')
  kit.at(3_600)
  kit.nowMs = 3_700
  kit.hear(pong(1, 40))
  t.strictSame(standing(), { isCaughtUp: true, currentAtMs: 3_600 })
  kit.hear(pong(7, 40))
  t.strictSame(standing(), { isCaughtUp: true, currentAtMs: 3_600 }, 'no ping of ours')
  kit.lose()
  t.strictSame(standing(), { isCaughtUp: false, currentAtMs: 3_600 })
  kit.nowMs = 5_000
  kit.attach()
  t.strictSame(standing(), { isCaughtUp: false, currentAtMs: 3_600 })
  kit.hear(caughtUp(2, 50))
  t.strictSame(standing(), { isCaughtUp: true, currentAtMs: 5_000 })
})

t.test('SDK-26 a gap is an event, and the stream goes on behind it', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(stream('s', { from: { ...at(500, 0), ensembleId: 'other' } }))
  const gap = { frame: 'streamGap', streamId: 1, from: 0 as Zxid, to: 50 as Zxid } as const
  t.match(kit.hear(gap, events(1, [51, 0])), [
    { item: { item: 'gap', from: 0, to: 50, position: at(50, whole) } },
    { item: { item: 'event', position: at(51, 0) } },
  ])
})

t.test('SDK-27 a paused stream is taken off the wire and resumes where it stopped', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(stream('s', { from: at(5, 0) }))
  kit.hear(events(1, [6, 0]))
  t.match(opsOf(sent(kit.give({ input: 'pauseStream', token: 's' }))), [
    { op: 'unwatch', streamId: 1 },
  ])
  t.strictSame(kit.hear(events(1, [7, 0])), [])
  kit.lose()
  t.strictSame(brief(kit.attach()), [], 'a paused stream is not resumed by a reconnect')
  t.strictSame(fromOf(kit.give({ input: 'resumeStream', token: 's' })), [[2, at(6, 0)]])
})

t.test('SDK-27 a closed stream is taken off the wire for good', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(stream('s'))
  t.match(opsOf(sent(kit.give({ input: 'closeStream', token: 's' }))), [{ op: 'unwatch' }])
  t.strictSame(kit.hear(events(1, [7, 0])), [])
  kit.lose()
  t.strictSame(brief(kit.attach()), [])
})

t.test(
  'SDK-27 a request for a stream that waits inside does not outlive its connection',
  async (t) => {
    const kit = new MachineKit()
    kit.attach()
    for (let i = 0; i < limits.requestsPerSessionMax; i++) kit.machine.step(submit(`r${i}`, read()))
    kit.give(stream('s'))
    kit.lose()
    kit.attach()
    kit.machine.drain()
    const answers = Array.from({ length: limits.requestsPerSessionMax }, (_, i) => readDone(i + 1))
    const late = opsOf(sent(kit.hear(...answers)))
    t.strictSame(
      late.filter((op) => op.op === 'watch'),
      [],
      'it went out first, once',
    )
  },
)

t.test('SDK-28 a refused stream ends with the error', async (t) => {
  const kit = new MachineKit()
  kit.attach()
  kit.give(stream('s'))
  const effects = kit.hear(failed(1, 'noAuth'))
  t.match(effects, [
    { effect: 'stream', item: { item: 'ended', why: { failure: { code: 'noAuth' } } } },
  ])
  t.strictSame(settled(effects), [])
})
