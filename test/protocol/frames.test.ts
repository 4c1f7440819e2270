import {
  type ClientFrame,
  decodeResult,
  encodeResult,
  limits,
  type Op,
  type OpName,
  type OpResult,
  ShapeError,
} from '@conclave/protocol'
import { clientMessages, pack, serverMessages, unpack } from '@conclave/protocol/codec'
import t from 'tap'
import { clientFrames, ops, results, serverFrames } from './samples.js'

const request = (op: Op): ClientFrame => ({ ...clientFrames.request, op })
const fromClient = [...Object.values(clientFrames), ...Object.values(ops).map(request)]
const fromServer = Object.values(serverFrames)

type Raw = unknown[]
/** The arrays that travel, to be spoiled. */
const rawClient = (frame: ClientFrame): Raw => (unpack(clientMessages.encode([frame])) as Raw[])[0]!
const rawServer = (frame: (typeof fromServer)[number]): Raw =>
  (unpack(serverMessages.encode([frame])) as Raw[])[0]!
const isRefused = (codec: typeof clientMessages | typeof serverMessages, frame: Raw): boolean => {
  try {
    codec.decode(pack([frame]))
    return false
  } catch (error) {
    return error instanceof ShapeError
  }
}
const isBad = (frame: Raw): boolean => isRefused(clientMessages, frame)
const opIn = (frame: Raw): Raw => frame[4] as Raw
const withOp = (op: Raw): Raw => [2, 1, 0, 0, op]

t.test('WIRE-1 a message is an array of frames in their order', async (t) => {
  t.same(clientMessages.decode(clientMessages.encode([])), [])
  t.same(clientMessages.decode(Uint8Array.of(0x90)), [])
  t.same(clientMessages.decode(clientMessages.encode(fromClient)), fromClient)
  const notFrames = [null, 1, 'frames', true, [1], [[1], 2], [[]], [[[5, 1]]]]
  for (const message of notFrames) {
    t.throws(() => clientMessages.decode(pack(message)), ShapeError, JSON.stringify(message))
  }
  const probe = pack([[5, 1]])
  t.same(clientMessages.decode(probe), [{ frame: 'probe', id: 1 }])
  t.throws(() => clientMessages.decode(Buffer.concat([probe, probe])), ShapeError, 'two values')
  t.throws(() => clientMessages.decode(new Uint8Array(0)), ShapeError, 'none')
  const whole = clientMessages.encode(fromClient)
  for (let length = 0; length < whole.length; length++) {
    t.throws(() => clientMessages.decode(whole.subarray(0, length)), ShapeError)
  }
})

t.test('WIRE-2 every frame comes out as it went in', async (t) => {
  for (const frame of fromClient) {
    t.same(clientMessages.decode(clientMessages.encode([frame])), [frame])
  }
  for (const frame of fromServer) {
    t.same(serverMessages.decode(serverMessages.encode([frame])), [frame])
  }
  for (const name of Object.keys(results) as OpName[]) {
    const frame = {
      ...serverFrames.reply,
      failure: null,
      result: encodeResult(name, results[name] as OpResult<typeof name>),
    }
    const [reply] = serverMessages.decode(serverMessages.encode([frame]))
    const result = reply?.frame === 'reply' ? reply.result : undefined
    t.same(decodeResult(name, result), results[name], name)
  }
})

t.test('WIRE-2 the bytes are those of PROTOCOL.md', async (t) => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const nonce = Uint8Array.from({ length: 16 }, (_, i) => i)
  const connect = { ...clientFrames.connect, nonce, lastZxidSeen: 0 as never }
  t.equal(
    hex(clientMessages.encode([connect])),
    '9199010100c410000102030405060708090a0b0c0d0e0f01cd271000c000',
  )
  const { ping, probe } = clientFrames
  t.equal(
    hex(
      clientMessages.encode([
        { ...ping, id: 1, ackedXid: 3 as never },
        { ...probe, id: 2 },
      ]),
    ),
    '9293040103920502',
  )
})

