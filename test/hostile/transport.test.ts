import t, { type Test } from 'tap'
import { attachRaw, connectFrame } from '../support/raw-client.js'
import { reset } from '../support/reset.js'
import { handshakeText, opcodes, wireFrame, WireSocket } from '../support/wire-socket.js'
import { clientMessages } from '@conclave/protocol/codec'
import type { BadHandshake, BadWire } from './fixtures/transport.js'
import * as fixtures from './fixtures/transport.js'
import { saysGoodbye, startTarget } from './hostile-kit.js'

const target = await startTarget(t)

const cut = async (t: Test, { bytes, closeCode }: BadWire): Promise<void> => {
  const wire = await WireSocket.upgraded(t, target.port)
  wire.write(bytes())
  await target.progress()
  const end = await wire.ended
  t.equal(end.closeCode, closeCode)
  t.equal(end.frames.length, closeCode === 4400 ? 1 : 0)
  await target.settled()
}

const refused = async (t: Test, { text, status }: BadHandshake): Promise<void> => {
  // It keeps its half open: the server must not keep the other.
  const wire = new WireSocket(t, target.port, true)
  wire.write(text())
  await wire.until(() => wire.status !== null)
  wire.socket.end()
  t.equal((await wire.ended).status, status)
  t.equal(target.status().connections, 1)
  await target.progress()
}

for (const each of fixtures.badWire) t.test(`WIRE-12 ${each.name}`, (t) => cut(t, each))
for (const each of fixtures.badHosts) t.test(`WIRE-15 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badOrigins) t.test(`WIRE-14 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.badSubprotocols) t.test(`WIRE-13 ${each.name}`, (t) => refused(t, each))
for (const each of fixtures.noHandshakes) {
  t.test(`SERVER-1 SERVER-3 ${each.name}`, (t) => refused(t, each))
}
for (const each of fixtures.largeHeaders) t.test(`SERVER-2 ${each.name}`, (t) => refused(t, each))

t.test('WIRE-13 an offer to compress is not taken up', async (t) => {
  const wire = new WireSocket(t, target.port)
  wire.write(handshakeText({ 'Sec-WebSocket-Extensions': 'permessage-deflate; x=1' }))
  await wire.until(() => wire.status !== null)
  t.equal(wire.status, 101)
  wire.write(wireFrame({ opcode: opcodes.binary, payload: Buffer.of(0x90), reserved: 4 }))
  t.equal((await wire.ended).closeCode, 1002)
  await target.settled()
})

const connectMessage = clientMessages.encode([connectFrame()])

t.test(
  'WIRE-1 a message in pieces of one byte, with pings between them, is one message',
  async (t) => {
    const wire = await WireSocket.upgraded(t, target.port)
    for (const [i, byte] of connectMessage.entries()) {
      wire.write(
        wireFrame({
          opcode: i === 0 ? opcodes.binary : opcodes.more,
          payload: Buffer.of(byte),
          isFinal: i === connectMessage.length - 1,
        }),
      )
      wire.write(wireFrame({ opcode: opcodes.ping }))
    }
    await wire.until(() => wire.frames.length === 1)
    t.match(wire.frames, [{ frame: 'connected' }])
    t.ok(wire.pongs > 0)
    wire.socket.destroy()
    await target.settled()
  },
)

t.test('WIRE-1 bytes that come one by one are what they are', async (t) => {
  const wire = new WireSocket(t, target.port)
  wire.socket.setNoDelay(true)
  const frame = wireFrame({ opcode: opcodes.binary, payload: connectMessage })
  for (const byte of Buffer.concat([Buffer.from(handshakeText()), frame])) {
    await new Promise((resolve) => wire.socket.write(Buffer.of(byte), resolve))
  }
  await wire.until(() => wire.frames.length === 1)
  t.match(wire.frames, [{ frame: 'connected' }])
  wire.socket.destroy()
  await target.settled()
})

t.test('WIRE-3 frames behind the handshake in one piece are heard', async (t) => {
  const wire = new WireSocket(t, target.port)
  const frame = wireFrame({ opcode: opcodes.binary, payload: Buffer.of(0xc1) })
  wire.write(Buffer.concat([Buffer.from(handshakeText()), frame]))
  saysGoodbye(t, await wire.ended, 'badFrame')
  await target.settled()
})

t.test('WIRE-9 a client may leave at any byte of its first message', async (t) => {
  const frame = wireFrame({ opcode: opcodes.binary, payload: connectMessage })
  for (let length = 0; length < frame.length; length += 3) {
    const wire = await WireSocket.upgraded(t, target.port)
    wire.write(frame.subarray(0, length))
    if (length % 2 === 0) wire.socket.destroySoon()
    else reset(wire.socket)
    await wire.ended
  }
  await target.settled()
  t.equal(target.status().connections, 1)
})

t.test('WIRE-12 a close without waiting for the answer, and nothing behind a close', async (t) => {
  const left = await WireSocket.upgraded(t, target.port)
  left.write(wireFrame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xe8]) }))
  left.socket.destroySoon()
  const late = await WireSocket.upgraded(t, target.port)
  late.write(wireFrame({ opcode: opcodes.close, payload: Buffer.from([0x03, 0xe8]) }))
  late.write(wireFrame({ opcode: opcodes.binary, payload: connectMessage }))
  const end = await late.ended
  t.strictSame([end.frames, end.closeCode], [[], 1_000])
  await target.settled()
})

t.test('ACL-7 an address that a header claims is not the address', async (t) => {
  const owner = await attachRaw(t, target.port)
  const acl = [{ scheme: 'ip', id: '10.1.2.3', permissions: 31 }] as const
  const create = { path: '/elsewhere', data: null, kind: 'persistent', acl, ttlMs: 0 } as const
  await owner.result({ op: 'create', ...create })
  owner.socket.terminate()
  const wire = new WireSocket(t, target.port)
  wire.write(handshakeText({ 'X-Forwarded-For': '10.1.2.3', Forwarded: 'for=10.1.2.3' }))
  wire.write(wireFrame({ opcode: opcodes.binary, payload: connectMessage }))
  await wire.until(() => wire.frames.length === 1)
  const read = { path: '/elsewhere', watch: false, linearizable: false } as const
  const request = { frame: 'request', xid: 1, ackedXid: 0, refusedSeen: 0 } as const
  const message = clientMessages.encode([
    { ...request, op: { op: 'getData', ...read } } as never,
    { ...request, xid: 2, op: { op: 'whoAmI' } } as never,
  ])
  wire.write(wireFrame({ opcode: opcodes.binary, payload: message }))
  await wire.until(() => wire.frames.length === 3)
  t.match(wire.frames[1], { failure: { code: 'noAuth' } })
  t.match(JSON.stringify(wire.frames[2]), /127\.0\.0\.1/)
  wire.socket.destroy()
  await target.settled()
})
