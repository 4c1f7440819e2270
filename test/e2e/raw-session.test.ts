import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Frame, HandClient } from '../support/hand-client.js'
import { HandFloat, packByHand, type Value } from '../support/hand-msgpack.js'
import { ServerProcess } from '../support/server-process.js'

/** As raw-protocol.test.ts: what outlives a connection, and what ends one. */
const root = mkdtempSync(join(tmpdir(), 'conclave-raw-'))
const server = new ServerProcess({ data: join(root, 'data') })
await server.start()
t.teardown(async () => {
  await server.stop()
  rmSync(root, { recursive: true })
})

const hello = new Uint8Array(Buffer.from('hello'))
const wholeTxn = 2 ** 53 - 1
const create = (path: string, data: Uint8Array | null = null): Frame => [
  1,
  path,
  data,
  'persistent',
  null,
  0,
]

t.test('PROTO-8 a one-shot watch fires once, before the reply that shows the change', async (t) => {
  const client = await HandClient.attach(server.url)
  await client.result([10, '/watched', true, false])
  client.send([2, ++client.session.lastXid, 0, 0, create('/watched')])
  const [event, reply] = [await client.next(), await client.next()]
  t.strictSame(event, [5, reply[2], 'data', 'created', '/watched'])
  await client.result([11, '/watched', true, false])
  await client.result([12, '/watched', true, false, null, 0, false])
  client.send([2, ++client.session.lastXid, 0, 0, create('/watched/child')])
  t.strictSame((await client.next()).slice(2), ['child', 'childrenChanged', '/watched'])
  await client.next()
  client.send([2, ++client.session.lastXid, 0, 0, [3, '/watched', hello, -1]])
  t.strictSame((await client.next()).slice(2), ['data', 'dataChanged', '/watched'])
  await client.next()
  await client.result([3, '/watched', null, -1])
  t.strictSame(await client.failure([23, '/watched', 'any']), ['noWatcher', null])
  await client.result([11, '/watched', true, false])
  t.strictSame(await client.result([23, '/watched', 'data']), [])

  const { session } = client
  await client.drop()
  const fromZxid = session.lastZxidSeen
  const other = await HandClient.attach(server.url)
  await other.result([3, '/watched', hello, -1])
  const again = await HandClient.attach(server.url, session)
  again.send([2, ++session.lastXid, 0, 0, [24, fromZxid, ['/watched'], ['/later'], ['/watched']]])
  t.strictSame((await again.next()).slice(2), ['data', 'dataChanged', '/watched'])
  t.strictSame((await again.next()).slice(3), [null, []])
  await other.result(create('/later'))
  t.strictSame((await again.next()).slice(2), ['data', 'created', '/later'])
  await Promise.all([again.close(), other.close()])
})

t.test('PROTO-9 a stream resumes at a position, also on a restarted server', async (t) => {
  const client = await HandClient.attach(server.url)
  const other = await HandClient.attach(server.url)
  await client.result(create('/stream'))
  const [opened] = (await client.result([21, 7, '/stream', true, true, null])) as [Frame]
  t.strictSame(opened.slice(0, 1), [client.session.ensembleId])
  t.strictSame(await client.next(), [8, 7, opened[1]], 'caught up at once')
  const made = (await other.result(create('/stream/a', hello)))[1] as Frame
  const frame = await client.next()
  const detail = [hello, made[0], made[1], 0, made[4], 0]
  t.strictSame(frame, [6, 7, [['created', made[0], 0, '/stream/a', detail]]])
  t.strictSame(await client.result([22, 7]), [])

  const pair = [create('/stream/b'), create('/stream/c')]
  const multi = await other.request([6, [], [], pair, []])
  const { session } = client
  await client.drop()
  await server.kill()
  await server.start()
  const again = await HandClient.attach(server.url, session)
  t.equal(again.frames[0]?.[6], true, 'resumed')
  const zxid = multi[2] as number
  const position = [session.ensembleId, zxid, 0]
  await again.result([21, 1, '/stream', true, false, position])
  t.strictSame(await again.next(), [6, 1, [['created', zxid, 2, '/stream/c', null]]])
  t.strictSame((await again.next()).slice(0, 2), [8, 1])
  await again.result([21, 2, '/stream', false, false, [session.ensembleId, zxid - 1, wholeTxn]])
  const changed = ['childrenChanged', zxid, 1, '/stream', null]
  t.strictSame(await again.next(), [6, 2, [changed, changed.with(2, 3)]])
  t.strictSame((await again.next()).slice(0, 2), [8, 2])
  await again.result([21, 3, '/stream', true, false, ['another', 1, 0]])
  t.strictSame((await again.next()).slice(0, 3), [7, 3, 0], 'a gap from 0')
  t.strictSame((await again.next()).slice(0, 2), [8, 3])
  await Promise.all([again.close(), other.drop()])
})

