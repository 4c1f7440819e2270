import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import {
  ClosedError,
  connect,
  ConnectError,
  NoAuthError,
  NoNodeError,
  SessionExpiredError,
  type WatchPosition,
} from '#client/index.js'
import { startServer } from '#server/main.js'
import { permissions } from '@conclave/protocol'
import t from 'tap'
import { ownLoopback } from '../support/own-loopback.js'
import { startTestServer, tempDirectory } from '../support/server-kit.js'
import { startProxy } from '../support/tcp-proxy.js'
import { rejection } from './client-kit.js'
import { connectTo, startReal, StateLog, takeChanges } from './real-kit.js'

/** An address where nobody listens. */
const deadAddress = async (): Promise<string> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, ownLoopback(), resolve))
  const { port, address } = server.address() as { port: number; address: string }
  await new Promise((resolve) => server.close(resolve))
  return `${address}:${port}`
}

t.test('SDK-55 SDK-24 a stream goes on over a restart of its server', async (t) => {
  const data = tempDirectory(t)
  const host = ownLoopback()
  const first = await startServer({ data, host, clientPort: 0 })
  const client = await connectTo(t, first.url)
  const log = new StateLog(client)
  await client.create('/s')
  const stream = client.watch('/s', { recursive: true })
  const slow = client.watch('/s')
  for (const name of ['a', 'b', 'c']) await client.create(`/s/${name}`)
  t.strictSame(await takeChanges(stream, 2), ['created /s/a', 'created /s/b'])
  const bookmark = JSON.stringify(stream.position)
  await first.stop()
  await log.next(({ state }) => state === 'suspended')
  // Made while no server is there: it waits, and is done once.
  const made = client.create('/s/d-', null, { kind: 'sequential' })
  const server = await startServer({ data, host, clientPort: first.clientPort })
  t.teardown(() => server.stop())
  t.equal(await made, '/s/d-0000000003')
  await client.delete('/s/a')
  t.strictSame(await takeChanges(stream, 3), [
    'created /s/c',
    'created /s/d-0000000003',
    'deleted /s/a',
  ])
  t.strictSame(await takeChanges(slow, 5), Array(5).fill('childrenChanged /s'))
  const from = JSON.parse(bookmark) as WatchPosition
  const other = await connectTo(t, server.url)
  t.strictSame(await takeChanges(other.watch('/s', { recursive: true, from }), 3), [
    'created /s/c',
    'created /s/d-0000000003',
    'deleted /s/a',
  ])
  t.strictSame(log.states, ['suspended', 'connected'])
})

t.test('SDK-37 SDK-43 a cut connection costs no call, no watch and no ephemeral', async (t) => {
  const { server, client: other } = await startReal(t)
  const proxy = await startProxy(t, server.clientPort)
  const client = await connectTo(t, proxy.address)
  const log = new StateLog(client)
  await client.create('/mine', null, { kind: 'ephemeral' })
  await other.create('/w')
  const { changed } = await client.get('/w', { watch: true })
  proxy.part()
  await log.next(({ state }) => state === 'suspended')
  await other.set('/w', null)
  await other.delete('/w')
  await other.create('/w')
  const counted = Promise.all(
    Array.from({ length: 100 }, () => client.create('/w/n-', null, { kind: 'sequential' })),
  )
  proxy.heal()
  t.match(await changed, { type: 'dataChanged', path: '/w' }, 'what it missed first')
  const paths = await counted
  t.strictSame(paths, [...paths].sort())
  t.equal((await other.exists('/w'))?.numChildren, 100)
  t.equal((await other.exists('/mine'))?.ephemeralOwner, client.sessionId)
  const { states } = log
  t.strictSame([states[0], states.at(-1)], ['suspended', 'connected'])
})

