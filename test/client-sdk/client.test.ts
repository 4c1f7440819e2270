import {
  BadArgumentsError,
  ClosedError,
  ConclaveError,
  json,
  NodeExistsError,
  NoNodeError,
  NoWatcherError,
  SessionExpiredError,
  text,
  TooLargeError,
  UndecodableError,
} from '#client/index.js'
import { failure, limits, permissions, type Zxid } from '@conclave/protocol'
import t from 'tap'
import { answer, fakeStat } from '../support/fake-server.js'
import { isOp, opsOf, rejection, startPair } from './client-kit.js'

const stat = fakeStat({ version: 3, czxid: 41 })
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value)

t.test('SDK-33 every kind of znode can be created; create resolves to its path', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) =>
    op.op === 'create' ? answer('create', { path: `${op.path}!`, stat }) : null,
  )
  t.equal(await client.create('/a'), '/a!')
  t.equal(await client.create('/q/', null, { kind: 'sequential' }), '/q/!')
  t.equal(await client.create('/q/j-', null, { kind: 'ephemeralSequential' }), '/q/j-!')
  const acl = [{ scheme: 'auth', id: '', permissions: permissions.all }] as const
  await client.create('/t', { a: 1 }, { kind: 'ttl', ttlMs: 5_000, acl, as: json })
  for (const kind of ['ephemeral', 'container', 'ttlSequential'] as const) {
    await client.create('/k', null, { kind })
  }
  t.match(opsOf(server), [
    { kind: 'persistent', data: null, acl: null, ttlMs: 0 },
    { kind: 'persistentSequential', path: '/q/' },
    { kind: 'ephemeralSequential' },
    { kind: 'ttl', ttlMs: 5_000, acl, data: bytesOf('{"a":1}') },
    { kind: 'ephemeral' },
    { kind: 'container' },
    { kind: 'ttlSequential' },
  ])
  const made = await client.create('/a', null, { withStat: true })
  t.strictSame(made, { path: '/a!', stat })
})

t.test('SDK-34 data is typed by a codec or a schema', async (t) => {
  const { server, client } = await startPair(t)
  const data = bytesOf('{"shards":16}')
  server.answerWith((op) => (op.op === 'getData' ? answer('getData', { data, stat }) : null))
  t.strictSame((await client.get('/a')).data, data)
  t.equal((await client.get('/a', { as: text })).data, '{"shards":16}')
  const { data: config } = await client.get('/a', { as: json<{ shards: number }>() })
  t.equal(config.shards, 16)
  const schema = {
    parse(value: unknown): number {
      const { shards } = value as { shards: number }
      if (shards !== 16) throw new RangeError('not 16')
      return shards
    },
  }
  t.equal((await client.get('/a', { as: schema })).data, 16)
  data.set(bytesOf('{"shards":17}'))
  const error = await rejection(client.get('/a', { as: schema }))
  t.ok(error instanceof UndecodableError)
  t.match(error, { path: '/a', outcome: 'executed', cause: { message: 'not 16' } })
})

t.test('SDK-35 every operation sends its op and gives its result', async (t) => {
  const { server, client } = await startPair(t)
  const acl = [{ scheme: 'world', id: 'anyone', permissions: 1 }] as const
  const cursor = bytesOf('c')
  server.answerWith((op) => {
    switch (op.op) {
      case 'setData':
      case 'setAcl':
        return answer(op.op, { stat })
      case 'delete':
      case 'check':
      case 'sync':
      case 'removeWatches':
        return answer(op.op, {})
      case 'exists':
        return answer('exists', { stat: op.path === '/no' ? null : stat })
      case 'getAcl':
        return answer('getAcl', { acl, stat })
      case 'getEphemerals':
        return op.cursor === null
          ? answer('getEphemerals', { paths: ['/e1'], cursor })
          : answer('getEphemerals', { paths: ['/e2'], cursor: null })
      case 'countDescendants':
        return answer('countDescendants', { count: 5, cursor: op.cursor === null ? cursor : null })
      case 'deleteRecursive':
        return answer('deleteRecursive', { deleted: 4, done: opsOf(server).length > 14 })
      case 'whoAmI':
        return answer('whoAmI', { sessionId: client.sessionId, identities: [] })
      default:
        return null
    }
  })
  t.strictSame(await client.set('/a', bytesOf('x'), { version: 2 }), stat)
  t.equal(await client.delete('/a'), undefined)
  t.equal(await client.exists('/no'), null)
  t.strictSame(await client.exists('/a', { consistency: 'linearizable' }), stat)
  t.strictSame(await client.getAcl('/a'), { acl, stat })
  t.strictSame(await client.setAcl('/a', acl, { version: 1 }), stat)
  await client.check('/a', { version: 3 })
  await client.sync()
  await client.removeWatches('/a', { kind: 'child' })
  t.strictSame(await client.getEphemerals(), ['/e1', '/e2'])
  t.equal(await client.countDescendants('/a'), 10)
  t.equal(await client.deleteRecursive('/a'), 8)
  t.strictSame(await client.whoAmI(), { sessionId: 7, identities: [] })
  t.match(opsOf(server).slice(0, 9), [
    { op: 'setData', version: 2 },
    { op: 'delete', version: -1 },
    { op: 'exists', linearizable: false },
    { op: 'exists', linearizable: true },
    { op: 'getAcl' },
    { op: 'setAcl', version: 1 },
    { op: 'check', version: 3 },
    { op: 'sync', path: '/' },
    { op: 'removeWatches', kind: 'child' },
  ])
})

