import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import {
  type RunningServer,
  StartError,
  type StartErrorCode,
  type StartErrorOption,
  startServer,
} from '#server/main.js'
import { startOn } from '#server/running-server.js'
import { inspectLog, nodeFiles } from '#server/runtime/storage/index.js'
import type { ServerOptions } from '#server/server-options.js'
import { limits } from '@conclave/protocol'
import t, { type Test } from 'tap'
import { FailingFiles } from '../../support/failing-files.js'
import {
  attachRaw,
  createOp,
  existsOp,
  handshakeStatus,
  requestFrame,
} from '../../support/raw-client.js'
import { captureLog, startTestServer, tempDirectory } from '../../support/server-kit.js'

/** What a start is refused with. */
const refusal = async (options: ServerOptions): Promise<StartError> => {
  try {
    const server = await startServer({ clientPort: 0, ...options })
    await server.stop()
  } catch (error) {
    if (error instanceof StartError) return error
    throw error
  }
  throw new Error('it started')
}

const checkRefusal = async (
  t: Test,
  code: StartErrorCode,
  message: RegExp,
  options: ServerOptions,
): Promise<void> => {
  const error = await refusal(options)
  t.match({ code: error.code, message: error.message }, { code, message })
  t.match(error.message, /^\S[^\n]*\.$/, 'one sentence')
  t.notMatch(error.message, /--[a-z]/, 'the flags of the command line are not its business')
  const option = optionOf[code]
  if (option !== undefined) t.equal(error.option, option, 'and which option it is')
}

const optionOf: Partial<Record<StartErrorCode, StartErrorOption>> = {
  portInUse: 'clientPort',
  address: 'host',
  insecure: 'insecure',
  dataDirectory: 'data',
}

/** A data directory that a server has served from. */
const usedDirectory = async (t: Test): Promise<string> => {
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data })
  await attachRaw(t, server.clientPort)
  await server.stop()
  return data
}

t.test('SERVER-7 a port in use or an address of others is refused; nothing is left', async (t) => {
  const data = tempDirectory(t)
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  await checkRefusal(t, 'portInUse', new RegExp(`port ${port} `), { data, clientPort: port })
  await checkRefusal(t, 'address', /192\.0\.2\.1/, { data, host: '192.0.2.1', insecure: true })
  const server = await startTestServer(t, { data })
  t.equal((await handshakeStatus(server.clientPort)).status, 101, 'the directory is not locked')
})

t.test('SERVER-7 a data directory that cannot be used is refused', async (t) => {
  const data = tempDirectory(t)
  const make = (name: string, content: Readonly<Record<string, string>>): string => {
    const directory = join(data, name)
    mkdirSync(directory)
    for (const [file, text] of Object.entries(content)) writeFileSync(join(directory, file), text)
    return directory
  }
  const other = make('other', { 'conclave-data': 'conclave data 99\n' })
  await checkRefusal(t, 'dataDirectory', /data version 99/, { data: other })
  const foreign = make('foreign', { 'photo.jpg': '' })
  await checkRefusal(t, 'dataDirectory', /photo\.jpg/, { data: foreign })
  const file = join(foreign, 'photo.jpg')
  await checkRefusal(t, 'dataDirectory', /is a file/, { data: file })
  await checkRefusal(t, 'dataDirectory', /is a file/, { data: join(file, 'below') })
  if (process.platform === 'linux') {
    await checkRefusal(t, 'permission', /another directory/, { data: '/sys/conclave-test' })
  }
  const used = join(data, 'used')
  const server = await startTestServer(t, { data: used })
  await checkRefusal(t, 'dataDirectory', /in use/, { data: used })
  t.equal((await handshakeStatus(server.clientPort)).status, 101, 'the first one goes on')
})

t.test('SERVER-7 damage is refused as such, and leaves no lock', async (t) => {
  const data = await usedDirectory(t)
  const path = join(data, 'hard-state')
  const good = readFileSync(path)
  const bad = Buffer.from(good)
  bad.writeUInt8(bad.readUInt8(20) ^ 1, 20)
  writeFileSync(path, bad)
  await checkRefusal(t, 'damage', /hard-state/, { data })
  writeFileSync(path, good)
  await startTestServer(t, { data })
})