t.test('SDK-56 SDK-46 a session expires while its client is cut off, not before', async (t) => {
  const { server, client: other } = await startReal(t, { sessionTimeoutMsMin: 1_000 })
  const proxy = await startProxy(t, server.clientPort)
  const client = await connectTo(t, proxy.address, { sessionTimeoutMs: 1_000 })
  const log = new StateLog(client)
  await client.create('/mine', null, { kind: 'ephemeral' })
  const { changed } = await other.get('/mine', { watch: true })
  const watched = await client.exists('/never', { watch: true })
  const stream = client.watch('/never')
  t.match(await stream.next(), { value: { type: 'caughtUp' } })
  const event = stream.next()
  proxy.part()
  const late = client.create('/late')
  const rejected = Promise.all([late, watched.changed, event].map(rejection))
  t.match(await changed, { type: 'deleted', path: '/mine' })
  const passed = await log.next(({ deadlinePassed }) => deadlinePassed)
  t.equal(passed.state, 'suspended', 'only the word of a server makes it expired')
  t.ok((passed.deadline ?? Infinity) <= performance.now())
  t.equal(client.state, 'suspended')
  proxy.heal()
  await log.next(({ state }) => state === 'expired')
  for (const error of await rejected) t.ok(error instanceof SessionExpiredError)
  t.match((await rejected)[0], { outcome: 'notExecuted', retry: 'newSession' })
  t.ok((await rejection(client.get('/'))) instanceof SessionExpiredError)
  t.strictSame([client.state, client.deadline], ['expired', null])
  t.strictSame([...new Set(log.states)], ['suspended', 'expired'])
  t.equal(await other.exists('/late', { consistency: 'linearizable' }), null)
  await client.close()
})

t.test('SDK-10 SDK-42 an aborted create that ran is deleted again', async (t) => {
  const { server, client: other } = await startReal(t)
  const proxy = await startProxy(t, server.clientPort)
  const client = await connectTo(t, proxy.address)
  for (const abort of ['signal', 'timeout'] as const) {
    const made = await other.exists('/a', { watch: true })
    proxy.hold('toClient')
    const controller = new AbortController()
    const reason = new Error('enough')
    const wait = abort === 'signal' ? { signal: controller.signal } : { timeoutMs: 300 }
    const creating = rejection(client.create('/a', null, wait))
    t.match(await made.changed, { type: 'created' })
    const gone = await other.exists('/a', { watch: true })
    if (gone.stat === null) throw new Error('it is gone before the client knew of it')
    controller.abort(reason)
    const error = await creating
    if (abort === 'signal') t.equal(error, reason)
    else t.match(error, { name: 'TimeoutError' })
    proxy.heal()
    t.match(await gone.changed, { type: 'deleted' })
  }
  const read = await rejection(client.get('/', { signal: AbortSignal.abort(new Error('no')) }))
  t.match(read, { message: 'no' })
})

t.test('SDK-45 SDK-50 close ends the session, its ephemerals, loops and later calls', async (t) => {
  const { server, client: other } = await startReal(t)
  const { log, looped } = await (async () => {
    await using client = await connect(server.url)
    await client.create('/mine', null, { kind: 'ephemeral' })
    const stream = client.watch('/')
    const loop = (async () => {
      for await (const event of stream) t.ok(event)
    })()
    void client.create('/sent')
    return { log: new StateLog(client), looped: loop }
  })()
  t.strictSame(log.states, ['closed'])
  await looped
  t.equal(await other.exists('/mine'), null)
  t.not(await other.exists('/sent'), null, 'what was under way was done')
  const client = await connectTo(t, server.url)
  await Promise.all([client.close(), client.close()])
  t.ok((await rejection(client.get('/'))) instanceof ClosedError)
  t.equal(client.state, 'closed')
})

