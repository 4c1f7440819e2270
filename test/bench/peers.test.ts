import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { RequestHeaders, ResponseHeaders } from '#bench/peers/header-blocks.js'
import { bytesField, fieldOf, message, varintField } from '#bench/peers/protobuf.js'
import { openZookeeper } from '#bench/peers/zookeeper-connection.js'

/** A server of one connection that says what it is told after the session is open. */
const fakeZookeeper = async (t: Test, answer: (xid: number) => Buffer): Promise<string> => {
  const server: Server = createServer((socket: Socket) => {
    let isOpen = false
    socket.on('data', (bytes) => {
      if (!isOpen) socket.write(Buffer.concat([int(4), int(0)]))
      else socket.write(answer(bytes.readInt32BE(4)))
      isOpen = true
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** A stat of that version behind a header. */
const reply = (xid: number, failure: number, version: number): Buffer => {
  const body = Buffer.alloc(16 + 68)
  body.writeInt32BE(xid, 0)
  body.writeInt32BE(failure, 12)
  body.writeInt32BE(version, 16 + 32)
  return Buffer.concat([int(body.length), body])
}

/** What becomes of one write: a version, or the fault that was found. */
const write = async (address: string): Promise<number | string | null> => {
  let onFault: (error: Error) => void = () => undefined
  const fault = new Promise<string>((resolve) => {
    onFault = ({ message: said }) => resolve(said)
  })
  const connection = await openZookeeper(address, (error) => onFault(error))
  const done = new Promise<number | null>((resolve) => {
    connection.set('/a', Buffer.from('x'), resolve)
  })
  const outcome = await Promise.race([done, fault])
  await connection.close()
  return outcome
}

t.test('BENCH-5 an answer that is due and says success is taken', async (t) => {
  t.equal(await write(await fakeZookeeper(t, (xid) => reply(xid, 0, 7))), 7)
})

t.test('BENCH-5 an answer to something else, or that says an error, is a fault', async (t) => {
  t.match(await write(await fakeZookeeper(t, (xid) => reply(xid + 1, 0, 7))), /where 1 was due/)
  t.match(await write(await fakeZookeeper(t, (xid) => reply(xid, -101, 0))), /error -101/)
})

t.test('BENCH-5 fields of a message are found, and nothing else', async (t) => {
  const inner = message(varintField(3, 300), varintField(1, 2 ** 40))
  const bytes = message(bytesField(1, inner), bytesField(5, Buffer.from('five')))
  const whole = { from: 0, to: bytes.length }
  const found = fieldOf(bytes, whole, 1)
  t.ok(found !== null)
  if (found === null) return
  t.equal(fieldOf(bytes, found, 3)?.number, 300)
  t.equal(fieldOf(bytes, found, 1)?.number, 2 ** 40)
  t.equal(fieldOf(bytes, found, 5), null)
  const five = fieldOf(bytes, whole, 5)
  t.equal(bytes.toString('latin1', five?.from, five?.to), 'five')
})

t.test('BENCH-5 a call that failed is told from one that did not', async (t) => {
  const headers = new ResponseHeaders()
  // As etcd sends them: literals without indexing, names and values of HPACK's Huffman code.
  const ok = Buffer.from('00889acac8b21234da8f013000899acac8b5254207317f00', 'hex')
  const failed = Buffer.from('00889acac8b21234da8f0132', 'hex')
  const begun = Buffer.from('880f108b1d75d0620d263d4c4d6564', 'hex')
  for (const _again of [1, 2]) {
    t.strictSame(headers.status(ok), { code: 0, message: '' })
    t.equal(headers.status(failed)?.code, 2)
    t.equal(headers.status(begun), null)
  }
})

t.test(
  'BENCH-5 what enters the table of headers is sent once, and then by its place',
  async (t) => {
    const headers = new RequestHeaders('host:1')
    const first = headers.block('/Put')
    t.ok(first.includes('/Put') && first.includes('host:1'))
    const second = headers.block('/Put')
    // :method, :scheme, and the four that entered: the newest has the place 62.
    t.strictSame([...second], [0x83, 0x86, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62])
    t.ok(headers.block('/Range').includes('/Range'))
    const later = headers.block('/Put')
    t.strictSame([...later], [0x83, 0x86, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63])
  },
)
