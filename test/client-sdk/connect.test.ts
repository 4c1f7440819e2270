import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import {
  AuthFailedError,
  BadArgumentsError,
  connect,
  type ConnectOptions,
  ConnectError,
  ConnectStringError,
  parseConnectString,
  Secret,
} from '#client/index.js'
import { failure } from '@conclave/protocol'
import t from 'tap'
import { answer, startFakeServer } from '../support/fake-server.js'
import { opsOf, rejection } from './client-kit.js'

t.test('SDK-29 a connect string names servers and a chroot', async (t) => {
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    [
      'conclave://10.0.0.1:7400,10.0.0.2:7401/orders',
      ['10.0.0.1:7400', '10.0.0.2:7401'],
      '/orders',
    ],
    ['conclave://[::1]:7400', ['[::1]:7400'], '/'],
    ['[fe80::1],h', ['[fe80::1]:7400', 'h:7400'], '/'],
    ['localhost', ['localhost:7400'], '/'],
    ['a:1, b:2,a:1/x/y/', ['a:1', 'b:2'], '/x/y'],
    ['CONCLAVE://h/', ['h:7400'], '/'],
  ]
  for (const [text, servers, chroot] of cases) {
    t.strictSame(parseConnectString(text), { servers, chroot }, text)
  }
})

t.test('SDK-29 a bad connect string is refused with what is wrong', async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /names no server/],
    ['conclave:///x', /names no server/],
    ['http://h:1', /not http:/],
    ['a,,b', /between two commas/],
    ['h:0', /is no port/],
    ['h:65536', /is no port/],
    ['h:x', /is no port/],
    ['::1', /brackets/],
    ['[::1', /brackets/],
    ['[zz]:1', /no IPv6 address/],
    ['a b:1', /no host name/],
    ['u:p@h:1', /option auth/],
    ['h/a//b', /chroot/],
    ['h/../b', /chroot/],
  ]
  for (const [text, message] of cases) {
    const error = await rejection(connect(text))
    t.ok(error instanceof ConnectStringError, text)
    t.match(error, { code: 'badConnectString', message })
  }
})

t.test('SDK-30 a bad option is refused at once, with its name', async (t) => {
  const auth = { scheme: 'digest', user: 'u', password: undefined } as const
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [{ sessionTimeout: 1 }, /no option sessionTimeout;/],
    [{ sessionTimeoutMs: 10 }, /sessionTimeoutMs/],
    [{ connectTimeoutMs: 0.5 }, /connectTimeoutMs/],
    [{ auth }, /auth\.password is not set/],
    [{ auth: { ...auth, scheme: 'basic' } }, /auth\.scheme/],
    [{ signal: {} }, /signal/],
  ]
  for (const [options, message] of cases) {
    const error = await rejection(connect('h', options as ConnectOptions))
    t.ok(error instanceof BadArgumentsError)
    t.match(error, { message })
  }
})

t.test('SDK-31 without any server, connect names what it tried and why it failed', async (t) => {
  const gone = await Promise.all([startFakeServer(), startFakeServer()])
  await Promise.all(gone.map((server) => server.close()))
  const [a = '', b = ''] = gone.map(({ address }) => address)
  const error = await rejection(connect(`${a},${b}`, { connectTimeoutMs: 300 }))
  t.ok(error instanceof ConnectError)
  t.match(error, { code: 'connectFailed', retry: 'later' })
  const { message } = error as Error
  for (const address of [a, b]) t.match(message, `${address} (connect ECONNREFUSED ${address})`)
})

t.test('SDK-31 a server that does not attach the session is named too', async (t) => {
  const mute = await startFakeServer()
  mute.connectWith(() => null)
  t.teardown(() => mute.close())
  const error = await rejection(connect(mute.address, { connectTimeoutMs: 300 }))
  t.match((error as Error).message, `${mute.address} (it has not attached the session yet)`)
})

t.test('SDK-31 an abort ends connecting with its reason', async (t) => {
  const mute = await startFakeServer()
  mute.connectWith(() => null)
  t.teardown(() => mute.close())
  const controller = new AbortController()
  const connecting = connect(mute.address, { signal: controller.signal })
  await mute.seen(({ frame }) => frame === 'connect')
  const reason = new Error('enough')
  controller.abort(reason)
  t.equal(await rejection(connecting), reason)
  t.equal(await rejection(connect(mute.address, { signal: controller.signal })), reason)
})

t.test('SDK-32 a refused identity rejects connect, and no password is ever shown', async (t) => {
  const server = await startFakeServer()
  t.teardown(() => server.close())
  const password = 'canary-4711'
  const options = { auth: { scheme: 'digest', user: 'u', password } } as const
  server.answerWith(() => ({ failure: failure('authFailed') }))
  const error = await rejection(connect(server.address, options))
  t.ok(error instanceof AuthFailedError)
  server.answerWith(({ op }) =>
    op === 'auth' ? answer('auth', { identity: { scheme: 'digest', id: 'u:x' } }) : null,
  )
  const client = await connect(server.address, options)
  t.match(opsOf(server), [{ password }, { password }], 'the server gets it')
  const shown = [error, client].map((it) => inspect(it, { depth: 20, showHidden: true }))
  t.notMatch(shown.join(), password)
  await client.close()
})

t.test('SDK-32 a secret prints as stars', async (t) => {
  const secret = new Secret('canary')
  t.equal(String(secret), '***')
  t.equal(JSON.stringify({ secret }), '{"secret":"***"}')
  t.equal(inspect({ secret }), '{ secret: *** }')
  t.equal(secret.reveal(), 'canary')
})

t.test('SDK-31 what an HTTP server answered is said in one line', async (t) => {
  const other = createServer((_request, response) => {
    response.writeHead(421)
    response.end('this Host is not a name of the server\nand more')
  })
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const address = `127.0.0.1:${(other.address() as AddressInfo).port}`
  t.match(await rejection(connect(address, { connectTimeoutMs: 500 })), {
    code: 'connectFailed',
    message:
      /HTTP 421 where a Conclave server was expected: this Host is not a name of the server\)/,
  })
})

t.test('SDK-59 a client says which server it is attached to, while it is to one', async (t) => {
  const [first, second] = await Promise.all([startFakeServer(), startFakeServer()])
  const client = await connect(`${first.address},${second.address}`)
  t.teardown(async () => {
    await client.close({ timeoutMs: 1 })
    await Promise.all([first.close(), second.close()])
  })
  const { address } = client.server ?? {}
  t.strictSame(client.server, { address, serverId: 1, role: 'following', epoch: 4 })
  const [here, there] = address === first.address ? [first, second] : [second, first]
  t.equal(address, here.address)
  const states: unknown[] = []
  const isBack = new Promise<void>((resolve) => {
    client.on('state', ({ state }) => {
      states.push([state, client.server?.address])
      if (state === 'connected') resolve()
    })
  })
  await here.close()
  await isBack
  t.strictSame(states, [
    ['suspended', undefined],
    ['connected', there.address],
  ])
})