t.test('SERVER-7 options that no server can run with are refused', async (t) => {
  const data = await usedDirectory(t)
  await checkRefusal(t, 'options', /belongs to server 1/, { data, serverId: 2 })
  await checkRefusal(t, 'options', /^data is a text/, { data: '' })
  const server = await startTestServer(t, { data })
  t.equal(server.status().serverId, 1)
})

t.test('SERVER-13 who has started a server is served', async (t) => {
  const server = await startServer({ data: tempDirectory(t), clientPort: 0 })
  t.match(server.status(), { role: 'leading', ensembleId: String })
  await server.serving
  await server.stop()
})

t.test('SERVER-13 who waits for a server that ends before it serves is told', async (t) => {
  /** A server whose promise for its election is on its way to the disk until `goOn`. */
  const startHeld = async (
    isFailing: boolean,
  ): Promise<[server: RunningServer, goOn: () => void]> => {
    const data = await usedDirectory(t)
    const files = new FailingFiles()
    const { open } = files
    let goOn = (): void => undefined
    const held = new Promise<void>((resolve) => (goOn = resolve))
    files.open = (path, mode, done) => {
      const isPromise = mode === 'create' && path.includes('hard-state')
      if (!isPromise) return open(path, mode, done)
      void held.then(() => {
        files.isFailing = isFailing
        open(path, mode, done)
      })
    }
    return [await startOn(files, { data, clientPort: 0 }), goOn]
  }
  const [failing, fail] = await startHeld(true)
  fail()
  await t.rejects(failing.serving, { code: 'EIO' })
  await t.rejects(failing.stopped, { code: 'EIO' })
  const [stopped, write] = await startHeld(false)
  const stop = stopped.stop()
  await t.rejects(stopped.serving, { message: /stopped before it served/ })
  write()
  await stop
})

t.test('SERVER-8 another host than loopback needs to be asked for', async (t) => {
  const data = tempDirectory(t)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', 'localhost.example']) {
    await checkRefusal(t, 'insecure', /insecure: true/, { data, host })
  }
  const open = await startTestServer(t, { data, host: '0.0.0.0', insecure: true })
  t.equal((await handshakeStatus(open.clientPort)).status, 101)
  await open.stop()
  const local = await startTestServer(t, { data, host: 'localhost' })
  t.equal(local.url, `conclave://localhost:${local.clientPort}`)
})

t.test('SERVER-9 WIRE-11 stop answers what was sent, and ends the log', async (t) => {
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data })
  const client = await attachRaw(t, server.clientPort)
  const idle = await attachRaw(t, server.clientPort)
  // A password takes a while, and what comes behind it waits.
  client.send(
    requestFrame(1, { op: 'auth', scheme: 'digest', user: 'u', password: 'p' }),
    requestFrame(2, createOp('/a')),
    requestFrame(3, existsOp('/a')),
    { frame: 'probe', id: 1 },
  )
  await client.next('probed')
  t.notOk(client.frames.some(({ frame }) => frame === 'reply'))
  const stopped = Promise.all([server.stop(), server.stop(), server[Symbol.asyncDispose]()])
  for (const { closed } of [idle, client]) {
    t.strictSame(await closed, { code: 4501, reason: 'shutdown' })
  }
  const replies = client.frames.flatMap((frame) => (frame.frame === 'reply' ? [frame] : []))
  t.match(replies, [
    { xid: 1, failure: null },
    { xid: 2, failure: null },
    { xid: 3, failure: null },
  ])
  await Promise.all([stopped, server.stopped])
  await t.rejects(handshakeStatus(server.clientPort), { code: 'ECONNREFUSED' })
  const items: string[] = []
  for await (const { item } of inspectLog(nodeFiles, data)) items.push(item)
  t.strictSame(items.slice(-3), ['endMark', 'endMark', 'end'])
  t.equal(items.filter((item) => item === 'endMark').length, 2)
})

t.test('SERVER-9 WIRE-19 a client with a held write is told of the shutdown, too', async (t) => {
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data })
  const client = await attachRaw(t, server.clientPort)
  const writes = limits.resultsPerSessionMax + 1
  for (let xid = 1; xid <= writes; xid++) client.send(requestFrame(xid, createOp('/a')))
  client.send({ frame: 'probe', id: 1 })
  await client.next('probed')
  const stopped = server.stop()
  t.strictSame(await client.closed, { code: 4501, reason: 'shutdown' })
  await stopped
  const xids = client.frames.flatMap((frame) => (frame.frame === 'reply' ? [frame.xid] : []))
  t.equal(xids.length, limits.resultsPerSessionMax, 'all that was started is answered')
  t.equal(xids.at(-1), limits.resultsPerSessionMax)
})

