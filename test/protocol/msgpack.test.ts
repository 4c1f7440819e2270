import { limits, ShapeError } from '@conclave/protocol'
import { clientMessages, pack, unpack } from '@conclave/protocol/codec'
import fc from 'fast-check'
import t from 'tap'

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const refuses = (value: Uint8Array): boolean => {
  try {
    unpack(value)
    return false
  } catch (error) {
    return error instanceof ShapeError
  }
}
/** One element of a request that is fine but for it. */
const inside = (element: string): Uint8Array => bytes(`91 95 02 01 00 00 92 11 ${element}`)

t.test('WIRE-6 every extension is refused, wherever it stands', async (t) => {
  t.match(clientMessages.decode(inside('a1 2f')), [{ op: { op: 'sync', path: '/' } }])
  for (let type = 0; type < 256; type++) {
    const code = type.toString(16).padStart(2, '0')
    for (const element of [
      `d4 ${code} 00`,
      `d4 ${code} a1 2f`,
      `d5 ${code} 00 00`,
      `d6 ${code} 00 00 00 00`,
      `d7 ${code} ${'00'.repeat(8)}`,
      `d8 ${code} ${'00'.repeat(16)}`,
      `c7 04 ${code} 00 00 00 00`,
      `c7 0c ${code} ${'00'.repeat(12)}`,
      `c7 00 ${code}`,
      `c8 00 04 ${code} 00 00 00 00`,
      `c9 00 00 00 04 ${code} 00 00 00 00`,
    ]) {
      if (!refuses(bytes(element)) || !refuses(inside(element))) t.fail(element)
    }
  }
  t.ok(refuses(inside('d6 69 00 00 00 01 a1 2f')), 'a structured clone')
  t.ok(refuses(bytes('92 d4 72 40 91 a1 61 a1 2f 40')), 'a record')
  t.ok(refuses(bytes('d4 72 40 91 a1 61 05')), 'a record alone')
  t.ok(refuses(inside('c7 0a 74 00 01 02 03 04 05 06 07 08 09')), 'a typed array')
  t.ok(refuses(inside('c7 05 62 00 00 00 05 00 a1 2f')), 'bundled strings')
  t.ok(refuses(inside('c1')), 'the byte that is never used')
})

t.test('WIRE-6 every map is refused, wherever it stands', async (t) => {
  for (const map of ['80', '81 a1 61 01', 'de 00 00', 'de 00 01 a1 61 01', 'df 00 00 00 00']) {
    t.ok(refuses(bytes(map)), map)
    t.ok(refuses(inside(map)), map)
    t.ok(refuses(bytes(`dc 00 02 c0 ${map}`)), map)
  }
})

t.test('WIRE-6 plain values of every format are read', async (t) => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['c0', null],
    ['c2', false],
    ['c3', true],
    ['7f', 127],
    ['e0', -32],
    ['cc ff', 255],
    ['cd ff ff', 65_535],
    ['ce ff ff ff ff', 4_294_967_295],
    ['cf 00 00 00 01 00 00 00 00', 4_294_967_296],
    ['d0 80', -128],
    ['d1 80 00', -32_768],
    ['d2 80 00 00 00', -2_147_483_648],
    ['d3 ff ff ff ff ff ff ff fe', -2],
    ['ca 3f 80 00 00', 1],
    ['cb 3f f8 00 00 00 00 00 00', 1.5],
    ['a0', ''],
    ['a2 c3 bc', 'ü'],
    ['d9 01 61', 'a'],
    ['da 00 01 61', 'a'],
    ['db 00 00 00 01 61', 'a'],
    ['90', []],
    ['dc 00 01 05', [5]],
    ['dd 00 00 00 01 05', [5]],
  ]
  for (const [hex, value] of cases) {
    t.same(unpack(bytes(hex)), value, hex)
    t.same(unpack(bytes(`93 01 ${hex} 02`)), [1, value, 2])
    for (let cut = 1; cut < bytes(hex).length; cut++) {
      t.ok(refuses(bytes(hex).subarray(0, cut)), `${hex} without its end`)
    }
  }
  for (const hex of ['c4 02 01 02', 'c5 00 02 01 02', 'c6 00 00 00 02 01 02']) {
    t.same([...(unpack(bytes(hex)) as Uint8Array)], [1, 2])
    t.ok(refuses(bytes(hex).subarray(0, -1)))
  }
  t.same(unpack(pack('x'.repeat(70_000))), 'x'.repeat(70_000))
  t.same(unpack(pack(Array<number>(70_000).fill(7))), Array<number>(70_000).fill(7))
})

t.test('WIRE-6 what is packed is read, and no bytes lead to anything but a refusal', async (t) => {
  const plain = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true }),
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array(),
      fc.array(tie('value')),
    ),
  })).value
  const same = (a: unknown, b: unknown): boolean => Buffer.from(pack(a)).equals(pack(b))
  const isSame = fc.property(plain, (value) => same(unpack(pack(value)), value))
  fc.assert(isSame, { seed: 1, numRuns: 500 })
  const isPlain = (value: unknown): boolean =>
    Array.isArray(value)
      ? value.every(isPlain)
      : value === null ||
        value instanceof Uint8Array ||
        ['boolean', 'number', 'string'].includes(typeof value)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (random) => {
      let value: unknown
      try {
        value = unpack(random)
      } catch (error) {
        return error instanceof ShapeError
      }
      return isPlain(value)
    }),
    { seed: 1, numRuns: 5_000 },
  )
  t.pass()
})

t.test('WIRE-17 decode bombs are refused before anything is made of them', async (t) => {
  const bombs: readonly (readonly [string, number])[] = [
    ['dd 01 ff ff ff', 200],
    ['dc 27 10', 20_000],
    ['dc ff ff', 20_000],
    ['91', 1_000_000],
    ['dd 00 0f ff ff', 100_000],
  ]
  for (const [unit, times] of bombs) {
    const bomb = bytes(unit.replaceAll(' ', '').repeat(times))
    const before = process.memoryUsage()
    t.ok(refuses(bomb), unit)
    const after = process.memoryUsage()
    const grown = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers
    t.ok(grown < 8_000_000, `${unit} took ${grown} bytes`)
  }
  t.ok(refuses(bytes('dc 00 05 01 02 03 04')), 'more elements than bytes')
  t.ok(refuses(bytes('dd ff ff ff ff')))
})

t.test('WIRE-17 arrays are nested at most 32 deep', async (t) => {
  const nested = (depth: number): Uint8Array => bytes(`${'91'.repeat(depth)}c0`)
  t.equal(limits.nestingMax, 32)
  t.notOk(refuses(nested(32)))
  t.ok(refuses(nested(33)))
  t.notOk(refuses(bytes(`93 ${`${'91'.repeat(31)} c0`.repeat(3)}`)), 'side by side they do not add')
})
