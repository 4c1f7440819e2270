import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { limits, type Op } from '@conclave/protocol'
import { openFilesAllowed } from '#server/runtime/net/socket-room.js'
import t, { type Test } from 'tap'
import { allGone, attachWire, inWaves, openSocket, say } from '../support/crowd.js'
import { Health } from '../support/health.js'
import { ObservedServer } from '../support/observed-server.js'
import { createOp, requestFrame } from '../support/raw-client.js'
import { reset } from '../support/reset.js'
import { opcodes, wireFrame, type WireSocket } from '../support/wire-socket.js'

/**
 * Attacks by number: each is measured (what the server's memory and the slowest answer to somebody
 * else came to, as comments), and each must leave the server as it was.
 */
interface Siege {
  readonly server: ObservedServer
  readonly healthy: Health
  /** Notes what it has cost until now. */
  readonly measured: (what: string) => void
  /** Resolves when the server holds as many files as before, and has stopped in order. */
  readonly settled: () => Promise<void>
}

const siege = async (t: Test): Promise<Siege> => {
  const server = await ObservedServer.start()
  const healthy = await Health.start(server.url)
  t.teardown(async () => {
    await healthy.stop()
    await server.stop()
  })
  await healthy.progress(50)
  healthy.takeLongestMs()
  const files0 = server.openFiles
  let cpuMs = server.cpuMs
  const measured = (what: string): void => {
    const used = server.cpuMs - cpuMs
    cpuMs += used
    const longestMs = healthy.takeLongestMs()
    t.comment(`${what}: RSS ${server.rssMiB} MiB, CPU ${used} ms, longest answer ${longestMs} ms`)
  }
  return {
    server,
    healthy,
    measured,
    settled: async () => {
      // Segments come and go beside the sockets.
      while (server.openFiles > files0 + 4) await healthy.progress(10)
      await healthy.progress(50)
      measured('after')
      await healthy.stop()
      const { exit, log } = await server.stop()
      t.equal(exit, '0', 'it stops in order')
      t.notMatch(log, /cannot go on|"level":60/)
    },
  }
}

t.test('LIMIT-3 10,000 connections, and one more', async (t) => {
  if (openFilesAllowed() < 12_000) return t.comment('skipped: needs ulimit -n of 12,000')
  const { server, healthy, measured, settled } = await siege(t)
  measured('before')
  const crowd = await inWaves(limits.connectionsMax - 1, () => attachWire(t, server.port))
  measured('10,000 connections made')
  for (const { frames } of crowd) if (frames[0]?.frame !== 'connected') t.fail('not connected')
  const late = await attachWire(t, server.port)
  t.match(late.frames, [{ frame: 'closing', reason: 'tooManyConnections' }])
  for (const [i, wire] of crowd.entries()) say(wire, { frame: 'probe', id: i })
  await Promise.all(crowd.map((wire) => wire.until(() => wire.frames.length > 1)))
  await healthy.progress(50)
  measured('10,000 connections, all probed')
  const watch = { path: '/healthy', recursive: false, withDetail: true, from: null } as const
  const op: Op = { op: 'watch', streamId: 1, ...watch }
  for (const wire of crowd) say(wire, requestFrame(1, op))
  await Promise.all(crowd.map((wire) => wire.until(() => wire.frames.length > 12)))
  await healthy.progress(50)
  measured('10,000 watchers of a hot znode')
  await allGone(crowd)
  await settled()
})

t.test('SERVER-4 5,000 sockets that say a byte now and then', async (t) => {
  const { server, healthy, measured, settled } = await siege(t)
  const drips = await inWaves(5_000, async () => {
    const socket = await openSocket(t, server.port)
    socket.resume()
    socket.write('G')
    return { socket, gone: once(socket, 'close') }
  })
  measured('5,000 open')
  const drip = setInterval(() => {
    for (const { socket } of drips) if (!socket.destroyed) socket.write('E')
  }, 1_000)
  await healthy.progress(100)
  const newcomer = await attachWire(t, server.port)
  t.match(newcomer.frames, [{ frame: 'connected' }], 'others come in meanwhile')
  newcomer.socket.destroy()
  await Promise.all(drips.map(({ gone }) => gone))
  clearInterval(drip)
  await settled()
})

t.test('LIMIT-6 LIMIT-15 messages that never end, on 2,000 connections', async (t) => {
  const { server, measured, settled } = await siege(t)
  const crowd = await inWaves(2_000, () => attachWire(t, server.port))
  const piece = wireFrame({
    opcode: opcodes.binary,
    payload: Buffer.alloc(900_000),
    length: 1_000_000,
  })
  let cutOff = 0
  for (const wire of crowd) void wire.ended.then(() => (cutOff += 1))
  for (const wire of crowd) {
    if (wire.socket.destroyed || wire.socket.write(piece)) continue
    await Promise.race([once(wire.socket, 'drain'), wire.ended])
  }
  await crowd[0]?.until(() => cutOff > 0)
  measured(`1.8 GB of unfinished messages sent, ${cutOff} cut off`)
  t.ok(cutOff >= 1_000)
  await allGone(crowd)
  await settled()
})

t.test('WIRE-12 a million fragments', async (t) => {
  const { server, measured, settled } = await siege(t)
  const wire = await attachWire(t, server.port)
  const fragment = wireFrame({ opcode: opcodes.more, payload: Buffer.of(0x90), isFinal: false })
  wire.write(wireFrame({ opcode: opcodes.binary, isFinal: false }))
  wire.write(Buffer.alloc(fragment.length * 1_000_000, fragment))
  t.equal((await wire.ended).closeCode, 1_008)
  measured('a million fragments')
  await settled()
})

