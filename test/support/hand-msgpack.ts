/**
 * MessagePack as section 2 of docs/PROTOCOL.md has it, written by hand: what a client in another
 * language would use its own library for. Nothing of the product is imported here.
 */
export type Value = number | string | boolean | null | Uint8Array | HandFloat | readonly Value[]

/** A number to be sent as a float 64, whatever it is. */
export class HandFloat {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

export const packByHand = (value: Value): Buffer => {
  if (value === null) return Buffer.from([0xc0])
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2])
  if (typeof value === 'number') return packInteger(value)
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'utf8')
    return Buffer.concat([head(bytes.length, [0xa0, 32], [0xd9, 0xda, 0xdb]), bytes])
  }
  if (value instanceof Uint8Array) {
    return Buffer.concat([head(value.length, null, [0xc4, 0xc5, 0xc6]), value])
  }
  if (value instanceof HandFloat) return packFloat(value.value)
  return Buffer.concat([
    head(value.length, [0x90, 16], [null, 0xdc, 0xdd]),
    ...value.map(packByHand),
  ])
}

/** @throws Error when it is not exactly one value without maps and extensions */
export const unpackByHand = (bytes: Uint8Array): Value => {
  const reader = new Reader(bytes)
  const value = reader.value()
  if (!reader.isAtEnd) throw new Error('there is something behind the value')
  return value
}

/** Integers above 2^32 - 1 travel as floats, as from a sender without 64-bit integers. */
const packInteger = (value: number): Buffer => {
  if (value < 0) {
    const bytes = Buffer.from([0xd0, 0])
    bytes.writeInt8(value, 1)
    return bytes
  }
  if (value < 0x80) return Buffer.from([value])
  if (value > 0xffff_ffff) return packFloat(value)
  return head(value, null, [0xcc, 0xcd, 0xce])
}

const packFloat = (value: number): Buffer => {
  const bytes = Buffer.alloc(9, 0xcb)
  bytes.writeDoubleBE(value, 1)
  return bytes
}

/** A number in the shortest form: in the first byte, or in 1, 2 or 4 bytes behind one. */
const head = (
  value: number,
  short: readonly [first: number, end: number] | null,
  [one, two, four]: readonly [number | null, number, number],
): Buffer => {
  if (short !== null && value < short[1]) return Buffer.from([short[0] + value])
  if (one !== null && value <= 0xff) return Buffer.from([one, value])
  const bytes = Buffer.alloc(value <= 0xffff ? 3 : 5, value <= 0xffff ? two : four)
  bytes.writeUIntBE(value, 1, bytes.length - 1)
  return bytes
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes)
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  value(): Value {
    const first = this.#uint(1)
    if (first < 0x80) return first
    if (first >= 0xe0) return first - 0x100
    if (first >= 0x90 && first < 0xa0) return this.#array(first - 0x90)
    if (first >= 0xa0 && first < 0xc0) return this.#text(first - 0xa0)
    switch (first) {
      case 0xc0:
        return null
      case 0xc2:
      case 0xc3:
        return first === 0xc3
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return new Uint8Array(this.#take(this.#uint(1 << (first - 0xc4))))
      case 0xca:
        return this.#take(4).readFloatBE()
      case 0xcb:
        return this.#take(8).readDoubleBE()
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (first - 0xcc))
      case 0xcf:
        return Number(this.#take(8).readBigUInt64BE())
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return this.#take(1 << (first - 0xd0)).readIntBE(0, 1 << (first - 0xd0))
      case 0xd3:
        return Number(this.#take(8).readBigInt64BE())
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (first - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(first === 0xdc ? 2 : 4))
      default:
        throw new Error(`0x${first.toString(16)} begins a map, an extension or nothing`)
    }
  }

  #uint(bytes: number): number {
    return this.#take(bytes).readUIntBE(0, bytes)
  }

  #text(length: number): string {
    return this.#take(length).toString('utf8')
  }

  #array(length: number): readonly Value[] {
    return Array.from({ length }, () => this.value())
  }

  #take(length: number): Buffer {
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    if (bytes.length < length) throw new Error('it ends too early')
    this.#at += length
    return bytes
  }
}