t.test('SDK-36 list asks page by page, and watches with the first', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) =>
    op.op === 'getChildren'
      ? answer('getChildren', {
          children: [{ name: op.cursor === null ? 'a' : 'b', stat: op.withStat ? stat : null }],
          cursor: op.cursor === null ? bytesOf('next') : null,
          stat,
        })
      : null,
  )
  t.strictSame(await client.list('/q').toArray(), ['a', 'b'])
  for await (const child of client.list('/q', { withStat: true })) {
    t.strictSame(child, { name: 'a', stat })
    break
  }
  t.equal(opsOf(server).length, 3, 'a loop that is left asks no more')
  const listing = client.list('/q', { watch: true, pageSize: 1 })
  await listing.toArray()
  t.match(opsOf(server).slice(3), [
    { watch: true, limit: 1 },
    { watch: false, limit: 1 },
  ])
  server.push({
    frame: 'event',
    kind: 'child',
    type: 'childrenChanged',
    path: '/q',
    zxid: 300 as Zxid,
  })
  t.strictSame(await listing.changed, { type: 'childrenChanged', path: '/q', zxid: 300 })
})

t.test('SDK-66 what a listing watches fails with its first page, and with no other', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith(() => ({ failure: failure('noNode') }))
  const failed = client.list('/q', { watch: true })
  const error = await rejection(failed.toArray())
  t.ok(error instanceof NoNodeError)
  t.equal(await rejection(failed.changed), error)
  const wrong = client.list('/q', { watch: true, pageSize: 0 })
  await rejection(wrong.toArray())
  t.ok((await rejection(wrong.changed)) instanceof BadArgumentsError)
  server.answerWith((op) =>
    op.op === 'getChildren' && op.cursor === null
      ? answer('getChildren', { children: [], cursor: bytesOf('next'), stat })
      : { failure: failure('noNode') },
  )
  const listing = client.list('/q', { watch: true })
  await rejection(listing.toArray())
  await rejection(listing.toArray())
  t.match(opsOf(server).slice(-4), [{ watch: true }, {}, { watch: false }, {}], 'one loop sets it')
  const zxid = 300 as Zxid
  server.push({ frame: 'event', kind: 'child', type: 'deleted', path: '/q', zxid })
  t.match(await listing.changed, { type: 'deleted' })
})

t.test('SDK-37 changed tells once, and rejects when it never will', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) => {
    if (op.op === 'getData') return answer('getData', { data: null, stat })
    if (op.op === 'exists') return answer('exists', { stat: null })
    return op.op === 'removeWatches' ? answer('removeWatches', {}) : null
  })
  const { changed } = await client.get('/a', { watch: true })
  const absent = await client.exists('/b', { watch: true })
  t.equal(absent.stat, null)
  const event = { frame: 'event', kind: 'data', zxid: 300 as Zxid } as const
  server.push(
    { ...event, type: 'dataChanged', path: '/a' },
    { ...event, type: 'created', path: '/b' },
  )
  t.strictSame(await changed, { type: 'dataChanged', path: '/a', zxid: 300 })
  t.strictSame(await absent.changed, { type: 'created', path: '/b', zxid: 300 })
  const removed = await client.get('/a', { watch: true })
  await client.removeWatches('/a')
  t.ok((await rejection(removed.changed)) instanceof NoWatcherError)
  const closed = await client.get('/a', { watch: true })
  await client.close()
  t.ok((await rejection(closed.changed)) instanceof ClosedError)
})

t.test('SDK-40 errors are classes of one table, with all that is known', async (t) => {
  const { server, client } = await startPair(t, '/app')
  server.answerWith(() => ({ failure: failure('noNode', 'no znode /app/x/y here') }))
  const error = await rejection(client.get('/x/y'))
  t.ok(error instanceof NoNodeError)
  t.ok(error instanceof ConclaveError)
  t.ok(!(error instanceof NodeExistsError))
  t.match(error, {
    name: 'NoNodeError',
    code: 'noNode',
    path: '/x/y',
    zxid: 101,
    outcome: 'notExecuted',
    retry: 'afterChange',
    message: 'no znode /x/y here',
  })
})