t.test('SERVER-5 20,000 pings, and more than are read', async (t) => {
  const { server, measured, settled } = await siege(t)
  const ping = wireFrame({ opcode: opcodes.ping, payload: Buffer.alloc(125) })
  const wire = await attachWire(t, server.port)
  for (let asked = 8; asked <= 20_000; asked += 8) {
    wire.write(Buffer.alloc(ping.length * 8, ping))
    await wire.until(() => wire.pongs === asked)
  }
  t.equal(wire.pongs, 20_000)
  measured('20,000 pings answered')
  const deaf = await attachWire(t, server.port)
  deaf.socket.pause()
  const flood = Buffer.alloc(ping.length * 1_000, ping)
  let isOver = false
  void deaf.ended.then(() => (isOver = true))
  while (!isOver) {
    if (deaf.socket.write(flood)) continue
    const drained = once(deaf.socket, 'drain').catch(() => undefined)
    await Promise.race([drained, deaf.ended, new Promise((resolve) => setTimeout(resolve, 500))])
  }
  measured('pings to who does not read: cut off')
  await settled()
})

t.test('SERVER-3 SERVER-4 20,000 connections opened and dropped', async (t) => {
  const { server, measured, settled } = await siege(t)
  await inWaves(20_000, async (i) => {
    const socket = await openSocket(t, server.port).catch(() => null)
    if (socket === null) return
    if (i % 3 === 0) reset(socket)
    else if (i % 3 === 1) socket.end('GET / HTTP/1.1\r\n\r\n')
    else socket.destroy()
    if (!socket.destroyed) await once(socket.resume(), 'close')
  })
  measured('20,000 opened and dropped')
  await settled()
})

t.test('SESSION-10 5,000 sessions opened and dropped', async (t) => {
  const { server, measured, settled } = await siege(t)
  await inWaves(5_000, async () => {
    const wire = await attachWire(t, server.port)
    reset(wire.socket)
    await wire.ended
  })
  measured('5,000 sessions opened and dropped')
  await settled()
})

t.test('SERVER-6 10,000 passwords at once', async (t) => {
  const { server, measured, settled } = await siege(t)
  const crowd = await inWaves(1_000, () => attachWire(t, server.port))
  const auth = (i: number, k: number): Op => {
    return { op: 'auth', scheme: 'digest', user: `user${i}`, password: `${i}-${k}` }
  }
  for (const [i, wire] of crowd.entries()) {
    say(wire, ...Array.from({ length: 10 }, (_, k) => requestFrame(k + 1, auth(i, k))))
  }
  const throttled = (): number =>
    crowd.reduce((sum, { frames }) => sum + (codesOf(frames).includes('throttled') ? 1 : 0), 0)
  const isDone = (): boolean => throttled() > 700
  await Promise.race(crowd.map((wire) => wire.until(isDone)))
  measured(`10,000 passwords, ${throttled()} connections throttled`)
  t.ok(isDone())
  await allGone(crowd)
  await settled()
})

const codesOf = (frames: WireSocket['frames']): readonly string[] =>
  frames.flatMap((frame) =>
    frame.frame === 'reply' && frame.failure !== null ? [frame.failure.code] : [],
  )

t.test('STREAM-15 LIMIT-15 300 subscribers of a hot znode that never read', async (t) => {
  const { server, healthy, measured, settled } = await siege(t)
  const writer = await attachWire(t, server.port)
  const reader = await attachWire(t, server.port)
  const replies = (): number => writer.frames.filter(({ frame }) => frame === 'reply').length
  say(writer, requestFrame(1, createOp('/hot')))
  await writer.until(() => replies() === 1)
  const watch = { path: '/hot', recursive: false, withDetail: true, from: null } as const
  const op: Op = { op: 'watch', streamId: 1, ...watch }
  const deaf = await inWaves(300, async () => {
    const wire = await attachWire(t, server.port)
    say(wire, requestFrame(1, op))
    await wire.until(() => wire.frames.length > 2)
    wire.socket.pause()
    return wire
  })
  say(reader, requestFrame(1, op))
  const files = server.openFiles
  const data = new Uint8Array(256_000)
  let peak = 0
  let writes = 0
  // The server lets go of them one after the other; their own side does not hear of it.
  while (server.openFiles > files - 290) {
    writes += 1
    say(writer, {
      frame: 'request',
      xid: (writes + 1) as never,
      ackedXid: writes as never,
      refusedSeen: 0 as never,
      op: { op: 'setData', path: '/hot', data, version: -1 },
    })
    await writer.until(() => replies() === writes + 1)
    peak = Math.max(peak, server.rssMiB)
  }
  await healthy.progress(20)
  measured(`${writes} writes of 256 kB to 300 that never read: peak ${peak} MiB`)
  const seen = (): number =>
    reader.frames.flatMap((frame) => (frame.frame === 'streamEvents' ? frame.events : [])).length
  await reader.until(() => seen() === writes)
  t.equal(seen(), writes, 'who reads has seen all')
  await allGone([...deaf, writer, reader])
  await settled()
})

t.test('SESSION-10 LIMIT-15 500 half-open connections', async (t) => {
  const { server, settled } = await siege(t)
  // A process that is stopped answers nothing, and its kernel keeps its connections open.
  const script = new URL('../support/half-open-child.js', import.meta.url).pathname
  const child = spawn(process.execPath, [script, `${server.port}`, '500'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  await settled()
})