t.test('WIRE-4 unknown numbers and wrong counts of elements are refused', async (t) => {
  for (const frame of fromClient) {
    const raw = rawClient(frame)
    t.notOk(isBad(raw))
    t.ok(isBad([...raw, null]), 'one too many')
    t.ok(isBad(raw.slice(0, -1)), 'one too few')
    t.ok(isBad([99, ...raw.slice(1)]))
  }
  for (const tag of [0, 6, -1, 255, '1', null]) t.ok(isBad([tag, 1]), `frame ${tag}`)
  for (const op of Object.values(ops)) {
    const raw = opIn(rawClient(request(op)))
    t.ok(isBad(withOp([...raw, null])), op.op)
    t.ok(isBad(withOp(raw.slice(0, -1))))
    t.ok(isBad(withOp([99, ...raw.slice(1)])))
  }
  for (const tag of [0, 9, 19, 25]) t.ok(isBad(withOp([tag, '/a'])), `op ${tag}`)
  const multi = opIn(rawClient(request(ops.multi))) as Raw[]
  for (let list = 1; list <= 4; list++) {
    for (const spoil of [(item: Raw) => [...item, 0], (item: Raw) => item.slice(0, -1)]) {
      const spoiled = multi.map((items, i) =>
        i === list ? items.map((it) => spoil(it as Raw)) : items,
      )
      t.ok(isBad(withOp(spoiled)), `list ${list} of a multi`)
    }
  }
  for (const frame of fromServer) {
    t.ok(isRefused(serverMessages, [...rawServer(frame), null]), frame.frame)
    t.ok(isRefused(serverMessages, rawServer(frame).slice(0, -1)), frame.frame)
  }
})

/** Of a type that the element does not have, whatever else may stand there. */
const another = (value: unknown): unknown => {
  if (typeof value === 'number') return 'text'
  if (typeof value === 'boolean') return 1
  if (value instanceof Uint8Array) return 'bytes'
  return value === null ? true : 7
}

t.test('WIRE-5 an element of another type is refused', async (t) => {
  for (const frame of fromClient) {
    const raw = rawClient(frame)
    for (let at = 1; at < raw.length; at++) {
      t.ok(isBad(raw.with(at, another(raw[at]))), `${frame.frame} ${at}`)
    }
  }
  for (const op of Object.values(ops)) {
    const raw = opIn(rawClient(request(op)))
    for (let at = 1; at < raw.length; at++) {
      t.ok(isBad(withOp(raw.with(at, another(raw[at])))), `${op.op} ${at}`)
      const items = raw[at]
      if (!Array.isArray(items)) continue
      for (const [i, item] of items.entries()) {
        const spoiled = raw.with(at, items.with(i, another(item)))
        t.ok(isBad(withOp(spoiled)), `${op.op} ${at} ${i}`)
      }
    }
  }
})