t.test('SDK-41 what cannot be asked is refused here, and never sent', async (t) => {
  const { server, client } = await startPair(t)
  const bad: readonly Promise<unknown>[] = [
    client.get('a'),
    client.get('/a/../b'),
    client.get('/a', { consistency: 'strong' as 'local' }),
    client.create('/a', null, { kind: 'weird' as 'ttl' }),
    client.create('/a', 'text' as unknown as Uint8Array),
    client.create('/a', () => {}, { as: json }),
    client.delete('/a', { version: 1.5 }),
    client.set('/a', null, { timeoutMs: -1 }),
    client.list('/a', { pageSize: -1 }).toArray(),
    client.watch('/a/').next(),
    client.watch('/a', { from: {} as never }).next(),
  ]
  for (const each of bad) t.ok((await rejection(each)) instanceof BadArgumentsError)
  const huge = new Uint8Array(limits.frameBytesMax)
  t.ok((await rejection(client.set('/a', huge))) instanceof TooLargeError)
  t.strictSame(opsOf(server), [])
})

t.test('SDK-61 an answer larger than any message may be rejects its read', async (t) => {
  const { server, client } = await startPair(t)
  const data = new Uint8Array(limits.frameBytesMax * 2)
  server.answerWith((op) => {
    if (op.op !== 'getData') return null
    return answer('getData', { data: op.path === '/large' ? data : null, stat })
  })
  const error = await rejection(client.get('/large'))
  t.ok(error instanceof TooLargeError)
  t.match(error, { path: '/large', message: /ask for less/, outcome: 'notExecuted' })
  const connects = server.frames.filter(({ frame }) => frame === 'connect')
  t.equal(connects.length, 3)
  t.equal((await client.get('/small')).data.length, 0, 'the client goes on')
})

t.test('SDK-43 nothing rejects because a connection was lost', async (t) => {
  const { server, client } = await startPair(t)
  const states: string[] = []
  client.on('state', ({ state }) => states.push(state))
  const writing = client.set('/a', null)
  await server.seen(isOp('setData'))
  server.answerWith((op) => (op.op === 'setData' ? answer('setData', { stat }) : null))
  server.cut()
  t.strictSame(await writing, stat)
  const xids = server.frames.flatMap((frame) => (frame.frame === 'request' ? [frame.xid] : []))
  t.strictSame(xids, [1, 1])
  t.strictSame(states, ['suspended', 'connected'])
  server.pushBytes('not binary')
  t.strictSame(await client.set('/a', null), stat, 'nor because a server spoke nonsense')
  server.pushBytes(new Uint8Array([0xc1]))
  t.strictSame(await client.set('/a', null), stat)
})

t.test('SDK-44 the calls of one turn leave in one message', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) => (op.op === 'setData' ? answer('setData', { stat }) : null))
  const before = server.messages
  await Promise.all(Array.from({ length: 100 }, () => client.set('/a', null)))
  t.equal(server.messages - before, 1)
})

t.test('SDK-45 close ends the session, is idempotent, and refuses what comes after', async (t) => {
  const { server, client } = await startPair(t)
  server.answerWith((op) => (op.op === 'setData' ? answer('setData', { stat }) : null))
  const writing = client.set('/a', null)
  const closing = client.close()
  t.ok((await rejection(client.get('/a'))) instanceof ClosedError)
  t.strictSame(await writing, stat)
  await Promise.all([closing, client.close(), client[Symbol.asyncDispose]()])
  t.match(opsOf(server), [{ op: 'setData' }, { op: 'closeSession' }])
  t.equal(client.state, 'closed')
  t.equal(client.deadline, null)
  t.match(await rejection(client.get('/a')), { code: 'closing' })
})

t.test('SDK-46 an expired session is final: calls and loops reject, close resolves', async (t) => {
  const { server, client } = await startPair(t)
  const waiting = client.get('/a')
  const next = client.watch('/a').next()
  await server.seen(isOp('watch'))
  const state = new Promise((resolve) => client.on('state', resolve))
  server.push({ frame: 'sessionExpired', reason: 'historyLost', complete: true, outcomes: [] })
  t.ok((await rejection(waiting)) instanceof SessionExpiredError)
  t.ok((await rejection(next)) instanceof SessionExpiredError)
  t.match(await state, { state: 'expired', deadline: null, reason: /backup/ })
  t.match(await rejection(client.set('/a', null)), { retry: 'newSession' })
  await client.close()
  t.equal(client.state, 'expired')
})
