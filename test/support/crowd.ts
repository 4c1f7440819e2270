import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import type { ClientFrame } from '@conclave/protocol'
import { clientMessages } from '@conclave/protocol/codec'
import type { Test } from 'tap'
import { connectFrame } from './raw-client.js'
import { handshakeText, opcodes, wireFrame, WireSocket } from './wire-socket.js'

/** Many at a time, but not all at once: a backlog holds some hundreds. */
export const inWaves = async <T>(
  count: number,
  open: (index: number) => Promise<T>,
  wave = 200,
): Promise<readonly T[]> => {
  const all: T[] = []
  while (all.length < count) {
    const size = Math.min(wave, count - all.length)
    const from = all.length
    all.push(...(await Promise.all(Array.from({ length: size }, (_, i) => open(from + i)))))
  }
  return all
}

/** A TCP connection and nothing more. */
export const openSocket = (t: Test, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    t.teardown(() => socket.destroy())
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
    socket.on('error', () => undefined)
  })

export const say = (wire: WireSocket, ...frames: readonly ClientFrame[]): void =>
  wire.write(wireFrame({ opcode: opcodes.binary, payload: clientMessages.encode(frames) }))

/** A connection with a session, or one that was refused. */
export const attachWire = async (t: Test, port: number): Promise<WireSocket> => {
  const wire = new WireSocket(t, port)
  wire.write(handshakeText())
  say(wire, connectFrame({ nonce: randomBytes(16), sessionTimeoutMs: 60_000 }))
  await wire.until(() => wire.frames.length > 0)
  return wire
}

export const allGone = async (wires: readonly WireSocket[]): Promise<void> => {
  for (const wire of wires) wire.socket.destroy()
  await Promise.all(wires.map(({ ended }) => ended))
}