t.test('WIRE-5 an element outside its range is refused', async (t) => {
  const connect = rawClient(clientFrames.connect)
  const nonce = (length: number): Raw => connect.with(3, new Uint8Array(length))
  t.same(
    [0, 15, 16, 17, 32].map((length) => isBad(nonce(length))),
    [true, true, false, true, true],
  )
  for (const at of [1, 2, 4, 5, 6, 8]) t.ok(isBad(connect.with(at, -1)), `connect ${at}`)
  t.notOk(isBad(connect.with(7, 'x'.repeat(limits.ensembleIdBytesMax))))
  t.ok(isBad(connect.with(7, 'x'.repeat(limits.ensembleIdBytesMax + 1))))
  t.ok(isBad([2, 0, 0, 0, [18]]), 'the xid 0')
  t.notOk(isBad([2, 1, 0, 0, [18]]))
  const cases: readonly (readonly [Raw, boolean])[] = [
    [[1, '/a', null, 'eternal', null, 0], true],
    [[1, '/a', null, 'persistent', [['nobody', 'x', 1]], 0], true],
    [[1, '/a', null, 'persistent', [['world', 'x', -1]], 0], true],
    [[1, '/a', null, 'persistent', null, -1], true],
    [[23, '/a', 'both'], true],
    [[14, '/', false, new Uint8Array(limits.cursorBytesMax)], false],
    [[14, '/', false, new Uint8Array(limits.cursorBytesMax + 1)], true],
    [[20, 'x'.repeat(64), 'u', 'p'], false],
    [[20, 'x'.repeat(65), 'u', 'p'], true],
    [[24, 0, Array<string>(limits.rearmPathsMax).fill('/a'), [], []], false],
    [[24, 0, Array<string>(limits.rearmPathsMax + 1).fill('/a'), [], []], true],
    [[6, [], [[3, '/a', new Uint8Array(limits.valueCompareBytesMax)]], [], []], false],
    [[6, [], [[3, '/a', new Uint8Array(limits.valueCompareBytesMax + 1)]], [], []], true],
    [[6, [], [[6, '/a', 1]], [], []], true],
    [[6, [], [], [[7, '/a']], []], true],
    [[16, [[14, '/a']], false], true],
  ]
  for (const [op, isOutside] of cases) {
    t.equal(isBad(withOp(op)), isOutside, JSON.stringify(op).slice(0, 60))
  }
  const server = (frame: Raw): boolean => isRefused(serverMessages, frame)
  const event = ['created', 1, 0, '/a', null]
  const { streamEventsPerFrameMax: eventsMax, serverIdMax } = limits
  t.notOk(server([6, 1, Array<Raw>(eventsMax).fill(event)]))
  t.ok(server([6, 1, Array<Raw>(eventsMax + 1).fill(event)]))
  t.ok(server(rawServer(serverFrames.connected).with(5, serverIdMax + 1)))
  t.ok(server([10, 'tired']))
  t.ok(server([2, 1, 1, ['noCode', 'message', null], null]))
})

t.test('WIRE-7 a float without a fraction is an integer, and nothing else is', async (t) => {
  const probe = (...id: readonly number[]): Uint8Array => Uint8Array.of(0x91, 0x92, 5, ...id)
  const float64 = (value: number): number[] => {
    const view = new DataView(new ArrayBuffer(8))
    view.setFloat64(0, value)
    return [0xcb, ...new Uint8Array(view.buffer)]
  }
  const idOf = (message: Uint8Array): unknown => {
    try {
      const [frame] = clientMessages.decode(message)
      return frame?.frame === 'probe' ? frame.id : null
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error
      return 'refused'
    }
  }
  const max = Number.MAX_SAFE_INTEGER
  t.equal(idOf(probe(...float64(5))), 5)
  t.equal(idOf(probe(0xca, 0x40, 0xa0, 0, 0)), 5, 'a float 32 too')
  t.equal(idOf(probe(...float64(max))), max)
  t.ok(Object.is(idOf(probe(...float64(-0))), 0))
  t.equal(idOf(probe(0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255)), max)
  t.equal(idOf(probe(0xd3, 0, 0, 0, 0, 0, 0, 0, 7)), 7)
  for (const value of [5.5, NaN, Infinity, -Infinity, max + 1, -1, 1e300]) {
    t.equal(idOf(probe(...float64(value))), 'refused', `${value}`)
  }
  t.equal(idOf(probe(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0)), 'refused', '2^53')
  t.equal(idOf(probe(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1)), 'refused', '2^53 + 1')
  t.equal(idOf(probe(0xcf, 255, 255, 255, 255, 255, 255, 255, 255)), 'refused')
})

t.test('LIMIT-4 a message has at most 4,096 frames', async (t) => {
  const frames = Array.from({ length: limits.framesPerMessageMax }, () => clientFrames.probe)
  t.equal(clientMessages.decode(clientMessages.encode(frames)).length, 4_096)
  const more = clientMessages.encode([...frames, clientFrames.probe])
  t.throws(() => clientMessages.decode(more), ShapeError)
})
