import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { ClientFrame, SessionId } from '@conclave/protocol'
import { clientMessages } from '@conclave/protocol/codec'
import t from 'tap'
import type { WebSocket } from 'ws'
import { ClientSocket, socketBounds } from '#server/runtime/net/client-socket.js'
import { ReplicaKit } from '../../../support/replica-kit.js'
import { connectOf } from '../../../support/session-kit.js'

t.test('SESSION-18 the log and the snapshots hold a hash of the nonce', async (t) => {
  const kit = new ReplicaKit({ snapshotTxns: 3 })
  const client = kit.open()
  const nonce = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i)
  const connect = connectOf(client, { sessionId: 0 as SessionId, nonce })
  const frames: ClientFrame[] = []
  const socket = new EventEmitter()
  const stream = Object.assign(new EventEmitter(), { bytesRead: 0 })
  const listener = new ClientSocket(socket as unknown as WebSocket, stream, socketBounds(), {
    frame: (frame) => frames.push(frame),
    congested: () => undefined,
    lost: () => undefined,
    refused: (why) => t.fail(why),
  })
  t.ok(listener)
  socket.emit('message', Buffer.from(clientMessages.encode([connect])), true)
  for (const frame of frames) client.frame(frame)
  t.match(client.take(), [{ frame: 'connected', resumed: false }])
  kit.client().create('/a')
  const hash = createHash('sha256').update(nonce).digest()
  const isHash = (bytes: Uint8Array): boolean => hash.equals(bytes)
  const logged = kit.log.flatMap(({ body }) =>
    body.body === 'createSession' ? [body.nonceHash] : [],
  )
  t.equal(logged.filter(isHash).length, 1)
  const saved = (kit.snapshot?.entries ?? []).flatMap((entry) =>
    entry.entry === 'session' ? [entry.nonceHash] : [],
  )
  t.equal(saved.filter(isHash).length, 1)
  const text = JSON.stringify([kit.log, kit.snapshot])
  t.notMatch(text, Array.from(nonce, (byte, i) => `"${i}":${byte}`).join(','))
  t.match(text, Array.from(hash, (byte, i) => `"${i}":${byte}`).join(','))
})
