import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as dial } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect } from '#client/index.js'
import { openFilesAllowed, socketRoom } from '#server/runtime/net/socket-room.js'
import { limits } from '@conclave/protocol'
import t from 'tap'
import { tempDirectory } from '../../../support/server-kit.js'
import type { ServerMessage, ServerOrder } from '../../../support/server-child.js'

t.test(
  'LIMIT-14 sockets leave files their part, and connections leave sockets theirs',
  async (t) => {
    const { connectionsMax, handshakesMax, openFilesReserved } = limits
    const cases: readonly (readonly [
      wanted: number,
      files: number,
      connections: number,
      sockets: number,
    ])[] = [
      [connectionsMax, Number.MAX_SAFE_INTEGER, connectionsMax, connectionsMax + handshakesMax],
      [connectionsMax, 20_000, connectionsMax, 20_000 - openFilesReserved],
      [connectionsMax, 1_024, 784, 896],
      [100, 1_024, 100, 896],
      [2, 1_000_000, 2, 2 + handshakesMax],
      [connectionsMax, 100, 7, 8],
    ]
    for (const [wanted, files, connections, sockets] of cases) {
      const room = socketRoom(wanted, files)
      t.strictSame(room, { connectionsMax: connections, socketsMax: sockets }, `${files}`)
    }
    t.ok(openFilesAllowed() >= 64)
  },
)

t.test('LIMIT-14 whoever takes all sockets takes no file from the log', async (t) => {
  const script = fileURLToPath(new URL('../../../support/server-child.js', import.meta.url))
  const limited = ['-c', 'ulimit -n 200; exec "$0" "$@"', process.execPath, script]
  const child = spawn('/bin/sh', limited, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  t.teardown(() => child.kill('SIGKILL'))
  const data = join(tempDirectory(t), 'data')
  child.send({ options: { data, clientPort: 0, segmentBytes: 65_536 } } satisfies ServerOrder)
  const [message] = (await once(child, 'message')) as [ServerMessage]
  const { url } = message as { url: string }
  const client = await connect(url)
  t.teardown(() => client.close({ timeoutMs: 1_000 }))
  const port = Number(new URL(url).port)
  const sockets = Array.from({ length: 250 }, () => {
    const socket = dial({ host: '127.0.0.1', port })
    socket.on('error', () => undefined)
    return socket
  })
  // As many as there is no room for.
  let gone = 0
  await new Promise<void>((resolve) => {
    for (const socket of sockets) {
      socket.once('close', () => {
        gone += 1
        if (gone === 250 - (200 - limits.openFilesReserved) + 1) resolve()
      })
    }
  })
  await client.create('/a')
  for (let i = 0; i < 40; i++) await client.set('/a', new Uint8Array(30_000))
  t.equal((await client.get('/a')).stat.version, 40)
  for (const socket of sockets) socket.destroy()
  const other = await connect(url)
  t.equal((await other.get('/a')).stat.version, 40, 'and there is room again')
  await other.close()
})
