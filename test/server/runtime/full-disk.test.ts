import { connect, NoSpaceError } from '#client/index.js'
import { limits } from '@conclave/protocol'
import { startOn } from '#server/running-server.js'
import t, { type Test } from 'tap'
import { FailingFiles } from '../../support/failing-files.js'
import { attachRaw, existsOp } from '../../support/raw-client.js'
import { captureLog, tempDirectory } from '../../support/server-kit.js'

t.test('SERVER-16 a full disk: reads go on, writes are refused, it heals by itself', async (t) => {
  const files = new FailingFiles('ENOSPC')
  const captured = captureLog()
  const server = await startOn(files, { data: tempDirectory(t), clientPort: 0, log: captured.log })
  t.teardown(() => server.stop())
  const options = { sessionTimeoutMs }
  const [writer, reader] = [await connect(server.url, options), await connect(server.url, options)]
  t.teardown(() => Promise.all([writer.close(), reader.close()]))
  const sessions = [writer.sessionId, reader.sessionId]
  await writer.create('/kept', Buffer.from('before'))
  await writer.create('/alive', null, { kind: 'ephemeral' })

  const silent = await attachRaw(t, server.clientPort, { sessionTimeoutMs })

  files.isFailing = true
  // What was taken before anybody knew is neither acknowledged nor refused.
  let isAnswered = false
  const taken = writer.set('/kept', Buffer.from('after'))
  void taken.then(() => (isAnswered = true))
  await captured.next(({ msg }) => msg === 'the disk is full')
  await t.rejects(reader.create('/refused'), NoSpaceError)
  await t.rejects(reader.set('/kept', null), NoSpaceError)
  // Longer than any session lives without being heard of: in each pause the server, which is in
  // this process, ticks at least once, and a tick counts for as long as the pause at most.
  for (let passedMs = 0; passedMs < 2 * sessionTimeoutMs; passedMs += pauseMs) {
    const { data } = await reader.get('/kept', { consistency: 'linearizable' })
    t.equal(Buffer.from(data ?? []).toString(), 'before')
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  await t.rejects(reader.create('/refused'), NoSpaceError)
  t.notOk(isAnswered)

  files.isFailing = false
  t.equal((await taken).version, 1)
  await captured.next(({ msg }) => msg === 'there is disk space again')
  await reader.create('/again')
  t.equal((await silent.ask(existsOp('/kept'))).failure, null, 'no time has passed for it')
  t.equal(await reader.exists('/refused'), null)
  t.equal((await reader.exists('/alive'))?.ephemeralOwner, writer.sessionId)
  t.strictSame([writer.sessionId, reader.sessionId], sessions)
  t.strictSame([writer.state, reader.state], ['connected', 'connected'])
})

t.test('SERVER-16 no answer waits for a disk whose log has room for what was taken', async (t) => {
  const { files, server, client, captured } = await filling(t)
  await t.rejects(client.set('/kept', null), NoSpaceError)
  t.equal((await client.exists('/kept'))?.version, setsToHalf, 'behind it, on its connection')
  files.isFailing = false
  await captured.next(({ msg }) => msg === 'there is disk space again')
  await client.set('/kept', null)
  await client.close()
  await server.stop()
})

t.test('SERVER-23 a server that starts on a full disk leads, and serves reads', async (t) => {
  const { files, server, data, client } = await filling(t)
  const version = (await client.exists('/kept'))?.version
  const { sessionId } = client
  await server.stop()
  const captured = captureLog()
  const again = await startOn(files, {
    data,
    clientPort: server.clientPort,
    segmentBytes,
    log: captured.log,
  })
  t.teardown(() => again.stop())
  await captured.next(({ msg }) => msg === 'the disk is full')
  const found = await client.get('/kept', { consistency: 'linearizable' })
  t.strictSame([found.stat.version, client.sessionId], [version, sessionId])
  await t.rejects(client.set('/kept', null), NoSpaceError)
  files.isFailing = false
  await captured.next(({ msg }) => msg === 'there is disk space again')
  await client.set('/kept', null)
  await client.close()
})

/** A server whose log has half a segment left, a client of it, and a disk that is known as full. */
const filling = async (t: Test) => {
  const files = new FailingFiles('ENOSPC')
  // What one hard state gives up is there for the next.
  files.spares = (path, isInPlace) => isInPlace || path.endsWith('hard-state.tmp')
  const data = tempDirectory(t)
  const captured = captureLog()
  const server = await startOn(files, { data, clientPort: 0, segmentBytes, log: captured.log })
  t.teardown(() => server.stop())
  const client = await connect(server.url)
  await client.create('/kept')
  files.isFailing = true
  for (let set = 0; set < setsToHalf; set++) await client.set('/kept', new Uint8Array(4_096))
  await captured.next(({ msg }) => msg === 'the disk is full')
  return { files, server, data, client, captured }
}

const segmentBytes = 65_536
const setsToHalf = 8
const sessionTimeoutMs = 1_000
const pauseMs = 2 * limits.tickMs
