import { EventEmitter } from 'node:events'
import { type ClientFrame, limits } from '@conclave/protocol'
import { clientMessages } from '@conclave/protocol/codec'
import { ClientSocket, socketBounds } from '#server/runtime/net/client-socket.js'
import { createOp, requestFrame } from '../../../support/raw-client.js'
import { MessageTurns } from '#server/runtime/net/message-turns.js'
import t from 'tap'
import type { WebSocket } from 'ws'

/** Turns that come when the test says so. */
const handTurns = (): { readonly turns: MessageTurns; readonly turn: () => boolean } => {
  const due: (() => void)[] = []
  return {
    turns: new MessageTurns((task) => due.push(task)),
    turn: () => {
      const tasks = due.splice(0)
      for (const task of tasks) task()
      return tasks.length > 0
    },
  }
}

t.test('LIMIT-18 of what is large a turn takes a bounded part, of what is small all', async (t) => {
  const { turns, turn } = handTurns()
  let bytes = 0
  const send = (size: number): void => {
    const act = (): void => void (bytes += size)
    if (turns.take(size, act)) act()
  }
  for (let i = 0; i < 100; i++) send(20_000)
  const taken = Math.ceil(limits.messageBytesPerTurnMax / 20_000) * 20_000
  t.equal(bytes, taken, 'until the part is taken')
  for (let i = 0; i < 500; i++) send(limits.messageBytesSmall)
  t.equal(bytes, taken + 500 * limits.messageBytesSmall)
  for (let before = bytes; turn() && bytes > before; before = bytes) {
    t.ok(bytes - before < limits.messageBytesPerTurnMax + 20_000)
  }
  t.equal(bytes, 2_000_000 + 500 * limits.messageBytesSmall, 'nothing is left')
  while (turn());
  send(limits.frameBytesMax)
  t.equal(bytes, 2_000_000 + 500 * limits.messageBytesSmall + limits.frameBytesMax, 'one at least')
})

t.test('LIMIT-18 what is smaller comes before what is larger, and all comes', async (t) => {
  const { turns, turn } = handTurns()
  const order: string[] = []
  turns.take(limits.frameBytesMax, () => undefined)
  for (let i = 0; i < 50; i++) turns.take(limits.frameBytesMax, () => order.push('large'))
  turns.take(3_000, () => order.push('small'))
  turn()
  t.equal(order[0], 'small')
  while (turn());
  t.equal(order.length, 51)
})

t.test('LIMIT-18 WIRE-1 a connection that waits is not read, and keeps its order', async (t) => {
  const { turns, turn } = handTurns()
  turns.take(limits.frameBytesMax, () => undefined)
  const frames: ClientFrame[] = []
  const reading: string[] = []
  const socket = Object.assign(new EventEmitter(), {
    bytesRead: 0,
    bufferedAmount: 0,
    pause: () => reading.push('pause'),
    resume: () => reading.push('resume'),
    terminate: () => undefined,
  })
  const bounds = { ...socketBounds(), turns }
  const events = { congested() {}, lost() {}, refused() {} }
  const client = new ClientSocket(socket as unknown as WebSocket, socket, bounds, {
    ...events,
    frame: (frame) => frames.push(frame),
  })
  const message = (xid: number, bytes: number): Buffer =>
    Buffer.from(clientMessages.encode([requestFrame(xid, createOp('/a', new Uint8Array(bytes)))]))
  for (const [xid, size] of [
    [1, limits.messageBytesPerTurnMax],
    [2, 1],
    [3, limits.messageBytesPerTurnMax],
  ] as const) {
    const bytes = message(xid, size)
    socket.bytesRead += bytes.length
    socket.emit('message', bytes, true)
    socket.emit('data')
  }
  const heard = (): readonly number[] =>
    frames.map((frame) => (frame.frame === 'request' ? frame.xid : 0))
  t.strictSame([heard(), reading], [[], ['pause']])
  t.equal(bounds.unfinished.bytes, socket.bytesRead, 'what waits is counted')
  turn()
  t.strictSame([heard(), reading], [[1, 2], ['pause']], 'the third takes a turn of its own')
  turn()
  t.strictSame(
    [heard(), reading],
    [
      [1, 2, 3],
      ['pause', 'resume'],
    ],
  )
  turns.take(limits.frameBytesMax, () => undefined)
  socket.emit('message', message(4, 1_000), true)
  client.terminate()
  while (turn());
  t.strictSame(heard(), [1, 2, 3], 'nothing is heard from who has been cut off')
})

t.test('LIMIT-18 the frames of one message take as many turns as they need', async (t) => {
  const { turns, turn } = handTurns()
  let heard = 0
  const socket = Object.assign(new EventEmitter(), {
    bytesRead: 0,
    bufferedAmount: 0,
    pause: () => undefined,
    resume: () => undefined,
  })
  const bounds = { ...socketBounds(), turns }
  const events = { congested() {}, lost() {}, refused() {}, frame: () => void (heard += 1) }
  const client = new ClientSocket(socket as unknown as WebSocket, socket, bounds, events)
  t.ok(client)
  const perTurn = limits.messageBytesPerTurnMax / 512
  const frames = Array.from({ length: 3 * perTurn }, (_, i) =>
    requestFrame(i + 1, createOp('/a', new Uint8Array(0))),
  )
  socket.emit('message', Buffer.from(clientMessages.encode(frames)), true)
  t.equal(heard, perTurn)
  turn()
  t.equal(heard, 2 * perTurn)
  turn()
  t.equal(heard, 3 * perTurn)
})
