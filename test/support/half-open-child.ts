import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'
import { packByHand } from './hand-msgpack.js'

/** Opens so many sessions of a second each on a port, says so, and does nothing more. */
const [port, count] = process.argv.slice(2).map(Number)
let open = 0
for (let i = 0; i < (count ?? 0); i++) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, 'conclave.v1')
  socket.on('open', () => {
    socket.send(packByHand([[1, 1, 0, new Uint8Array(randomBytes(16)), 1, 1_000, 0, null, 0]]))
  })
  socket.once('message', () => {
    open += 1
    if (open === count) process.stdout.write('open\n')
  })
}
