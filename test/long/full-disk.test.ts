import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, NoSpaceError } from '#client/index.js'
import t from 'tap'
import { startServer } from '#server/main.js'
import { captureLog } from '../support/server-kit.js'

t.setTimeout(300_000)

const diskBytes = 16_777_216
const segmentBytes = 1_048_576
const value = new Uint8Array(20_000)

/** A small disk of its own, where the user may make one. */
const smallDisk = (): string | null => {
  const root = mkdtempSync(join(tmpdir(), 'conclave-full-'))
  const options = ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', root]
  const isMounted = spawnSync('mount', options).status === 0
  t.teardown(() => {
    if (isMounted) spawnSync('umount', [root])
    rmSync(root, { recursive: true })
  })
  return isMounted ? root : null
}

/** Takes all that is left, to the last byte. */
const fill = (path: string): void => {
  const descriptor = openSync(path, 'w')
  try {
    for (const piece of [65_536, 4_096, 1]) {
      const bytes = new Uint8Array(piece)
      try {
        while (writeSync(descriptor, bytes) > 0);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
  } finally {
    closeSync(descriptor)
  }
}

t.test('SERVER-16 DISK-26 a real disk that is full', async (t) => {
  const root = smallDisk()
  if (root === null) {
    t.comment('this user may not mount a file system: nothing was tested')
    return
  }
  const captured = captureLog()
  const data = join(root, 'data')
  const server = await startServer({ data, clientPort: 0, segmentBytes, log: captured.log })
  const options = { sessionTimeoutMs: 2_000 }
  const [writer, reader] = [
    await connect(server.url, options),
    await connect(server.url, options),
  ] as const
  const sessions = [writer.sessionId, reader.sessionId]
  await writer.create('/value', value)
  await writer.create('/alive', null, { kind: 'ephemeral' })
  fill(join(root, 'filler'))
  // Until the log has no room for the next.
  let taken = 0
  for (let isFull = false; !isFull;) {
    const sets = Array.from({ length: 5 }, () => writer.set('/value', value))
    for (const set of await Promise.allSettled(sets)) {
      if (set.status === 'fulfilled') taken += 1
      // What was sent behind a refused write is refused, too.
      else isFull ||= set.reason instanceof NoSpaceError
    }
  }
  await captured.next(({ msg }) => msg === 'the disk is full')
  const fullSinceMs = performance.now()
  const cpuBefore = process.cpuUsage()
  let reads = 0
  while (performance.now() - fullSinceMs < 3 * options.sessionTimeoutMs) {
    t.ok((await reader.exists('/value', { consistency: 'linearizable' })) !== null)
    await t.rejects(reader.create('/refused'), NoSpaceError)
    reads += 1
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  t.comment(`${reads} reads and refusals, ${Math.round((user + system) / 1_000)} ms of CPU`)

  await server.stop()
  const { clientPort } = server
  const again = await startServer({ data, clientPort, segmentBytes, log: captured.log })
  t.equal((await reader.exists('/value', { consistency: 'linearizable' }))?.version, taken)
  await t.rejects(writer.set('/value', value), NoSpaceError)

  rmSync(join(root, 'filler'))
  await captured.next(({ msg }) => msg === 'there is disk space again')
  await reader.create('/again')
  t.equal(await reader.exists('/refused'), null)
  t.equal((await reader.exists('/alive'))?.ephemeralOwner, writer.sessionId)
  t.strictSame([writer.sessionId, reader.sessionId], sessions)
  await Promise.all([writer.close(), reader.close()])
  await again.stop()
  const last = await startServer({ data, clientPort: 0 })
  const witness = await connect(last.url)
  t.equal((await witness.exists('/value'))?.version, taken)
  await witness.close()
  await last.stop()
})
