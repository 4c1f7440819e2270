import type { Dice } from './dice.js'

/** Numbers at the ends of what formats and languages can say. */
export const extremes: readonly number[] = [
  0,
  -0,
  1,
  -1,
  2,
  31,
  32,
  127,
  128,
  255,
  256,
  1_000,
  4_096,
  4_097,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 64,
  -(2 ** 31),
  -(2 ** 53 - 1),
  -(2 ** 63),
  0.5,
  5e-324,
  1.797e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
]

const tokens = [
  0x00, 0x7f, 0x80, 0x8f, 0x90, 0x91, 0x9f, 0xa0, 0xa1, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5,
  0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5,
  0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff,
]

type Mutation = (dice: Dice, bytes: Buffer, other: Buffer) => Buffer

const at = (dice: Dice, bytes: Buffer): number => dice.below(bytes.length + 1)
const replaced = (bytes: Buffer, from: number, to: number, by: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)])

const mutations: readonly Mutation[] = [
  function flipBit(dice, bytes) {
    const copy = Buffer.from(bytes)
    const i = dice.below(copy.length)
    if (copy.length > 0) copy[i] = (copy[i] as number) ^ (1 << dice.below(8))
    return copy
  },
  function swapType(dice, bytes) {
    const copy = Buffer.from(bytes)
    if (copy.length > 0) copy[dice.below(copy.length)] = dice.pick(tokens)
    return copy
  },
  function lieAboutLength(dice, bytes) {
    const lie = Buffer.alloc(5)
    lie[0] = dice.pick([0xc6, 0xdb, 0xdd, 0xdf, 0xc9])
    lie.writeUInt32BE(dice.pick([0, 1, 2, 0xffff, 0x10000, 0x7fffffff, 0xffffffff]), 1)
    const from = at(dice, bytes)
    return replaced(bytes, from, Math.min(bytes.length, from + dice.below(3)), lie)
  },
  function truncate(dice, bytes) {
    return Buffer.from(bytes.subarray(0, at(dice, bytes)))
  },
  function insert(dice, bytes) {
    const from = at(dice, bytes)
    return replaced(bytes, from, from, dice.bytes(1 + dice.below(8)))
  },
  function remove(dice, bytes) {
    const from = at(dice, bytes)
    return replaced(bytes, from, Math.min(bytes.length, from + 1 + dice.below(8)), Buffer.alloc(0))
  },
  function splice(dice, bytes, other) {
    return Buffer.concat([bytes.subarray(0, at(dice, bytes)), other.subarray(at(dice, other))])
  },
  function repeat(dice, bytes) {
    const from = at(dice, bytes)
    const piece = bytes.subarray(from, from + 1 + dice.below(16))
    return replaced(bytes, from, from, Buffer.concat(Array<Buffer>(dice.below(64)).fill(piece)))
  },
  function nest(dice, bytes) {
    const from = at(dice, bytes)
    return replaced(bytes, from, from, Buffer.alloc(1 + dice.below(64), 0x91))
  },
  function number(dice, bytes) {
    const float = Buffer.alloc(9, 0xcb)
    float.writeDoubleBE(dice.pick(extremes), 1)
    const from = at(dice, bytes)
    return replaced(bytes, from, Math.min(bytes.length, from + dice.pick([0, 1, 9])), float)
  },
]

/** The bytes, changed once or a few times. */
export const mutated = (dice: Dice, bytes: Buffer, other: Buffer): Buffer => {
  let changed = bytes
  for (let times = 1 + dice.below(4); times > 0; times--) {
    changed = dice.pick(mutations)(dice, changed, other)
  }
  return changed.length > bytesMax ? changed.subarray(0, bytesMax) : changed
}

const bytesMax = 1_200_000

/** A value as the wire has it, with some part of it replaced. */
export const mutatedValue = (dice: Dice, value: unknown, others: readonly unknown[]): unknown => {
  if (Array.isArray(value) && value.length > 0 && !dice.once(6)) {
    const copy: unknown[] = [...(value as readonly unknown[])]
    const i = dice.below(copy.length)
    const what = dice.below(12)
    if (what === 0) copy.splice(i, 1)
    else if (what === 1) copy.splice(i, 0, copy[dice.below(copy.length)])
    else copy[i] = mutatedValue(dice, copy[i], others)
    return copy
  }
  return anyValue(dice, others)
}

export const anyValue = (dice: Dice, others: readonly unknown[]): unknown => {
  switch (dice.below(10)) {
    case 0:
      return null
    case 1:
      return dice.once(2)
    case 2:
    case 3:
      return dice.pick(extremes)
    case 4:
      return dice.bytes(dice.pick([0, 1, 7, 16, 100]))
    case 5:
      return anyText(dice)
    case 6:
      return dice.pick(others)
    case 7:
      return Array.from({ length: dice.below(3) }, () => anyValue(dice, others))
    case 8:
      return dice.once(40) ? Array<unknown>(4_097).fill(dice.pick(extremes)) : []
    default:
      return dice.below(30)
  }
}

export const anyText = (dice: Dice): string =>
  dice.once(3)
    ? dice.pick(words)
    : Array.from({ length: dice.below(12) }, () => dice.pick(pieces)).join('')

const words = [
  '',
  '/',
  '/fuzz',
  '/fuzz/a',
  '/fuzz/b',
  '/fuzz/a/c',
  '/conclave',
  '/healthy',
  'digest',
  'world',
  'anyone',
  'auth',
  'ip',
  '127.0.0.1',
  '::1/0',
  'persistent',
  'ephemeral',
  'persistentSequential',
  'container',
  'ttl',
  'data',
  'child',
  'any',
  '__proto__',
  'constructor',
  'toString',
  `/${'x'.repeat(1_024)}`,
  '/a'.repeat(65),
  `u:${'0'.repeat(64)}`,
]
const pieces = [
  '/',
  'a',
  'b',
  '.',
  '..',
  '\u0000',
  '\u00e9',
  '\u4e2d',
  '\u{1f600}',
  '\ud800',
  ':',
  '*',
  '\n',
  ' ',
]