t.test('PROTO-10 a write that is sent again gets its first reply until it is acked', async (t) => {
  const client = await HandClient.attach(server.url)
  const { session } = client
  await client.result(create('/again'))
  const write = [1, '/again/', null, 'persistentSequential', null, 0]
  const first = await client.request(write, 0)
  const refused = await client.request(create('/no/parent'), 0)
  const [xid, refusedXid] = [first[1] as number, refused[1] as number]
  await client.drop()
  await server.kill()
  await server.start()
  const again = await HandClient.attach(server.url, session)
  again.send([2, xid, 0, 0, write], [2, refusedXid, 0, 0, create('/no/parent')])
  t.strictSame((await again.next()).toSpliced(2, 1), first.toSpliced(2, 1))
  t.strictSame((await again.next()).toSpliced(2, 1), refused.toSpliced(2, 1))
  again.send([3, xid], [2, xid, xid, 0, write], [5, 99])
  t.strictSame(await again.next(), [4, 99], 'an acked write is dropped without a reply')
  const leftOut = ++session.lastXid
  const next = await again.request(write, xid)
  t.equal((next[4] as Frame)[0], '/again/0000000001', 'it ran once')
  again.send([2, leftOut, xid, 0, write])
  const late = await again.next()
  t.strictSame([late[1], (late[3] as Frame)[0]], [leftOut, 'notExecuted'])
  await again.close()
})

t.test('PROTO-11 pings are ponged, probes are probed, and floats may be integers', async (t) => {
  const client = await HandClient.attach(server.url)
  client.send([4, 41, 0], [5, 42])
  const answers = [await client.next(), await client.next()].sort(
    (a, b) => +(a[0] ?? 0) - +(b[0] ?? 0),
  )
  t.strictSame(
    [answers[0]?.slice(0, 2), answers[1]],
    [
      [3, 41],
      [4, 42],
    ],
  )
  t.equal(answers[0]?.length, 3, 'a pong has a zxid')
  const xid = new HandFloat(++client.session.lastXid)
  client.send([new HandFloat(2), xid, new HandFloat(0), 0, [new HandFloat(10), '/', false, false]])
  t.strictSame((await client.next()).slice(0, 2), [2, client.session.lastXid])
  client.send()
  client.send([5, 43])
  t.strictSame(await client.next(), [4, 43], 'a message without frames is good')
  await client.close()
})

t.test('PROTO-12 a closed session is over, and says what became of its writes', async (t) => {
  const client = await HandClient.attach(server.url)
  const { session } = client
  const made = await client.request([1, '/mine', null, 'ephemeral', null, 0], 0)
  t.strictSame((await client.request([8], 0)).slice(3), [null, []])
  t.strictSame(await client.next(), [10, 'sessionEnded'])
  t.strictSame(await client.closed, { code: 4410, reason: 'sessionEnded' })

  const late = await HandClient.open(server.url, session)
  const { sessionId, nonce, ensembleId, lastZxidSeen } = session
  late.send([1, 1, sessionId, nonce, 2, 10_000, lastZxidSeen, ensembleId, 0])
  const outcomes = [
    [made[1], null, made[4]],
    [session.lastXid, null, []],
  ]
  t.strictSame(await late.next(), [9, 'closed', true, outcomes])
  t.strictSame(await late.next(), [10, 'sessionEnded'])
  t.strictSame(await late.closed, { code: 4410, reason: 'sessionEnded' })
  const other = await HandClient.attach(server.url)
  t.strictSame(await other.result([10, '/mine', false, false]), [null], 'its ephemeral is gone')
  await other.close()
})

