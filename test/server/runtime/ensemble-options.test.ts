import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Effect } from '#server/core/effect.js'
import { Replica } from '#server/core/replica.js'
import { StartError } from '#server/main.js'
import { startOn } from '#server/running-server.js'
import { type ServerOptions, settingsOf } from '#server/server-options.js'
import t from 'tap'
import { ownLoopback } from '../../support/own-loopback.js'
import { attachRaw, createOp, existsOp } from '../../support/raw-client.js'
import { captureLog, startTestServer, tempDirectory } from '../../support/server-kit.js'

const secret = 'a secret of many characters'
const three = [1, 2, 3].map((id) => ({ id, host: '127.0.0.1' }))
const good: ServerOptions = { data: 'data', serverId: 2, servers: three, secret }

const sentence = (options: Readonly<Record<string, unknown>>): string => {
  try {
    settingsOf({ ...good, ...options } as ServerOptions)
  } catch (error) {
    if (error instanceof StartError) return error.message
    throw error
  }
  return 'no refusal'
}

t.test('SERVER-18 the list of servers says what a server of an ensemble is', async (t) => {
  const { servers, own, host, serverId } = settingsOf(good)
  t.equal(serverId, 2)
  t.equal(host, '127.0.0.1')
  t.strictSame(own, servers[1])
  t.strictSame(own, {
    id: 2,
    role: 'voter',
    host: '127.0.0.1',
    clientPort: 7400,
    peerPort: 7500,
    adminPort: 7600,
  })
  t.equal(settingsOf({ ...good, host: '127.0.0.9' }).host, '127.0.0.9', 'what it listens on')
  const alone = settingsOf({ data: 'data' })
  t.match(alone.servers, [{ id: 1, peerPort: null, adminPort: null, clientPort: 7400 }])
})

t.test('SERVER-18 a list that cannot be is refused by its key', async (t) => {
  const first = { id: 1, host: '127.0.0.1' }
  const cases: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
    [{ serverId: undefined }, /^say by serverId which of the servers 1, 2, 3 this one is/],
    [{ serverId: 4 }, /^serverId 4 is none of the servers 1, 2, 3/],
    [{ servers: [] }, /^servers is a list with at least one server, not/],
    [{ servers: [first, first] }, /^servers\.1\.id is an id that no other server has, not 1/],
    [{ servers: [{ id: 1 }] }, /^servers\.0\.host is a text, not undefined/],
    [{ servers: [{ ...first, role: 'king' }] }, /^servers\.0\.role is voter or observer/],
    [{ servers: [{ ...first, role: 'observer' }] }, /^servers is a list with at least one voter/],
    [{ servers: [{ ...first, peerPort: 0 }] }, /^servers\.0\.peerPort is a whole number from 1/],
    [{ servers: [{ ...first, peer_port: 1 }] }, /"peer_port"; did you mean peerPort\?/],
    [{ clientPort: 7400 }, /^clientPort is said in servers, for each/],
    [{ adminPort: 7600 }, /^adminPort is said in servers, for each/],
    [{ servers: three.map((each) => ({ ...each, host: '10.0.0.1' })) }, /insecure: true/],
  ]
  for (const [options, expected] of cases) t.match(sentence(options), expected)
})

t.test('SERVER-19 an ensemble has a secret, which no refusal shows', async (t) => {
  const directory = tempDirectory(t)
  const file = join(directory, 'secret')
  t.match(sentence({ secret: undefined }), /^say secret or secretFile/)
  t.match(sentence({ secretFile: file }), /^secretFile is left out where secret is said/)
  const short = sentence({ secret: 'canary' })
  t.match(short, /^secret is a text of 16 to 1024 characters/)
  t.notMatch(short, /canary/)
  t.match(sentence({ secret: undefined, secretFile: file }), /cannot be read \(ENOENT\)/)
  writeFileSync(file, 'canary\n')
  const bad = sentence({ secret: undefined, secretFile: file })
  t.match(bad, /the first line of .* is not a text of 16 to 1024 characters/)
  t.notMatch(bad, /canary/)
  writeFileSync(file, `  ${secret}  \nnothing of this\n`)
  const settings = settingsOf({ ...good, secret: undefined, secretFile: file })
  t.equal(settings.secret?.reveal(), secret)
  t.equal(settingsOf(good).secret?.reveal(), secret)
})

t.test('SERVER-20 a server that others can reach without TLS warns of it', async (t) => {
  const loud = captureLog()
  await startTestServer(t, { log: loud.log, host: '0.0.0.0', insecure: true })
  t.match(await loud.next(({ level }) => level === 40), { host: '0.0.0.0', msg: /no TLS/ })
  const quiet = captureLog()
  await startTestServer(t, { log: quiet.log })
  t.notOk(quiet.lines.some(({ level }) => level === 40))
})

t.test('SERVER-21 a data directory of other servers is refused', async (t) => {
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data })
  await server.stop()
  const host = ownLoopback()
  const servers = three.map(({ id }) => ({
    id,
    host,
    clientPort: 22_000 + id,
    peerPort: 22_010 + id,
    adminPort: 22_020 + id,
  }))
  await t.rejects(startOn(null, { data, serverId: 1, servers, secret }), {
    code: 'options',
    message: /belongs to server 1 of 1/,
  })
})

t.test('SERVER-22 a replica that asks for it is replaced behind the same ports', async (t) => {
  const log = captureLog()
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data, log: log.log, adminPort: 0 })
  const before = await attachRaw(t, server.clientPort)
  await before.result(createOp('/a'))
  const genuine = Object.getOwnPropertyDescriptor(Replica.prototype, 'drain') ?? {}
  const restore = (): void => void Object.defineProperty(Replica.prototype, 'drain', genuine)
  t.teardown(restore)
  const restart: Effect = { effect: 'restart', why: 'a test' }
  const drain = (): readonly Effect[] => {
    restore()
    return [restart]
  }
  Object.defineProperty(Replica.prototype, 'drain', { ...genuine, value: drain })
  t.equal((await before.closed).code, 4504)
  t.match(before.frames.at(-1), { frame: 'closing', reason: 'resync' })
  t.match(await log.next(({ msg }) => msg === 'reading the data again'), { why: 'a test' })
  // Until it has read its data, clients are sent away.
  const reached = async (): Promise<Awaited<ReturnType<typeof attachRaw>>> => {
    for (;;) {
      try {
        return await attachRaw(t, server.clientPort)
      } catch {
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
  const after = await reached()
  t.not((await after.result<'exists'>(existsOp('/a'))).stat, null, 'it has all it had')
  t.equal(server.status().role, 'leading')
  await server.stop()
  t.ok(readdirSync(data).length > 0)
})