t.test('SERVER-15 stop does not wait for ever for who does not read', async (t) => {
  const { log, lines } = captureLog()
  const server = await startTestServer(t, { log })
  const [reader, deaf] = await Promise.all([
    attachRaw(t, server.clientPort),
    attachRaw(t, server.clientPort),
  ])
  deaf.socket.pause()
  await server.stop()
  t.strictSame(await reader.closed, { code: 4501, reason: 'shutdown' })
  t.match(
    lines.filter(({ level }) => level >= 40),
    [{ msg: 'clients that do not read are cut off', connections: 1 }],
  )
  deaf.socket.resume()
  await deaf.closed
})

t.test('SERVER-10 SERVER-11 after a failed write nothing is answered any more', async (t) => {
  const data = tempDirectory(t)
  const files = new FailingFiles()
  const server = await startOn(files, { data, clientPort: 0 })
  const client = await attachRaw(t, server.clientPort)
  await client.result(createOp('/kept'))
  files.isFailing = true
  client.send(requestFrame(2, createOp('/lost')), requestFrame(3, existsOp('/kept')))
  await t.rejects(server.stopped, { code: 'EIO' })
  t.equal((await client.closed).code, 1006)
  t.notOk(client.frames.some((frame) => frame.frame === 'reply' && frame.xid > 1))
  await t.rejects(server.stop(), { code: 'EIO' })
  await t.rejects(handshakeStatus(server.clientPort), { code: 'ECONNREFUSED' })
  files.isFailing = false
  const again = await startOn(files, { data, clientPort: 0 })
  t.teardown(() => again.stop())
  const witness = await attachRaw(t, again.clientPort)
  t.not((await witness.result<'exists'>(existsOp('/kept'))).stat, null)
})

t.test('SERVER-10 a failure of the very first or very last write is told too', async (t) => {
  const files = new FailingFiles()
  const data = tempDirectory(t)
  const server = await startOn(files, { data, clientPort: 0 })
  await attachRaw(t, server.clientPort)
  files.isFailing = true
  await t.rejects(server.stop(), { code: 'EIO' })
  await t.rejects(server.stopped, { code: 'EIO' })
  const start = async (): Promise<void> => (await startOn(files, { data, clientPort: 0 })).stopped
  await t.rejects(start(), { code: 'dataDirectory', message: /EIO/ })
  files.isFailing = false
  await (await startOn(files, { data, clientPort: 0 })).stop()
})

t.test('SERVER-11 what was acknowledged is there after a restart', async (t) => {
  const data = tempDirectory(t)
  const stats: unknown[] = []
  for (let round = 0; round < 4; round++) {
    const server = await startTestServer(t, { data, snapshotTxns: 3 })
    const client = await attachRaw(t, server.clientPort)
    for (const [i, stat] of stats.entries()) {
      t.strictSame((await client.result<'exists'>(existsOp(`/round-${i}`))).stat, stat)
    }
    stats.push((await client.result(createOp(`/round-${round}`))).stat)
    await server.stop()
  }
})

t.test('SESSION-18 a nonce is nowhere in the data directory, its hash is', async (t) => {
  const data = tempDirectory(t)
  const server = await startTestServer(t, { data, snapshotTxns: 5 })
  const nonce = Buffer.from('sixteen bytes ok')
  t.equal(nonce.length, limits.nonceBytes)
  const client = await attachRaw(t, server.clientPort, { nonce })
  await client.result(createOp('/a'))
  const filesOf = (prefix: string): readonly Buffer[] =>
    readdirSync(data)
      .filter((name) => name.startsWith(prefix) && !name.endsWith('.tmp'))
      .map((name) => readFileSync(join(data, name)))
  while (filesOf('snapshot').length === 0) {
    await client.result({ op: 'setData', path: '/a', data: null, version: -1 })
  }
  await server.stop()
  const hash = createHash('sha256').update(nonce).digest()
  for (const kind of ['log', 'snapshot']) {
    t.ok(
      filesOf(kind).some((bytes) => bytes.includes(hash)),
      kind,
    )
  }
  t.ok(filesOf('').length > 2)
  for (const bytes of filesOf('')) t.notOk(bytes.includes(nonce))
})