t.test('PROTO-13 a newer connection of a session closes the older one', async (t) => {
  const older = await HandClient.attach(server.url)
  const newer = await HandClient.attach(server.url, older.session)
  t.equal(newer.frames[0]?.[6], true)
  t.strictSame(await older.next(), [10, 'sessionMoved'])
  t.strictSame(await older.closed, { code: 4409, reason: 'sessionMoved' })
  t.strictSame(await newer.result([10, '/absent', false, false]), [null])
  const { session } = newer
  const stranger = await HandClient.open(server.url)
  const nonce = new Uint8Array(16)
  stranger.send([1, 1, session.sessionId, nonce, 9, 10_000, 0, session.ensembleId, 0])
  t.strictSame(await stranger.next(), [9, 'wrongNonce', false, []])
  await newer.close()
})

t.test('PROTO-14 a bad frame closes its connection with 4400', async (t) => {
  const xid = 1
  const request = (op: Value): readonly Value[] => [2, xid, 0, 0, op]
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ['no MessagePack', Buffer.from([0xc1])],
    ['two values', Buffer.from([0x90, 0x90])],
    ['a map', Buffer.from([0x91, 0x80])],
    ['a timestamp', Buffer.from([0x91, 0xd6, 0xff, 0, 0, 0, 0])],
    ['no array', packByHand(5)],
    ['an unknown frame', packByHand([[77]])],
    ['an unknown operation', packByHand([request([99])])],
    ['too few elements', packByHand([[4, 1]])],
    ['too many elements', packByHand([[4, 1, 0, 0]])],
    ['another type', packByHand([request([10, 5, false, false])])],
    ['text for bytes', packByHand([request([3, '/', 'text', -1])])],
    ['xid 0', packByHand([[2, 0, 0, 0, [18]]])],
    ['a fraction', packByHand([[4, new HandFloat(1.5), 0]])],
    ['2^53', packByHand([[4, new HandFloat(2 ** 53), 0]])],
    ['an unknown kind', packByHand([request([1, '/k', null, 'lasting', null, 0])])],
    ['an unknown scheme', packByHand([request([4, '/', [['moon', 'x', 1]], -1])])],
    ['a second connect', packByHand([[1, 1, 0, new Uint8Array(16), 1, 10_000, 0, null, 0]])],
  ]
  for (const [what, message] of bad) {
    const client = await HandClient.attach(server.url)
    client.sendBytes(message)
    t.strictSame(await client.next(), [10, 'badFrame'], what)
    t.strictSame(await client.closed, { code: 4400, reason: 'badFrame' }, what)
  }
  const client = await HandClient.attach(server.url)
  client.sendText('[]')
  t.strictSame(await client.closed, { code: 4400, reason: 'badFrame' }, 'text')
  const early = await HandClient.open(server.url)
  early.send([5, 1])
  t.strictSame(await early.closed, { code: 4400, reason: 'badFrame' }, 'no connect first')
  const future = await HandClient.open(server.url)
  future.send([1, 2, 0, new Uint8Array(16), 1, 10_000, 0, null, 0])
  t.strictSame(await future.next(), [10, 'badVersion'])
  t.strictSame(await future.closed, { code: 4426, reason: 'badVersion' })
})

t.test('PROTO-15 a bad value is answered, and the connection stays open', async (t) => {
  const client = await HandClient.attach(server.url)
  const answers: readonly (readonly [string, Frame])[] = [
    ['badArguments', create('no-slash')],
    ['badArguments', create('/a//b')],
    ['badArguments', [1, '/t', null, 'persistent', null, 5]],
    ['badArguments', [2, '/', -1]],
    ['badArguments', [3, '/conclave', null, -1]],
    ['badArguments', [5, '/', -2, false]],
    ['tooLarge', create('/big', new Uint8Array(1_048_577))],
    ['badArguments', create(`/${'x'.repeat(1_024)}`)],
    ['invalidAcl', [4, '/', [['world', 'anyone', 32]], -1]],
    ['invalidAcl', [4, '/', [['world', 'nobody', 1]], -1]],
    ['invalidAcl', [4, '/', Array.from({ length: 65 }, () => ['world', 'anyone', 1]), -1]],
    ['noWatcher', [23, '/', 'any']],
  ]
  for (const [code, op] of answers) {
    t.strictSame(await client.failure(op), [code, null], JSON.stringify(op).slice(0, 60))
  }
  await client.close()
})