t.test('SDK-51 a chroot is the whole world of its client', async (t) => {
  const { server, client: other } = await startReal(t)
  await other.create('/team')
  const client = await connectTo(t, `${server.url}/team`)
  const stream = client.watch('/', { recursive: true })
  t.equal(await client.create('/x-', null, { kind: 'ephemeralSequential' }), '/x-0000000000')
  t.strictSame(await takeChanges(stream, 1), ['created /x-0000000000'])
  t.strictSame(await client.getEphemerals(), ['/x-0000000000'])
  t.strictSame(await client.list('/').toArray(), ['x-0000000000'])
  t.not(await other.exists('/team/x-0000000000'), null)
  const { changed } = await client.exists('/y', { watch: true })
  await other.create('/team/y')
  t.match(await changed, { path: '/y' })
  const error = await rejection(client.get('/none'))
  t.ok(error instanceof NoNodeError)
  t.equal((error as NoNodeError).path, '/none')
  t.notMatch((error as Error).message, /team/)
})

t.test('SDK-19 ACL-4 identities are shown on every connection', async (t) => {
  const { server, client: other } = await startReal(t)
  const proxy = await startProxy(t, server.clientPort)
  const auth = { scheme: 'digest', user: 'orders', password: 'secret' } as const
  const client = await connectTo(t, proxy.address, { auth })
  const acl = [{ scheme: 'auth', id: '', permissions: permissions.all }] as const
  await client.create('/secret', Uint8Array.of(7), { acl })
  const { identities } = await client.whoAmI()
  const digest = identities.find(({ scheme }) => scheme === 'digest')
  t.match(digest?.id, /^orders:[0-9a-f]{64}$/)
  t.ok((await rejection(other.get('/secret'))) instanceof NoAuthError)
  await other.addAuth({ ...auth, password: 'wrong' })
  t.ok((await rejection(other.get('/secret'))) instanceof NoAuthError)
  await other.addAuth(auth)
  t.equal((await other.get('/secret')).data[0], 7)
  const log = new StateLog(client)
  proxy.cut()
  const read = client.get('/secret')
  await log.next(({ state }) => state === 'suspended')
  t.equal((await read).data[0], 7, 'before anything else')
  t.equal((await client.getAcl('/secret')).acl[0]?.id, digest?.id)
})

t.test('SDK-16 dead servers in the list cost a connect nothing but a try', async (t) => {
  const server = await startTestServer(t)
  const dead = await Promise.all([deadAddress(), deadAddress(), deadAddress()])
  const alive = `127.0.0.1:${server.clientPort}`
  for (let i = 0; i < 8; i++) {
    const client = await connectTo(t, [...dead, alive].join())
    t.equal(client.state, 'connected')
  }
})

t.test('SDK-31 connect to nobody names all that was tried', async (t) => {
  const mute = createServer()
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  t.teardown(() => mute.close())
  const { port } = mute.address() as { port: number }
  const dead = await Promise.all([deadAddress(), deadAddress()])
  const error = await rejection(connect(dead.join(), { connectTimeoutMs: 300 }))
  t.ok(error instanceof ConnectError)
  for (const each of dead) {
    t.match((error as ConnectError).message, `${each} (connect ECONNREFUSED ${each})`)
  }
  const silent = await rejection(connect(`127.0.0.1:${port}`, { connectTimeoutMs: 100 }))
  t.match(silent, { code: 'connectFailed', message: `127.0.0.1:${port} (no answer yet)` })
})

t.test('SDK-57 a process that has closed its client comes to its end', async (t) => {
  const server = await startTestServer(t)
  const script = fileURLToPath(new URL('../support/sdk-child.js', import.meta.url))
  const outputOf = (url: string, connectTimeoutMs: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const child = execFile(
        process.execPath,
        [script, url, `${connectTimeoutMs}`],
        (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
      )
      t.teardown(() => child.kill('SIGKILL'))
    })
  const [closed, failed] = await Promise.all([
    outputOf(server.url, 600_000),
    outputOf(`conclave://${await deadAddress()}`, 300),
  ])
  t.equal(closed, 'closed')
  t.equal(failed, 'connectFailed')
  t.equal(server.status().connections, 0)
})
