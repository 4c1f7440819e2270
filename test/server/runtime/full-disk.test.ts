import { connect, NoSpaceError } from '#client/index.js'
import { limits } from '@conclave/protocol'
import { startOn } from '#server/running-server.js'
import t from 'tap'
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
  t.equal((await silent.ask(existsOp('/kept'))).failure, null, 'no time has passed for it')
  await reader.create('/again')
  t.equal(await reader.exists('/refused'), null)
  t.equal((await reader.exists('/alive'))?.ephemeralOwner, writer.sessionId)
  t.strictSame([writer.sessionId, reader.sessionId], sessions)
  t.strictSame([writer.state, reader.state], ['connected', 'connected'])
})

const sessionTimeoutMs = 1_000
const pauseMs = 2 * limits.tickMs
